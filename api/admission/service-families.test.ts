// Which families a service gets: what it asks for, what the cluster has, and what it was before.
import { describe, expect, test } from 'vitest'
import type { Family } from '../../shared/meta/address.ts'
import { settleFamilies } from './service-families.ts'

const FOUR: Family[] = ['IPv4']
const BOTH: Family[] = ['IPv4', 'IPv6']
const SIX_FIRST: Family[] = ['IPv6', 'IPv4']
const service = (spec: object): any => ({
  metadata: { name: 's', namespace: 'default' },
  spec: { type: 'ClusterIP', selector: { a: 'b' }, ...spec },
})
const settled = (spec: object, has: Family[], old?: object) => {
  const o = service(spec)
  settleFamilies(o, has, old && service(old))
  return [o.spec.ipFamilyPolicy, o.spec.ipFamilies]
}
const NONE = { clusterIP: 'None', clusterIPs: ['None'] }
const OPEN = { ...NONE, selector: undefined }

test.each<[string, object, Family[], string, Family[]]>([
  ['nothing said', {}, FOUR, 'SingleStack', ['IPv4']],
  ['nothing said where there are both', {}, BOTH, 'SingleStack', ['IPv4']],
  ['nothing said where IPv6 is the first', {}, SIX_FIRST, 'SingleStack', ['IPv6']],
  ['the other family', { ipFamilies: ['IPv6'] }, BOTH, 'SingleStack', ['IPv6']],
  ['by its address', { clusterIP: 'fd00::5', clusterIPs: ['fd00::5'] }, BOTH, 'SingleStack', ['IPv6']],
  ['two preferred, and there', { ipFamilyPolicy: 'PreferDualStack' }, BOTH, 'PreferDualStack', BOTH],
  ['two preferred, and not there', { ipFamilyPolicy: 'PreferDualStack' }, FOUR, 'PreferDualStack', ['IPv4']],
  ['two preferred, in this order', { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6'] }, BOTH, 'PreferDualStack', SIX_FIRST],
  ['two required', { ipFamilyPolicy: 'RequireDualStack' }, SIX_FIRST, 'RequireDualStack', SIX_FIRST],
  ['headless', NONE, BOTH, 'SingleStack', ['IPv4']],
  ['headless before nobody known', OPEN, FOUR, 'RequireDualStack', BOTH],
  ['headless before nobody known, of one', { ...OPEN, ipFamilies: ['IPv6'] }, FOUR, 'SingleStack', ['IPv6']],
])('%s', (_, spec, has, policy, families) => expect(settled(spec, has)).toEqual([policy, families]))

test.each<[string, object, Family[], RegExp]>([
  [
    'two required, and not there',
    { ipFamilyPolicy: 'RequireDualStack' },
    FOUR,
    /ipFamilyPolicy: Invalid.*not configured for dual-stack services/,
  ],
  ['a family that is not there', { ipFamilies: ['IPv6'] }, FOUR, /ipFamilies\[0\]: Invalid value: "IPv6": not configured on this cluster/],
  ['two without a policy', { ipFamilies: BOTH }, BOTH, /must be RequireDualStack or PreferDualStack when multiple 'ipFamilies'/],
  [
    'two addresses without a policy',
    { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] },
    BOTH,
    /must be RequireDualStack or PreferDualStack when multiple 'clusterIPs'/,
  ],
  [
    'two addresses of one family',
    { ipFamilyPolicy: 'RequireDualStack', clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', '10.0.0.2'] },
    BOTH,
    /no more than one IP for each IP family/,
  ],
  [
    'an address of another family than it says',
    { ipFamilies: ['IPv6'], clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] },
    BOTH,
    /expected an IPv6 value as indicated by `ipFamilies\[0\]`/,
  ],
  ['a family twice', { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv4'] }, BOTH, /ipFamilies\[1\]: Duplicate value/],
  ['what is no family', { ipFamilies: ['IPv5'] }, BOTH, /ipFamilies\[0\]: Unsupported value/],
  ['what is no policy', { ipFamilyPolicy: 'Some' }, BOTH, /ipFamilyPolicy: Unsupported value/],
])('refused: %s', (_, spec, has, fault) => expect(() => settled(spec, has)).toThrow(fault))

describe('a change', () => {
  const had = { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ipFamilies: ['IPv4'] }
  test('to two families gets the second', () =>
    expect(settled({ ...had, ipFamilyPolicy: 'RequireDualStack' }, BOTH, { ...had, ipFamilyPolicy: 'SingleStack' })).toEqual([
      'RequireDualStack',
      BOTH,
    ]))
  test('of something else leaves one that prefers two as it is', () => {
    const preferring = { ...had, ipFamilyPolicy: 'PreferDualStack' }
    expect(settled(preferring, BOTH, preferring)).toEqual(['PreferDualStack', ['IPv4']])
  })
  test('to a name outside has none', () =>
    expect(settled({ ...had, type: 'ExternalName', ipFamilyPolicy: 'SingleStack' }, BOTH, had)).toEqual([undefined, undefined]))
})

test('an address is written the one way', () => {
  const o = service({ clusterIP: 'FD00:0:0::5', clusterIPs: ['FD00:0:0::5'] })
  settleFamilies(o, BOTH)
  expect([o.spec.clusterIP, o.spec.clusterIPs]).toEqual(['fd00::5', ['fd00::5']])
})
