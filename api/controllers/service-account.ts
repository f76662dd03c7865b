// Every namespace has a `default` service account and the CA that its pods should trust.
import type { KObject } from '../../shared/meta/object.ts'
import type { Controller, Result, Write } from '../engine/types.ts'

/** The ConfigMap of every namespace with what pods trust. */
export const ROOT_CA = 'kube-root-ca.crt'

interface View {
  name: string
  account: boolean
  root?: KObject & { data?: Record<string, string> }
  ca: string
}

const own = ({ old, new: now }: { old?: KObject; new?: KObject }) => {
  const o = (now ?? old)!
  return [ROOT_CA, 'default'].includes(o.metadata.name) ? [o.metadata.namespace!] : []
}

function reconcile(_key: string, v: View): Result {
  const writes: Write[] = []
  const metadata = (name: string) => ({ name, namespace: v.name }) as KObject['metadata']
  if (!v.account) writes.push({ verb: 'create', resource: 'serviceaccounts', object: { metadata: metadata('default') } })
  if (!v.root)
    writes.push({
      verb: 'create',
      resource: 'configmaps',
      object: {
        metadata: {
          ...metadata(ROOT_CA),
          annotations: { 'kubernetes.io/description': 'Contains a CA bundle that can be used to verify the API server.' },
        },
        data: { 'ca.crt': v.ca },
      },
    })
  else if (v.root.data?.['ca.crt'] !== v.ca)
    writes.push({ verb: 'update', resource: 'configmaps', object: { ...v.root, data: { 'ca.crt': v.ca } } as KObject })
  return { writes }
}

export const serviceAccount: Controller<View> = {
  name: 'service-account-controller',
  all: (r) => r.list('namespaces').map((n) => n.metadata.name),
  wakes: {
    namespaces: ({ new: now }) => (now && !now.metadata.deletionTimestamp ? [now.metadata.name] : []),
    serviceaccounts: own,
    configmaps: own,
  },
  view: (key, reader) => {
    const ns = reader.get('namespaces', '', key)
    if (!ns || ns.metadata.deletionTimestamp) return undefined
    return {
      name: key,
      account: !!reader.get('serviceaccounts', key, 'default'),
      root: reader.get('configmaps', key, ROOT_CA),
      ca: reader.settings.caBundle,
    }
  },
  reconcile,
}
