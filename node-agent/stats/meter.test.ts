// What is measured from when.
import { beforeEach, expect, test } from 'vitest'
import { type Counter, Meter } from './meter.ts'

let now: number
let looks: number
let meter: Meter
let counters: Map<string, Counter>
beforeEach(() => {
  now = 1_000_000
  looks = 0
  counters = new Map()
  meter = new Meter(
    () => {
      looks++
      return new Map([...counters].map(([k, c]) => [k, { ...c }]))
    },
    () => now,
    async (ms) => pass(ms),
  )
})
/** One that uses so much of a processor. */
const uses: Record<string, number> = {}
function pass(ms: number) {
  now += ms
  for (const [name, c] of counters) c.total += ms * 1e6 * (uses[name] ?? 0)
}
const begins = (name: string, share: number, since?: number) => {
  uses[name] = share
  counters.set(name, { total: 0, ...(since === undefined ? {} : { since }) })
}
const shares = async () => {
  const { of, window } = await meter.measure()
  return [Object.fromEntries([...of].map(([k, v]) => [k, Math.round(v / 1e7) / 100])), window]
}

test('the first question takes a second, the next ones nothing', async () => {
  begins('a', 0.5)
  expect(await shares()).toEqual([{ a: 0.5 }, 1000])
  pass(4000)
  expect(await shares()).toEqual([{ a: 0.5 }, 5000])
})

test('questions that are far apart are measured from each other', async () => {
  begins('a', 1)
  await shares()
  pass(14_000)
  expect(await shares()).toEqual([{ a: 1 }, 15_000])
  uses.a = 0
  pass(15_000)
  expect(await shares()).toEqual([{ a: 0 }, 15_000])
})

test('what was seen too long ago is not measured from', async () => {
  begins('a', 1)
  await shares()
  uses.a = 0
  pass(200_000)
  expect(await shares()).toEqual([{ a: 0 }, 1000])
})

test('what has begun since is measured from then; what nobody saw is not', async () => {
  begins('a', 1)
  await shares()
  pass(4000)
  begins('b', 0.5, now)
  begins('c', 1)
  pass(2000)
  expect(await shares()).toEqual([{ a: 1, b: 0.5 }, 7000])
})

test('who asks at the same time gets the same', async () => {
  begins('a', 1)
  const [x, y] = await Promise.all([meter.measure(), meter.measure()])
  expect([x, looks]).toEqual([y, 2])
})
