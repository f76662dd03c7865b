// EndpointSlice: a part of the addresses behind a service, with their conditions.
import { ageColumn, ageOf, nameColumn, plainKind, text } from './kind.ts'

const few = (list: unknown[]) =>
  list.length ? (list.length > 3 ? `${list.slice(0, 3).join(',')} + ${list.length - 3} more...` : list.join(',')) : '<unset>'

export const endpointSlice = plainKind({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  type: 'V1EndpointSlice',
  generation: true,
  defaults: (o) => {
    for (const p of o.ports ?? []) {
      p.protocol ||= 'TCP'
      p.name ??= ''
    }
  },
  validate: (o, e) => {
    if (!['IPv4', 'IPv6', 'FQDN'].includes(o.addressType)) e.notSupported('addressType', o.addressType ?? '', ['FQDN', 'IPv4', 'IPv6'])
    if ((o.endpoints?.length ?? 0) > 1000) e.invalidType('endpoints', `Too many: ${o.endpoints.length}: must have at most 1000 items`)
    o.endpoints?.forEach((p: any, i: number) => {
      if (!p.addresses?.length) e.required(`endpoints[${i}].addresses`, 'must contain at least 1 address')
    })
  },
  validateUpdate: (o, old, e) => {
    if (o.addressType !== old.addressType) e.invalid('addressType', o.addressType, 'field is immutable')
  },
  columns: [
    nameColumn,
    text('AddressType', 'The type of addresses in the slice.'),
    text('Ports', 'Ports of every endpoint.'),
    text('Endpoints', 'Addresses of the endpoints.'),
    ageColumn,
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.addressType,
    few((o.ports ?? []).map((p: any) => p.port ?? '*')),
    few((o.endpoints ?? []).flatMap((p: any) => p.addresses ?? [])),
    ageOf(o, now),
  ],
})
