// Ranges of both families, and what is in them.
import { expect, test } from 'vitest'
import { cidrContains, parseCidr } from './address.ts'

test.each(['10.0.0.0/8', '0.0.0.0/0', '2001:db8::/32', '::/0', '::ffff:10.0.0.1/128', '1:2:3:4:5:6:7:8/64'])('%s is a range', (text) =>
  expect(parseCidr(text)).toBeDefined(),
)
test.each([
  '10.0.0.0',
  '10.0.0/8',
  '10.0.0.256/8',
  '10.0.0.0/33',
  '01.0.0.0/8',
  '1::2::3/64',
  '1:2:3:4:5:6:7/64',
  '::/129',
  'x/8',
  '10.0.0.0/8/8',
])('%s is none', (text) => expect(parseCidr(text)).toBeUndefined())
test.each([
  ['10.0.0.0/8', '10.1.2.0/24', true],
  ['10.0.0.0/8', '11.0.0.0/24', false],
  ['2001:db8::/32', '2001:db8:1::/48', true],
  ['2001:db8::/32', '10.0.0.0/8', false],
])('%s contains %s: %s', (outer, inner, expected) => expect(cidrContains(parseCidr(outer)!, parseCidr(inner)!)).toBe(expected))
