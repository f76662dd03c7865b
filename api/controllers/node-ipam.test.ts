// Ranges for nodes: each has one of its own, however many join at the same moment, and who finds none is told.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Controlled } from '../../test/rig/controlled.ts'
import { freeRanges } from './node-ipam.ts'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(0)
})
afterEach(() => c.close())

test.each([
  ['10.244.0.0/16', [], '10.244.0.0/24'],
  ['10.244.0.0/16', ['10.244.0.0/24', '10.244.1.0/24'], '10.244.2.0/24'],
  ['10.244.0.0/16', ['10.244.1.0/24'], '10.244.2.0/24'],
  ['10.200.255.0/22', ['10.200.252.0/24'], '10.200.253.0/24'],
  ['10.244.4.0/23', [], '10.244.4.0/24'],
  ['10.244.0.0/23', ['10.244.0.0/24', '10.244.1.0/24'], undefined],
  ['fd00:244::/56', [], 'fd00:244::/64'],
  ['fd00:244::/56', ['fd00:244::/64', 'fd00:244:0:1::/64'], 'fd00:244:0:2::/64'],
  ['fd00:244::/63', ['fd00:244::/64', 'fd00:244:0:1::/64'], undefined],
])('of %s with %j taken: %s', (cidr, used, want) => {
  expect(freeRanges(cidr, new Set<string>(used)).next().value).toBe(want)
})

test('a large range goes beyond its second byte', () => {
  const used = new Set(Array.from({ length: 257 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`))
  expect(freeRanges('10.0.0.0/8', used).next().value).toBe('10.1.1.0/24')
})

const rangesOf = async () => (await c.list('nodes')).map((n) => n.spec?.podCIDR as string | undefined)
const join = (names: string[]) => Promise.all(names.map((name) => c.create('nodes', { metadata: { name } })))

test('nodes that join at once share no range, and there are as many as fit', async () => {
  await join(Array.from({ length: 257 }, (_, i) => `n${i}`))
  await c.settled()
  const all = await rangesOf()
  expect(new Set(all).size).toBe(257)
  expect(all.filter((r) => !r)).toHaveLength(1)
  const left = (await c.list('nodes')).find((n) => !n.spec?.podCIDR)!
  const told = async () => (await c.list('events')).filter((e) => e.reason === 'CIDRNotAvailable')
  expect(await told()).toMatchObject([{ involvedObject: { name: left.metadata.name }, type: 'Normal', count: 1 }])
  // One goes, and what it had is free.
  const gone = (await c.list('nodes')).find((n) => n.spec?.podCIDR)!
  await c.delete('nodes', gone.metadata.name)
  await c.settled()
  expect((await c.get('nodes', left.metadata.name))!.spec.podCIDR).toBe(gone.spec.podCIDR)
  expect(await told()).toHaveLength(1)
})
