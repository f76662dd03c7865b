// Which address ranges a cluster can have.
import { expect, test } from 'vitest'
import { checkRanges, defaultSettings, dnsAddress } from './settings.ts'

const FOUR = { serviceCidr: '10.96.0.0/16', podCidr: '10.244.0.0/16' }
const SIX = { serviceCidr: 'fd00:96::/112', podCidr: 'fd00:244::/56' }
const both = (a: typeof FOUR, b: typeof FOUR) => ({
  serviceCidr: `${a.serviceCidr},${b.serviceCidr}`,
  podCidr: `${a.podCidr},${b.podCidr}`,
})

test.each<[string, typeof FOUR, RegExp | undefined]>([
  ['the usual ones', defaultSettings, undefined],
  ['IPv6 alone', SIX, undefined],
  ['both', both(FOUR, SIX), undefined],
  ['both, IPv6 first', both(SIX, FOUR), undefined],
  ['pods of both, services of one', { ...FOUR, podCidr: both(FOUR, SIX).podCidr }, undefined],
  ['services of both, pods of one', { ...both(FOUR, SIX), podCidr: FOUR.podCidr }, /of no use without pods.*IPv6/],
  ['two of one family', { ...FOUR, serviceCidr: '10.96.0.0/16,10.97.0.0/16' }, /one of IPv4 and one of IPv6/],
  ['none', { ...FOUR, podCidr: '' }, /has to be one range/],
  ['no range', { ...FOUR, podCidr: '10.244.0.0' }, /no range of addresses/],
  ['bits beyond its length', { ...FOUR, podCidr: '10.244.1.0/16' }, /does not begin where/],
  ['more nodes than there can be', { ...SIX, podCidr: 'fd00:244::/40' }, /has to be of 48 to 64 bits/],
  ['no room for a node', { ...FOUR, podCidr: '10.244.0.0/25' }, /has to be of 8 to 24 bits/],
  ['no room for services', { ...FOUR, serviceCidr: '10.96.0.0/30' }, /too small/],
])('%s', (_, ranges, fault) => {
  if (fault) expect(() => checkRanges(ranges)).toThrow(fault)
  else checkRanges(ranges)
})

test.each([
  ['10.96.0.0/16', '10.96.0.10'],
  ['fd00:96::/112,10.96.0.0/16', 'fd00:96::a'],
])('names are asked for in %s at %s', (serviceCidr, want) => expect(dnsAddress({ serviceCidr })).toBe(want))
