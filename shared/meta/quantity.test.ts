// Quantities: canonical text, amounts, what is refused.
import { expect, test } from 'vitest'
import { canonicalQuantity, milliOf, unitsOf } from './quantity.ts'

const canonical: [string | number, string | undefined][] = [
  ['0.5', '500m'],
  [0.1, '100m'],
  ['1000m', '1'],
  ['1024Mi', '1Gi'],
  ['1500Mi', '1500Mi'],
  ['10Gi', '10Gi'],
  ['0', '0'],
  ['1e3', '1e3'],
  ['1000', '1k'],
  ['2000000', '2M'],
  ['-5', '-5'],
  ['0.0000000001', '1n'],
  ['8E', '8E'],
  ['', undefined],
  ['1x', undefined],
  ['Mi', undefined],
  ['1e99', undefined],
]
test.each(canonical)('%s is written %s', (given, want) => {
  expect(canonicalQuantity(given)).toBe(want)
})

test('amounts round up', () => {
  expect(milliOf('0.0001')).toBe(1)
  expect(milliOf('2')).toBe(2000)
  expect(unitsOf('1500m')).toBe(2)
  expect(unitsOf('1Ki')).toBe(1024)
})
