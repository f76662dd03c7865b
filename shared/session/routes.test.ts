// Two tables of routes say alike by their hash exactly when they are alike.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RouteTable } from './routes.ts'

const change = fc.tuple(
  fc.constantFrom('a', 'b', 'c', 'd'),
  fc.option(fc.tuple(fc.constantFrom('10.1.0.0/24', '10.1.1.0/24'), fc.constantFrom('1.1.1.1', '1.1.1.2')), { nil: undefined }),
)
const tableOf = (changes: [string, [string, string] | undefined][]) => {
  const t = new RouteTable()
  for (const [node, route] of changes) t.set(node, route)
  return t
}
const contents = (t: RouteTable) => JSON.stringify([...t.entries()].sort(([a], [b]) => (a < b ? -1 : 1)))

test('whatever was in them before', () => {
  fc.assert(
    fc.property(fc.array(change), fc.array(change), (a, b) => {
      const [x, y] = [tableOf(a), tableOf(b)]
      expect(x.hash === y.hash).toBe(contents(x) === contents(y))
    }),
    { numRuns: 2000, seed: 1 },
  )
})

test('a change that is none is none', () => {
  const t = new RouteTable()
  expect(t.set('a', ['10.1.0.0/24', '1.1.1.1'])).toBe(true)
  expect(t.set('a', ['10.1.0.0/24', '1.1.1.1'])).toBe(false)
  expect(t.set('b', undefined)).toBe(false)
  expect(t.set('a', undefined)).toBe(true)
  expect(t.hash).toBe(new RouteTable().hash)
})

test('who is told has what the teller has, whatever was known before', () => {
  const frame = (changes: [string, [string, string] | undefined][]) =>
    changes.map(([node, route]): [string, string | null, string] => [node, route?.[0] ?? null, route?.[1] ?? ''])
  fc.assert(
    fc.property(fc.array(change), fc.array(change), fc.array(change), (theirs, mine, later) => {
      const [teller, told] = [tableOf(theirs), tableOf(mine)]
      told.take(true, frame([...teller.entries()].map(([node, [range, address]]) => [node, [range, address]])))
      expect(contents(told)).toBe(contents(teller))
      for (const [node, route] of later) teller.set(node, route)
      told.take(false, frame(later))
      expect(contents(told)).toBe(contents(teller))
    }),
    { numRuns: 1000, seed: 1 },
  )
})
