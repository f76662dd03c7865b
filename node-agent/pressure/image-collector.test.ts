// Which images go when the disk fills: only what was pulled for a pod, is in nobody's use and is not new; what was used longest ago first.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { quietLog } from '../log.ts'
import { ImageCollector } from './image-collector.ts'

let data: string
let removed: string[]
beforeEach(() => {
  data = mkdtempSync(path.join(tmpdir(), 'kedge-images-'))
  removed = []
})
afterEach(() => rmSync(data, { recursive: true }))

const HOUR = 3_600_000
/** Images of 100 bytes each, as [reference, hours since its use]; without hours they are not ours. */
function collector(images: [ref: string, hours?: number][], inUse: string[] = [], mounted: string[] = []) {
  mkdirSync(path.join(data, 'state'))
  const known = images.filter(([, hours]) => hours !== undefined).map(([ref, hours]) => [ref, Date.now() - hours! * HOUR])
  writeFileSync(path.join(data, 'state/images.json'), JSON.stringify(known))
  const runtime = {
    imagesAndUse: async () => ({
      images: images.map(([ref]) => ({ id: `id of ${ref}`, refs: [ref], size: 100 })),
      inUse: new Set(inUse.map((r) => `id of ${r}`)),
    }),
    removeImage: async (ref: string) => {
      removed.push(ref)
    },
  }
  return new ImageCollector(runtime as never, data, { high: 85, low: 80 }, () => mounted, quietLog)
}

test('as many as are needed, the oldest first', async () => {
  const c = collector([
    ['new:1', 1],
    ['old:1', 9],
    ['older:1', 10],
  ])
  expect(await c.collect(150)).toBe(200)
  expect(removed).toEqual(['older:1', 'old:1'])
})

test('none that is in use, new, or was not pulled for a pod', async () => {
  const c = collector([['used:1', 9], ['volume:latest', 9], ['fresh:1', 0], ['theirs:1'], ['idle:1', 9]], ['used:1'], ['volume'])
  expect(await c.collect(Number.POSITIVE_INFINITY)).toBe(100)
  expect(removed).toEqual(['idle:1'])
})

test.each<[string, number, { missing: number; found: number }]>([
  ['below the bound', 849, { missing: 0, found: 0 }],
  ['at the bound', 850, { missing: 50, found: 100 }],
  ['far above', 990, { missing: 190, found: 200 }],
])('a disk that is filled %s', async (_, used, expected) => {
  const c = collector([
    ['a:1', 5],
    ['b:1', 6],
  ])
  expect(await c.keepBelow(used, 1000)).toEqual(expected)
})
