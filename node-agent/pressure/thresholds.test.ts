// When a node is short, who goes first, and in which words.
import { describe, expect, test } from 'vitest'
import { evictionMessage, type PodUsage, ranked } from './ranking.ts'
import { actedOn, crossed, DEFAULT_HARD, parseSoftThresholds, parseThresholds, type Signals, type Threshold } from './thresholds.ts'

const Mi = 1024 * 1024
const plenty = { available: 1000 * Mi, capacity: 1000 * Mi }
const signals = (over: Partial<Signals> = {}): Signals => ({
  'memory.available': plenty,
  'nodefs.available': plenty,
  'nodefs.inodesFree': plenty,
  'imagefs.available': plenty,
  'imagefs.inodesFree': plenty,
  'pid.available': plenty,
  ...over,
})
const left = (available: number, capacity = 1000) => ({ available: available * Mi, capacity: capacity * Mi })

test.each<[string, string, Partial<Signals>, string[]]>([
  ['enough of everything', DEFAULT_HARD, {}, []],
  ['less memory than that', DEFAULT_HARD, { 'memory.available': left(99) }, ['memory.available']],
  ['just as much', DEFAULT_HARD, { 'memory.available': left(100) }, []],
  [
    'a share of the disk',
    DEFAULT_HARD,
    { 'nodefs.available': left(99), 'imagefs.available': left(149) },
    ['nodefs.available', 'imagefs.available'],
  ],
  ['a file system without a figure', DEFAULT_HARD, { 'nodefs.inodesFree': { available: 0, capacity: 0 } }, []],
  ['what was not asked for', 'pid.available<10%', { 'memory.available': left(1) }, []],
  ['nothing asked for', '', { 'memory.available': left(1) }, []],
])('%s', (_, thresholds, over, expected) =>
  expect(crossed(parseThresholds(thresholds), signals(over)).map((t) => t.signal)).toEqual(expected),
)

test.each<[string, RegExp]>([
  ['memory.available', /no threshold/],
  ['memory.available<', /no threshold/],
  ['memory.free<1Gi', /no eviction signal memory.free/],
  ['memory.available<much', /neither a quantity nor a percentage/],
  ['memory.available<-1Gi', /neither/],
])('%s is refused', (text, words) => expect(() => parseThresholds(text)).toThrow(words))

describe('soft thresholds', () => {
  const graces = new Map([['memory.available', 90_000]])

  test('each has its grace, or is refused', () => {
    expect(parseSoftThresholds('memory.available<300Mi', graces)).toEqual([{ signal: 'memory.available', value: '300Mi', grace: 90_000 }])
    expect(() => parseSoftThresholds('nodefs.available<20%', graces)).toThrow(/grace period must be specified .* nodefs.available/)
    expect(() => parseSoftThresholds('', new Map([['memory.free', 1]]))).toThrow(/no eviction signal memory.free/)
  })

  test('they are acted on when they have been crossed all the time, hard ones at once', () => {
    const [hard] = parseThresholds('memory.available<100Mi') as [Threshold]
    const [soft] = parseSoftThresholds('memory.available<300Mi', graces) as [Threshold]
    const since = new Map<Threshold, number>()
    const look = (now: number, ...met: Threshold[]) => actedOn(met, since, now)
    expect(look(0, soft)).toEqual([])
    expect(look(89_999, soft)).toEqual([])
    expect(look(90_000, soft)).toEqual([soft])
    // A moment of room begins the count anew.
    expect(look(91_000)).toEqual([])
    expect(look(92_000, soft)).toEqual([])
    expect(look(100_000, hard, soft)).toEqual([hard])
    expect(look(182_000, hard, soft)).toEqual([hard, soft])
  })
})

interface Sketch {
  name: string
  used: number
  request?: number
  priority?: number
  mirror?: boolean
}
const usage = ({ name, used, request, priority, mirror }: Sketch): PodUsage => ({
  pod: {
    metadata: { name, ...(mirror ? { annotations: { 'kubernetes.io/config.source': 'file' } } : {}) },
    spec: {
      ...(priority !== undefined ? { priority } : {}),
      containers: [{ name: 'c', resources: request ? { requests: { memory: `${request}Mi` } } : {} }],
    },
  },
  containers: new Map([['c', used * Mi]]),
  beside: 0,
})
const order = (resource: 'memory' | 'pids', ...pods: Sketch[]) => ranked(pods.map(usage), resource).map((u) => u.pod.metadata.name)

describe('who goes first', () => {
  test('who has more than was asked for, before who has much', () =>
    expect(order('memory', { name: 'large', used: 900, request: 1000 }, { name: 'over', used: 20, request: 10 })).toEqual([
      'over',
      'large',
    ]))
  test('then who matters less', () =>
    expect(
      order(
        'memory',
        { name: 'vital', used: 900, priority: 100 },
        { name: 'plain', used: 10 },
        { name: 'kept', used: 5, request: 6, priority: -5 },
      ),
    ).toEqual(['plain', 'vital', 'kept']))
  test('then who is further beyond', () =>
    expect(order('memory', { name: 'a', used: 100, request: 90 }, { name: 'b', used: 50 }, { name: 'c', used: 20 })).toEqual([
      'b',
      'c',
      'a',
    ]))
  test('of processes nothing can be asked for', () =>
    expect(order('pids', { name: 'few', used: 1 }, { name: 'many', used: 9 }, { name: 'unloved', used: 1, priority: -1 })).toEqual([
      'unloved',
      'many',
      'few',
    ]))
  test('never who is critical, or the machine’s own', () =>
    expect(order('memory', { name: 'system', used: 900, priority: 2_000_000_000 }, { name: 'own', used: 900, mirror: true })).toEqual([]))
})

test('what is said of it', () => {
  const short = signals({ 'memory.available': left(50) })
  const [threshold] = crossed(parseThresholds(DEFAULT_HARD), short)
  expect(evictionMessage(usage({ name: 'a', used: 500, request: 100 }), threshold!, short)).toBe(
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container c was using 500Mi, request is 100Mi, has larger consumption of memory. ',
  )
})
