// Which lines are counted, and as what.
import { describe, expect, test } from 'vitest'
import type { LogRecord } from '../../shared/log-outputs.ts'
import { LogCounters } from './counters.ts'

const counter = (spec: object, uid = 'u'): any => ({
  metadata: { name: 'c', namespace: 'a', uid, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { metric: 'lines_total', maxSeries: 100, ...spec },
})
const line = (text: string, more: Partial<LogRecord> = {}): LogRecord => ({
  id: '1',
  time: '2026-01-01T00:00:01.000000000Z',
  stream: 'stdout',
  text,
  containerId: 'i',
  namespace: 'a',
  pod: 'p',
  uid: 'u',
  container: 'main',
  image: 'i',
  node: 'n',
  labels: { app: 'web' },
  ...more,
})
const of = (c: LogCounters) => c.families().flatMap((f) => f.samples.map((s) => [f.name, s.labels, s.value]))

describe('a line counts', () => {
  const cases: { name: string; spec: object; record: LogRecord; counts: boolean }[] = [
    { name: 'that fits anywhere', spec: { pattern: 'err' }, record: line('an error'), counts: true },
    { name: 'that does not fit', spec: { pattern: '^err' }, record: line('an error'), counts: false },
    { name: 'of another namespace', spec: { pattern: '.' }, record: line('x', { namespace: 'b' }), counts: false },
    { name: 'of a pod that is chosen', spec: { pattern: '.', selector: { matchLabels: { app: 'web' } } }, record: line('x'), counts: true },
    { name: 'of a pod that is not', spec: { pattern: '.', selector: { matchLabels: { app: 'db' } } }, record: line('x'), counts: false },
    { name: 'of another container', spec: { pattern: '.', container: 'side' }, record: line('x'), counts: false },
    { name: 'of another stream', spec: { pattern: '.', stream: 'stderr' }, record: line('x'), counts: false },
    { name: 'from before there was a counter', spec: { pattern: '.' }, record: line('x', { time: '2025-12-31T23:59:59Z' }), counts: false },
  ]
  for (const c of cases)
    test(c.name, () => {
      const counters = new LogCounters()
      counters.set([counter(c.spec)])
      counters.take([c.record])
      expect(of(counters).length).toBe(c.counts ? 1 : 0)
    })
})

test('groups become labels; too many values become one', () => {
  const counters = new LogCounters()
  counters.set([counter({ pattern: 'code=(?P<code>\\d+)', labels: ['code'], maxSeries: 2 })])
  counters.take(['200', '200', '404', '500', '501'].map((code) => line(`code=${code}`)))
  expect(of(counters)).toEqual([
    ['lines_total', { namespace: 'a', counter: 'c', pod: 'p', container: 'main', code: '200' }, 2],
    ['lines_total', { namespace: 'a', counter: 'c', pod: 'p', container: 'main', code: '404' }, 1],
    ['lines_total', { namespace: 'a', counter: 'c', pod: 'other', container: 'other', code: 'other' }, 2],
  ])
})

test('what is kept is what was counted; who has gone is forgotten', () => {
  const counters = new LogCounters()
  counters.set([counter({ pattern: '.' }), counter({ pattern: '.', metric: 'more_total' }, 'v')])
  counters.take([line('x')])
  const again = new LogCounters()
  again.restore(JSON.parse(JSON.stringify(counters.state)))
  again.set([counter({ pattern: '.' })])
  again.take([line('y')])
  expect(of(again).map((s) => [s[0], s[2]])).toEqual([['lines_total', 2]])
  expect(Object.keys(again.state as object)).toEqual(['u'])
})

test('two counters of one name are one family', () => {
  const counters = new LogCounters()
  counters.set([counter({ pattern: 'a' }), { ...counter({ pattern: 'b' }, 'v'), metadata: { name: 'd', namespace: 'a', uid: 'v' } }])
  counters.take([line('ab')])
  expect(counters.families().map((f) => [f.name, f.samples.length])).toEqual([['lines_total', 2]])
})
