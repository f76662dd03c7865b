// What the control plane does for ingresses that the nodes serve: the class there is without anybody making one, the addresses in their status, and a word
// about what in them leads nowhere.
import { wantsAcme } from '../../shared/ingress/acme.ts'
import { CLASS, CONTROLLER, isOurClass, isServed, tlsSecrets } from '../../shared/ingress/class.ts'
import { optionsOf } from '../../shared/ingress/options.ts'
import { INGRESS } from '../../shared/meta/node-annotations.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Controller, type Reader, type Result, splitKey, type Write } from '../engine/types.ts'
import { addressesOf, reachedAt } from './node-addresses.ts'

const INGRESSES = 'ingresses.networking.k8s.io'
const CLASSES = 'ingressclasses.networking.k8s.io'
const IS_DEFAULT = 'ingressclass.kubernetes.io/is-default-class'

interface ClassView {
  /** Another class is the default. */
  taken: boolean
}

const could = (node: KObject | undefined): boolean => !!node?.metadata.annotations?.[INGRESS]

/** Made when the first node joins that could serve; whoever deletes it gets it again, as long as one can. */
export const ingressClass: Controller<ClassView> = {
  name: 'ingress-class',
  all: () => [CLASS],
  wakes: {
    nodes: ({ old, new: now }) => (could(old) === could(now) ? [] : [CLASS]),
    [CLASSES]: ({ old, new: now }) => (now || old!.metadata.name !== CLASS ? [] : [CLASS]),
  },
  view: (_key, reader) => {
    const wanted = !reader.get(CLASSES, '', CLASS) && reader.list('nodes').some(could)
    return wanted ? { taken: reader.list(CLASSES).some((c) => c.metadata.annotations?.[IS_DEFAULT] === 'true') } : undefined
  },
  reconcile: (_key, { taken }) => {
    const metadata = { name: CLASS, annotations: { [IS_DEFAULT]: String(!taken) } } as unknown as KObject['metadata']
    return { writes: [{ verb: 'create', resource: CLASSES, object: { metadata, spec: { controller: CONTROLLER } } }] }
  },
}

interface View {
  ingress: KObject
  /** Of the nodes that serve it. */
  addresses: string[]
  faults: string[]
}

const isOurs = (ingress: KObject, reader: Reader): boolean => isServed(ingress, (name) => reader.get(CLASSES, '', name))
const oursOf = (reader: Reader, ns?: string): KObject[] => reader.list(INGRESSES, ns).filter((i) => isOurs(i, reader))
const servesAt = (node: KObject | undefined) => (node?.metadata.annotations?.[INGRESS] === 'serving' ? reachedAt(node) : [])

const backendsOf = ({ spec }: KObject): any[] => [
  ...(spec.defaultBackend ? [spec.defaultBackend] : []),
  ...(spec.rules ?? []).flatMap((r: any) => (r.http?.paths ?? []).map((p: any) => p.backend)),
]
const services = (ingress: KObject): string[] => backendsOf(ingress).flatMap((b) => b.service?.name ?? [])

/** What in it leads nowhere, or is not understood. */
function faultsOf(ingress: KObject, reader: Reader): string[] {
  const ns = ingress.metadata.namespace!
  const { faults } = optionsOf(ingress)
  for (const b of backendsOf(ingress)) {
    if (!b.service) {
      faults.push(`backend ${b.resource?.kind}/${b.resource?.name} is no service: it is answered with 404`)
      continue
    }
    const { name, port } = b.service
    const service = reader.get('services', ns, name)
    const has = service?.spec.ports?.some((p: any) => (port.name ? p.name === port.name : p.port === port.number))
    if (!service) faults.push(`service ${ns}/${name} not found`)
    // What is outside of the cluster need not list its ports.
    else if (!has && !(service.spec.type === 'ExternalName' && port.number))
      faults.push(`service ${ns}/${name} has no port ${port.name ?? port.number}`)
  }
  for (const name of tlsSecrets(ingress)) {
    // One that is being had will come.
    if (!reader.get('secrets', ns, name) && !wantsAcme(ingress)) faults.push(`secret ${ns}/${name} not found`)
  }
  return [...new Set(faults)]
}

function reconcile(_key: string, { ingress, addresses, faults }: View): Result {
  const before: any[] = ingress.status?.loadBalancer?.ingress ?? []
  const now = addresses.map((ip) => ({ ip }))
  const writes: Write[] = equal(before, now)
    ? []
    : [
        {
          verb: 'update',
          resource: INGRESSES,
          object: { ...ingress, status: { ...ingress.status, loadBalancer: now.length ? { ingress: now } : {} } },
          part: 'status',
        },
      ]
  for (const message of faults)
    writes.push({
      verb: 'event',
      about: { resource: INGRESSES, object: ingress },
      type: 'Warning',
      reason: 'Sync',
      message,
      component: 'ingress-controller',
    })
  return { writes }
}

export const ingress: Controller<View> = {
  name: 'ingress-controller',
  all: (reader) => oursOf(reader).map(keyOf),
  wakes: {
    [INGRESSES]: ({ new: now }, reader) => (now && isOurs(now, reader) ? [keyOf(now)] : []),
    [CLASSES]: ({ old, new: now }, reader) => (isOurClass(old) || isOurClass(now) ? oursOf(reader).map(keyOf) : []),
    nodes: ({ old, new: now }, reader) => (equal(servesAt(old), servesAt(now)) ? [] : oursOf(reader).map(keyOf)),
    services: ({ old, new: now }, reader) => {
      if (equal(old?.spec.ports, now?.spec.ports)) return []
      const { namespace, name } = (now ?? old)!.metadata
      return oursOf(reader, namespace)
        .filter((i) => services(i).includes(name))
        .map(keyOf)
    },
    secrets: ({ old, new: now }, reader) => {
      if (old && now) return []
      const { namespace, name } = (now ?? old)!.metadata
      return oursOf(reader, namespace)
        .filter((i) => tlsSecrets(i).includes(name))
        .map(keyOf)
    },
  },
  view: (key, reader) => {
    const found = reader.get(INGRESSES, ...splitKey(key))
    if (!found || found.metadata.deletionTimestamp || !isOurs(found, reader)) return undefined
    const serving = reader.list('nodes').filter((n) => servesAt(n).length > 0)
    return { ingress: found, addresses: addressesOf(serving), faults: faultsOf(found, reader) }
  },
  reconcile,
}
