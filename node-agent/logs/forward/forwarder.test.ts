// Lines on their way to a sink that answers, is away, refuses or is cut off in between: each arrives, and none twice but after a crash.
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Output } from '../../../shared/log-outputs.ts'
import { quietLog } from '../../log.ts'
import { LogCounters } from '../counters.ts'
import { LogForwarder, type Speaker } from './forwarder.ts'

let folder: string
let sink: Server
let url: string
/** What came, and what the sink says to it. */
let got: string[]
let answer: () => number
const running: LogForwarder[] = []

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'kedge-forward-'))
  got = []
  answer = () => 204
  sink = createServer(async (req, res) => {
    const parts: Buffer[] = []
    for await (const p of req) parts.push(p as Buffer)
    const code = answer()
    if (code < 300) for (const s of JSON.parse(Buffer.concat(parts).toString()).streams) for (const [, text] of s.values) got.push(text)
    res.writeHead(code).end()
  })
  await new Promise<void>((r) => sink.listen(0, '127.0.0.1', r))
  url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((f) => f.close()))
  sink.closeAllConnections()
  await new Promise((r) => sink.close(r))
  rmSync(folder, { recursive: true, force: true })
})

const none = (): LogCounters => {
  const c = new LogCounters()
  c.set([])
  return c
}
const begin = (more: Partial<Output> = {}, counters = none()): LogForwarder => {
  const output: Output = { name: 'sink', type: 'loki', url, headers: {}, index: '', ...more }
  const f = new LogForwarder({ data: folder, node: 'n1', outputs: [output], counters, log: quietLog })
  running.push(f)
  f.start()
  return f
}
const end = async (f: LogForwarder) => {
  running.splice(running.indexOf(f), 1)
  await f.close()
}
let serial = 0
const line = (text: string) =>
  `${JSON.stringify({ log: `${text}\n`, stream: 'stdout', time: new Date(Date.UTC(2026, 0, 1) + serial++).toISOString() })}\n`
function speaker(id: string, ...said: string[]): Speaker {
  mkdirSync(path.join(folder, 'docker', id), { recursive: true })
  const logPath = path.join(folder, 'docker', id, 'json.log')
  writeFileSync(logPath, said.map(line).join(''))
  return { id, logPath, namespace: 'default', pod: id, uid: `uid-${id}`, container: 'c', image: 'i', labels: {} }
}
const say = (s: Speaker, ...said: string[]) => appendFileSync(s.logPath, said.map(line).join(''))
/** As Docker does when a file is full. */
const rotate = (s: Speaker) => {
  if (existsSync(`${s.logPath}.1`)) renameSync(`${s.logPath}.1`, `${s.logPath}.2`)
  renameSync(s.logPath, `${s.logPath}.1`)
  writeFileSync(s.logPath, '')
}
const arrive = (...want: string[]) => expect.poll(() => got, { timeout: 5000 }).toEqual(want)

test('what was said before, and what is said then', async () => {
  const s = speaker('a', 'one', 'two')
  begin().add(s)
  await arrive('one', 'two')
  say(s, 'three')
  await arrive('one', 'two', 'three')
})

test('through files that are renamed', async () => {
  const s = speaker('a', 'one')
  begin().add(s)
  await arrive('one')
  say(s, 'two')
  rotate(s)
  say(s, 'three')
  rotate(s)
  say(s, 'four')
  await arrive('one', 'two', 'three', 'four')
})

test('a line that is not whole yet waits for its rest', async () => {
  const [s, other] = [speaker('a', 'one'), speaker('b')]
  const f = begin()
  f.add(s)
  f.add(other)
  await arrive('one')
  const whole = line('two')
  appendFileSync(s.logPath, whole.slice(0, 20))
  // Whoever is heard after it was read after it.
  say(other, 'meanwhile')
  await arrive('one', 'meanwhile')
  appendFileSync(s.logPath, whole.slice(20))
  await arrive('one', 'meanwhile', 'two')
})

test('a sink that is away gets all when it is back', async () => {
  answer = () => 503
  const s = speaker('a', 'one')
  const f = begin()
  f.add(s)
  const failures = () => f.families().find((x) => x.name.includes('failures'))!.samples[0]!.value
  await expect.poll(failures).toBeGreaterThan(0)
  say(s, 'two')
  answer = () => 204
  await arrive('one', 'two')
})

test('the next start goes on where this one left off', async () => {
  const s = speaker('a', 'one')
  const f = begin()
  f.add(s)
  await arrive('one')
  await end(f)
  say(s, 'two')
  begin().add(s)
  await arrive('one', 'two')
})

test('what a container said that is gone before it was sent is kept, through a start as well', async () => {
  answer = () => 503
  const s = speaker('a', 'one', 'two')
  const f = begin()
  f.add(s)
  f.removing('a')
  rmSync(path.join(folder, 'docker/a'), { recursive: true })
  await end(f)
  answer = () => 204
  begin()
  await arrive('one', 'two')
  await expect.poll(() => readdirSync(path.join(folder, 'forward'))).toEqual(['positions-sink.json'])
})

test('on another disk as well, and what was sent before is not sent again', async () => {
  const disk = mkdtempSync('/dev/shm/kedge-forward-')
  try {
    const s = { ...speaker('a'), logPath: path.join(disk, 'json.log') }
    writeFileSync(s.logPath, line('one'))
    const f = begin()
    f.add(s)
    await arrive('one')
    answer = () => 503
    say(s, 'two')
    f.removing('a')
    rmSync(s.logPath)
    await end(f)
    answer = () => 204
    begin()
    await arrive('one', 'two')
  } finally {
    rmSync(disk, { recursive: true, force: true })
  }
})

test('what it does not take is passed over', async () => {
  const s = speaker('a', 'bad')
  answer = () => 400
  const f = begin()
  f.add(s)
  const refused = () => f.families().find((x) => x.name.includes('refused'))!.samples[0]!.value
  await expect.poll(refused).toBe(1)
  answer = () => 204
  say(s, 'good')
  await arrive('good')
})

test('of namespaces that are not asked for nothing is sent', async () => {
  const f = begin({ namespaces: ['shop'] })
  f.add(speaker('a', 'private'))
  f.add({ ...speaker('b', 'public'), namespace: 'shop' })
  await arrive('public')
})

test('much is sent in pieces, each line once', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => `line ${i} ${'x'.repeat(100)}`)
  begin().add(speaker('a', ...many))
  await expect.poll(() => got.length, { timeout: 10_000 }).toBe(5000)
  expect(new Set(got).size).toBe(5000)
})

test('lines are counted once, through an end in between', async () => {
  const object: any = {
    metadata: { name: 'errors', namespace: 'default', uid: 'e' },
    spec: { pattern: '^error: (?P<what>\\w+)', metric: 'errors_total', labels: ['what'], maxSeries: 10 },
  }
  const counted = (c: LogCounters) => c.families()[0]?.samples.map((s) => [s.labels?.what, s.value])
  const s = speaker('a', 'error: disk', 'all is well', 'error: net')
  const first = new LogCounters()
  first.set([object])
  const f = begin({}, first)
  f.add(s)
  await expect
    .poll(() => counted(first))
    .toEqual([
      ['disk', 1],
      ['net', 1],
    ])
  await end(f)
  say(s, 'error: disk')
  const second = new LogCounters()
  const g = begin({}, second)
  g.add(s)
  second.set([object])
  g.countersChanged()
  await expect
    .poll(() => counted(second))
    .toEqual([
      ['disk', 2],
      ['net', 1],
    ])
})
