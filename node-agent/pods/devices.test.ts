// What a machine has besides, and who gets it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Devices, readResources } from './devices.ts'

let data: string
let gone: Set<string>
beforeEach(() => {
  data = mkdtempSync(path.join(tmpdir(), 'kedge-devices-'))
  gone = new Set()
})
afterEach(() => rmSync(data, { recursive: true }))

const read = (text: string) => {
  const file = path.join(data, 'resources.yaml')
  writeFileSync(file, text)
  return readResources(file)
}
const file = `resources:
- {name: example.com/serial, devices: [/dev/a, {paths: [/dev/b, /dev/ctl], env: {WHICH: 2}}]}
- {name: example.com/licence, count: 3}
`
const devices = async () => new Devices(await read(file), data, (uid) => !gone.has(uid))
const container = (name: string, limits: object = {}, more: object = {}) => ({ name, resources: { limits }, ...more })
const pod = (uid: string, containers: object[], initContainers: object[] = []) => ({
  metadata: { uid },
  spec: { containers, initContainers },
})
const SERIAL = 'example.com/serial'

test('nothing is named where there is no file', async () => {
  expect((await readResources(path.join(data, 'none'))).size).toBe(0)
})

test.each([
  ['a name of Kubernetes’ own', 'resources: [{name: kubernetes.io/x, count: 1}]', 'is no name of a resource'],
  ['a name without a domain', 'resources: [{name: gpu, count: 1}]', 'is no name of a resource'],
  ['one name twice', 'resources: [{name: a.io/b, count: 1}, {name: a.io/b, count: 1}]', 'is there twice'],
  ['neither devices nor a count', 'resources: [{name: a.io/b}]', 'has neither'],
  ['a path that is none', 'resources: [{name: a.io/b, devices: [dev/x]}]', 'no absolute path'],
])('%s is told', async (_, text, fault) => {
  await expect(read(text)).rejects.toThrow(fault)
})

test('each device goes to one container, and is free again when its pod is done', async () => {
  const d = await devices()
  expect(d.amounts).toEqual({ [SERIAL]: '2', 'example.com/licence': '3' })
  expect(
    d.give(pod('p', [container('x', { [SERIAL]: '1' }), container('y', { [SERIAL]: '1', 'example.com/licence': '2' })])),
  ).toBeUndefined()
  expect([d.of('p', 'x'), d.of('p', 'y'), d.of('p', 'z')]).toEqual([
    { paths: ['/dev/a'], env: {} },
    { paths: ['/dev/b', '/dev/ctl'], env: { WHICH: '2' } },
    { paths: [], env: {} },
  ])
  expect(d.give(pod('q', [container('x', { [SERIAL]: '1' })]))).toEqual({
    reason: 'UnexpectedAdmissionError',
    message: expect.stringContaining(`unavailable for ${SERIAL}. Requested: 1, Available: 0`),
  })
  gone.add('p')
  expect(d.give(pod('q', [container('x', { [SERIAL]: '1' })]))).toBeUndefined()
})

test('who has what outlives the daemon', async () => {
  const first = await devices()
  first.give(pod('p', [container('x', { [SERIAL]: '1' })]))
  const second = await devices()
  expect(second.of('p', 'x').paths).toEqual(['/dev/a'])
  second.give(pod('q', [container('x', { [SERIAL]: '1' })]))
  expect(second.of('q', 'x').paths).toEqual(['/dev/b', '/dev/ctl'])
})

test('what an init container had, the others may have', async () => {
  const d = await devices()
  expect(d.give(pod('p', [container('x', { [SERIAL]: '2' })], [container('i', { [SERIAL]: '2' })]))).toBeUndefined()
  expect([d.of('p', 'i').paths.length, d.of('p', 'x').paths.length]).toEqual([3, 3])
})
