// ServiceAccount: pods run as one, get its pull secrets and a token volume unless they opt out.
import { hash32 } from '../../shared/meta/hash.ts'
import { safeSuffix } from '../../shared/meta/names.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { isMirror } from '../../shared/meta/static-pods.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { forbidden } from '../../shared/status/index.ts'
import type { Environment } from '../registry/context.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

/** How long after a namespace was made its account may be missing, ms; and how it is waited for. */
const YOUNG = 10_000
const AGAIN = 100
const TRIES = 10

const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

const nameFor = (seed: string): string => {
  const bits = hash32(seed)
  return `kube-api-access-${safeSuffix(Uint8Array.from({ length: 5 }, (_, i) => bits >>> (i * 6)))}`
}

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

/** The account; the one that every namespace gets may still be on its way to a new one. */
async function accountOf(env: Environment, ns: string, name: string): Promise<KObject | undefined> {
  for (let tries = 1; ; tries++) {
    const account = await env.lookup.get('serviceaccounts', ns, name)
    if (account || name !== 'default' || tries === TRIES) return account
    const namespace = await env.lookup.get('namespaces', '', ns)
    if (!namespace || Date.parse(namespace.metadata.creationTimestamp) + YOUNG < env.clock.now()) return undefined
    await new Promise((r) => setTimeout(r, AGAIN))
  }
}

export const serviceAccount: Step = {
  name: 'ServiceAccount',
  create: async ({ env, kind, object }) => {
    // What a node shows of its own pods says what already runs.
    if (kind.kind !== 'Pod' || isMirror(object)) return undefined
    const spec = object.spec
    spec.serviceAccountName ||= 'default'
    spec.serviceAccount = spec.serviceAccountName
    const ns = object.metadata.namespace!
    const account = await accountOf(env, ns, spec.serviceAccountName)
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
    // The same for all pods of an account: what pods have in common is kept once. A copy of a pod has its volume already.
    const taken = (name: string) => spec.volumes?.find((v: any) => v.name === name)
    let name = nameFor(`${ns}/${spec.serviceAccountName}`)
    while (taken(name) && !equal(taken(name), tokenVolume(name))) name = nameFor(name)
    if (!taken(name)) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)]
    for (const c of without) c.volumeMounts = [...(c.volumeMounts ?? []), { name, mountPath: MOUNT, readOnly: true }]
    return undefined
  },
}
