// Which address families a service gets, by what it asks for and what the cluster has: as pkg/registry/core/service/storage/alloc.go decides.

import { validateFamilies } from '../../shared/kinds/service.ts'
import { FAMILIES, type Family, familyOf, printed } from '../../shared/meta/address.ts'
import { FieldErrors } from '../../shared/meta/field-error.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { invalid } from '../../shared/status/index.ts'

const canonical = (ip: string): string => printed(ip) ?? ip

/** Sets `ipFamilies` and `ipFamilyPolicy` where they are not said. `has`: what services can get, the cluster's own family first. Throws 422. */
export function settleFamilies(o: KObject, has: readonly Family[], old?: KObject): void {
  const s = o.spec
  if (s.type === 'ExternalName') {
    if (!old) return
    for (const f of ['ipFamilies', 'ipFamilyPolicy']) delete s[f]
    return
  }
  // One text for one address: two of them are one claim.
  if (s.clusterIPs) s.clusterIPs = s.clusterIPs.map(canonical)
  if (s.clusterIP) s.clusterIP = canonical(s.clusterIP)
  const e = new FieldErrors()
  validateFamilies(s, e)
  // Nobody has said that two are wanted.
  const single = !s.ipFamilyPolicy || s.ipFamilyPolicy === 'SingleStack'
  for (const f of ['clusterIPs', 'ipFamilies'])
    if (single && s[f]?.length > 1)
      e.invalid(
        'spec.ipFamilyPolicy',
        s.ipFamilyPolicy ?? null,
        `must be RequireDualStack or PreferDualStack when multiple '${f}' are specified`,
      )
  const families: Family[] = [...(s.ipFamilies ?? [])]
  const ips: string[] = s.clusterIPs ?? []
  const isHeadless = ips[0] === 'None'
  if (!isHeadless) families.push(...ips.slice(families.length).map(familyOf))
  const other = () => FAMILIES.find((f) => f !== families[0])!
  // What is behind it nobody knows: of either family.
  if (isHeadless && !Object.keys(s.selector ?? {}).length) {
    s.ipFamilyPolicy ??= families.length === 1 ? 'SingleStack' : 'RequireDualStack'
    if (!families.length) families.push(has[0]!)
    if (families.length < 2 && s.ipFamilyPolicy !== 'SingleStack') families.push(other())
  } else {
    families.forEach((f, i) => {
      if (FAMILIES.includes(f) && !has.includes(f)) e.invalid(`spec.ipFamilies[${i}]`, f, 'not configured on this cluster')
    })
    if (s.ipFamilyPolicy === 'RequireDualStack' && has.length < 2)
      e.invalid('spec.ipFamilyPolicy', s.ipFamilyPolicy, 'this cluster is not configured for dual-stack services')
    s.ipFamilyPolicy ??= 'SingleStack'
    if (!families.length) families.push(has[0]!)
    // One that prefers two is not made another by the cluster's having become one: who asks again for two gets them.
    const isAsked = !old || old.spec.ipFamilyPolicy !== s.ipFamilyPolicy
    if (families.length < 2 && s.ipFamilyPolicy !== 'SingleStack' && isAsked && has.includes(other())) families.push(other())
  }
  if (e.causes.length) throw invalid('', 'Service', o.metadata.name, e.causes)
  s.ipFamilies = families
}
