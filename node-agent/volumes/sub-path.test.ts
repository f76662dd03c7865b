// What a subPath may name, and what it may not.
import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openWithin } from './sub-path.ts'

let root: string
let base: string
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'kedge-parts-'))
  base = path.join(root, 'volume')
  mkdirSync(path.join(base, 'deep/er'), { recursive: true, mode: 0o755 })
  mkdirSync(path.join(root, 'outside'))
  writeFileSync(path.join(root, 'outside/secret'), '')
  mkdirSync(path.join(base, '..2026'))
  writeFileSync(path.join(base, '..2026/key'), '')
  symlinkSync('..2026', path.join(base, '..data'))
  symlinkSync('..data/key', path.join(base, 'key'))
  symlinkSync('deep/er', path.join(base, 'inside'))
  symlinkSync(path.join(root, 'outside'), path.join(base, 'out'))
  symlinkSync('../outside', path.join(base, 'deep/up'))
  symlinkSync('../../outside/secret', path.join(base, 'deep/file'))
  symlinkSync('/nowhere', path.join(base, 'nowhere'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const opened = (sub: string): string => {
  const place = openWithin(base, sub)
  const at = readlinkSync(place.path())
  place.close()
  return path.relative(base, at)
}

test.each([
  ['a folder', 'deep/er', 'deep/er'],
  ['a key of a config map, which is a link to a link', 'key', '..2026/key'],
  ['a link that stays within', 'inside', 'deep/er'],
  ['a link that leads to a name that looks like leading out', '..data', '..2026'],
  ['the volume itself', '.', ''],
])('%s', (_, sub, want) => {
  expect(opened(sub)).toBe(want)
})

test.each([
  ['a link to a folder outside', 'out', 'it leads out of its volume'],
  ['a step through such a link', 'out/secret', 'it leads out of its volume'],
  ['what would be made behind such a link', 'out/new/er', 'it leads out of its volume'],
  ['a link that climbs', 'deep/up', 'ENOENT'],
  ['a link to a file outside', 'deep/file', 'it leads out of its volume'],
  ['a link that leads nowhere', 'nowhere/x', 'ENOENT'],
  ['a path that climbs', 'deep/../../outside', 'without ".."'],
  ['a path from the root', '/etc', 'without ".."'],
  ['a step below a file', 'key/x', 'ENOTDIR'],
])('%s is refused', (_, sub, why) => {
  expect(() => openWithin(base, sub)).toThrow(why)
  expect(existsSync(path.join(root, 'outside/new'))).toBe(false)
})

test('what is missing is made, with the rights of the volume', () => {
  const mode = (at: string) => statSync(at).mode & 0o7777
  const { mode: before } = statSync(base)
  expect(opened('new/er')).toBe('new/er')
  expect([mode(path.join(base, 'new')), mode(path.join(base, 'new/er'))]).toEqual([before & 0o7777, before & 0o7777])
})
