// What a pod's spec refers to in its namespace.
import { claimsOf } from './pod-claims.ts'

export type Referenced = 'secrets' | 'configmaps' | 'serviceaccounts' | 'persistentvolumeclaims'

/** The names, by kind. */
export function referencesOf(spec: any, pod = ''): Record<Referenced, Set<string>> {
  const secrets = new Set<string>()
  const configmaps = new Set<string>()
  const add = (set: Set<string>, name: unknown) => typeof name === 'string' && name && set.add(name)
  for (const s of spec?.imagePullSecrets ?? []) add(secrets, s.name)
  for (const c of [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])]) {
    for (const e of c.env ?? []) {
      add(secrets, e.valueFrom?.secretKeyRef?.name)
      add(configmaps, e.valueFrom?.configMapKeyRef?.name)
    }
    for (const e of c.envFrom ?? []) {
      add(secrets, e.secretRef?.name)
      add(configmaps, e.configMapRef?.name)
    }
  }
  for (const v of spec?.volumes ?? [])
    for (const source of [v, ...(v.projected?.sources ?? [])]) {
      add(secrets, source.secret?.secretName ?? source.secret?.name)
      add(configmaps, source.configMap?.name)
      add(secrets, source.csi?.nodePublishSecretRef?.name)
    }
  const serviceaccounts = new Set<string>()
  add(serviceaccounts, spec?.serviceAccountName)
  return { secrets, configmaps, serviceaccounts, persistentvolumeclaims: new Set(claimsOf(pod, spec)) }
}
