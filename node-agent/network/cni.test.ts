// Which network a folder describes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hostNetworking, readNetwork } from './cni.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'kedge-cni-'))
})
afterEach(() => rmSync(folder, { recursive: true }))
const write = (name: string, content: unknown) =>
  writeFileSync(path.join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
const list = (name: string) => ({
  cniVersion: '1.0.0',
  name,
  plugins: [{ type: 'bridge' }, { type: 'portmap', capabilities: { portMappings: true } }],
})

test('the first by its name, of those that describe one', () => {
  write('20-b.conflist', list('b'))
  write('10-a.conflist', list('a'))
  write('00-readme.txt', 'nothing')
  expect(readNetwork(folder)).toEqual(list('a'))
})

test('a single plugin is a list of one', () => {
  write('x.conf', { name: 'x', type: 'bridge', mtu: 1400 })
  expect(readNetwork(folder)).toEqual({ cniVersion: '0.2.0', name: 'x', plugins: [{ name: 'x', type: 'bridge', mtu: 1400 }] })
})

test.each([
  ['none', undefined, 'no network is described in'],
  ['one that is no JSON', '{', 'x.conf: '],
  ['one without a name', { type: 'bridge' }, 'x.conf describes no network'],
  ['one without plugins', { name: 'x', plugins: [] }, 'x.conf describes no network'],
  ['one whose plugin is a path', { name: 'x', type: '../../bin/sh' }, 'x.conf describes no network'],
])('%s', (_, content, fault) => {
  if (content !== undefined) write('x.conf', content)
  expect(() => readNetwork(folder)).toThrow(fault)
  expect(hostNetworking(folder).problem()).toContain('container runtime network not ready: ')
})
