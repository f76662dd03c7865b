// Endpoints: the addresses behind a service, in the old form.
import { isIP } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { ageColumn, ageOf, nameColumn, plainKind, text } from './kind.ts'

function summary(o: KObject): string {
  const all = (o.subsets ?? []).flatMap((s: any) =>
    (s.ports?.length ? s.ports : [undefined]).flatMap((p: any) => (s.addresses ?? []).map((a: any) => (p ? `${a.ip}:${p.port}` : a.ip))),
  )
  if (!all.length) return '<none>'
  return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : all.join(',')
}

export const endpoints = plainKind({
  group: '',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  type: 'V1Endpoints',
  defaults: (o) => {
    for (const s of o.subsets ?? []) for (const p of s.ports ?? []) p.protocol ||= 'TCP'
  },
  validate: (o, e) => {
    o.subsets?.forEach((s: any, i: number) => {
      if (!s.addresses?.length && !s.notReadyAddresses?.length)
        e.required(`subsets[${i}]`, 'must specify `addresses` or `notReadyAddresses`')
      for (const list of ['addresses', 'notReadyAddresses'])
        s[list]?.forEach((a: any, j: number) => {
          if (!isIP(a.ip ?? ''))
            e.invalid(`subsets[${i}].${list}[${j}].ip`, a.ip ?? '', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')
        })
    })
  },
  columns: [nameColumn, text('Endpoints', 'Addresses and ports.'), ageColumn],
  cells: (o, now) => [o.metadata.name, summary(o), ageOf(o, now)],
})
