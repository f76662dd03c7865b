// ServiceAccount: pods run as one, get its pull secrets and a token volume unless they opt out.
import { safeSuffix } from '../../shared/meta/names.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

const tokenVolume = (name: string) => ({
  name,
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
    ],
  },
})

export const serviceAccount: Step = {
  name: 'ServiceAccount',
  create: async ({ env, kind, object }) => {
    if (kind.kind !== 'Pod') return undefined
    const spec = object.spec
    spec.serviceAccountName ||= 'default'
    spec.serviceAccount = spec.serviceAccountName
    const ns = object.metadata.namespace!
    const account = await env.lookup.get('serviceaccounts', ns, spec.serviceAccountName)
    if (!account)
      throw forbidden(
        subjectOf(kind, object.metadata.name),
        `error looking up service account ${ns}/${spec.serviceAccountName}: serviceaccount ${JSON.stringify(spec.serviceAccountName)} not found`,
      )
    if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
      spec.imagePullSecrets = structuredClone(account.imagePullSecrets)
    const mount = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true
    if (!mount) return undefined
    const containers: any[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
    const without = containers.filter((c) => !c.volumeMounts?.some((m: any) => m.mountPath === MOUNT))
    if (!without.length) return undefined
    const name = `kube-api-access-${safeSuffix(env.random.bytes(5))}`
    spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)]
    for (const c of without) c.volumeMounts = [...(c.volumeMounts ?? []), { name, mountPath: MOUNT, readOnly: true }]
    return undefined
  },
}
