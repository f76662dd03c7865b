// What is known of names outside, and when they are asked for.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Answered, ExternalNames } from './external-names.ts'

let answers: Record<string, Answered[]>
let asked: string[]
let told: number
let names: ExternalNames
beforeEach(() => {
  vi.useFakeTimers()
  answers = {}
  asked = []
  told = 0
  const resolve = async (name: string) => {
    asked.push(name)
    const found = answers[name]
    if (!found) throw new Error('ENOTFOUND')
    return found
  }
  names = new ExternalNames(resolve, () => told++)
})
afterEach(() => {
  names.keep(new Set())
  vi.useRealTimers()
})
const after = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const a = (address: string, ttl = 30): Answered => ({ address, ttl })

test('asked for once, told when it is known, and again when the answer has run out', async () => {
  answers.one = [a('192.0.2.2'), a('192.0.2.1')]
  expect([names.addressesOf('one'), names.addressesOf('one')]).toEqual([[], []])
  await after(0)
  expect([names.addressesOf('one'), told, asked.length]).toEqual([['192.0.2.1', '192.0.2.2'], 1, 1])
  answers.one = [a('192.0.2.3')]
  await after(29_000)
  expect(asked.length).toBe(1)
  await after(1000)
  expect([names.addressesOf('one'), told]).toEqual([['192.0.2.3'], 2])
})

test('who does not answer leaves what was known, and is asked again soon', async () => {
  answers.one = [a('192.0.2.1', 5)]
  names.addressesOf('one')
  await after(0)
  delete answers.one
  await after(5000)
  expect([names.addressesOf('one'), told]).toEqual([['192.0.2.1'], 1])
  const before = asked.length
  await after(2000)
  expect(asked.length).toBe(before + 1)
})

test('a name that nobody wants any more is not asked for', async () => {
  answers.one = [a('192.0.2.1')]
  names.addressesOf('one')
  names.keep(new Set())
  await after(100_000)
  expect([asked.length, told]).toEqual([1, 0])
})

test.each([
  ['an address is itself', '192.0.2.7', ['192.0.2.7']],
  ['this machine is not outside', '127.0.0.1', []],
  ['nor what a cloud tells its machines', '169.254.169.254', []],
])('%s', (_, name, want) => {
  expect(names.addressesOf(name)).toEqual(want)
})

test('nor is it outside by a name', async () => {
  answers.own = [a('127.0.0.1'), a('192.0.2.1')]
  names.addressesOf('own')
  await after(0)
  expect(names.addressesOf('own')).toEqual(['192.0.2.1'])
})
