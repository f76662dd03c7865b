// What is kept of containers that are gone, and what is found in it.
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { quietLog } from '../log.ts'
import type { Observed } from '../runtime/docker.ts'
import { KeptLogs } from './kept-logs.ts'
import { filesOf, search } from './log-files.ts'

let folder: string
let now: number
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'kedge-logs-'))
  now = Date.parse('2026-01-01T00:00:00Z')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const HOUR = 3_600_000
const line = (log: string, time = '2026-01-01T00:00:00.5Z') => `${JSON.stringify({ log: `${log}\n`, stream: 'stdout', time })}\n`
/** A container of a pod, with what it said in files from the oldest on. */
function container(pod: string, ...files: string[]): Observed {
  const at = path.join(folder, 'docker', pod)
  mkdirSync(at, { recursive: true })
  const logPath = path.join(at, 'json.log')
  for (const [i, text] of files.toReversed().entries()) writeFileSync(i ? `${logPath}.${i}` : logPath, text)
  return {
    id: pod,
    podUid: `uid-${pod}`,
    podName: pod,
    podNamespace: 'default',
    name: 'c',
    sandbox: false,
    restarts: 0,
    logPath,
  } as Observed
}
const kept = (age = HOUR, size = 1e6) => new KeptLogs(folder, { age, size }, quietLog, () => now)
const everything = { limit: 100 }

test('a file outlives its container, and the daemon', async () => {
  const c = container('web', line('first'), line('second'))
  kept().keep(c, { app: 'web' })
  rmSync(path.join(folder, 'docker'), { recursive: true })
  const files = kept().files('default')
  expect(files).toMatchObject([{ pod: 'web', uid: 'uid-web', labels: { app: 'web' }, container: 'c', restarts: 0 }, {}])
  expect((await search(files, everything)).map((l) => l.text)).toEqual(['first', 'second'])
  expect(kept().files('other')).toEqual([])
})

test('after its time it goes', () => {
  kept().keep(container('old', line('x')), {})
  now += HOUR / 2
  kept().keep(container('new', line('x')), {})
  now += HOUR / 2
  expect(
    kept()
      .files('default')
      .map((f) => f.pod),
  ).toEqual(['new'])
  expect(readdirSync(path.join(folder, 'logs'))).toEqual(['default_new_uid-new'])
})

test('beyond their size the oldest go', () => {
  const all = kept(HOUR, 2500)
  for (const pod of ['a', 'b', 'c']) {
    now += 1000
    all.keep(container(pod, line('x'.repeat(900))), {})
  }
  expect(all.files('default').map((f) => f.pod)).toEqual(['b', 'c'])
  expect(all.bytes).toBeLessThanOrEqual(2500)
})

test('nothing is kept where nothing is to be', () => {
  const none = kept(0)
  none.keep(container('web', line('x')), {})
  expect(existsSync(path.join(folder, 'logs'))).toBe(false)
})

test('when the disk is wanted for something else nothing stays', () => {
  const all = kept()
  all.keep(container('web', line('x')), {})
  all.clear()
  expect([all.files('default'), all.bytes, readdirSync(path.join(folder, 'logs'))]).toEqual([[], 0, []])
})

test('what a daemon did not finish is cleared', () => {
  mkdirSync(path.join(folder, 'logs/default_half_uid'), { recursive: true })
  expect(kept().files('default')).toEqual([])
  expect(readdirSync(path.join(folder, 'logs'))).toEqual([])
})

describe('a search', () => {
  const found = async (text: string, q: object = {}) => {
    const c = container('web', text)
    const files = filesOf(c.logPath!).map((file) => ({
      namespace: 'default',
      pod: 'web',
      uid: 'u',
      labels: {},
      container: 'c',
      restarts: 0,
      file,
    }))
    return (await search(files, { limit: 100, ...q })).map((l) => l.text)
  }
  const three = line('one "quoted"', '2026-01-01T00:00:01Z') + line('two', '2026-01-01T00:00:02Z') + line('three', '2026-01-01T00:00:03Z')
  test.each<[string, object, string[]]>([
    ['all', {}, ['one "quoted"', 'two', 'three']],
    ['by text', { text: 'two' }, ['two']],
    ['by text with what JSON escapes', { text: '"quoted"' }, ['one "quoted"']],
    ['from a time on', { since: Date.parse('2026-01-01T00:00:02Z') }, ['two', 'three']],
    ['until a time', { until: Date.parse('2026-01-01T00:00:01.5Z') }, ['one "quoted"']],
    ['the newest', { limit: 1 }, ['three']],
  ])('%s', async (_, q, want) => expect(await found(three, q)).toEqual(want))
  test('passes over what is broken off', async () => expect(await found(`${line('whole')}{"log":"ha`)).toEqual(['whole']))
  test('is bounded, however much there is', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => line(`n${i}`, new Date(now + i).toISOString())).join('')
    expect(await found(many, { limit: 2 })).toEqual(['n4998', 'n4999'])
  })
  test('of a file that goes on', async () => {
    const c = container('web', line('a'))
    appendFileSync(c.logPath!, line('b', '2026-01-01T00:00:09Z'))
    const files = filesOf(c.logPath!).map((file) => ({
      namespace: 'default',
      pod: 'web',
      uid: 'u',
      labels: {},
      container: 'c',
      restarts: 0,
      file,
    }))
    expect((await search(files, everything)).map((l) => l.text)).toEqual(['a', 'b'])
  })
})
