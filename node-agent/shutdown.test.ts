// The order in which pods end when their machine goes down, and that nobody waits longer than was said.
import { expect, test, vi } from 'vitest'
import type { Leave } from './pods/leaving.ts'
import { NodeShutdown, rounds } from './shutdown.ts'

const pod = (name: string, priority?: number) => ({
  pod: { metadata: { name }, spec: { ...(priority === undefined ? {} : { priority }) } },
})
const plain = pod('plain', 0)
const old = pod('old')
const critical = pod('critical', 2_000_000_000)

test.each<[string, [number, number], { pod: any }[], [number, string[]][]]>([
  [
    'the critical last',
    [30, 10],
    [critical, plain, old],
    [
      [20, ['plain', 'old']],
      [10, ['critical']],
    ],
  ],
  ['nobody is critical', [30, 10], [plain], [[20, ['plain']]]],
  ['only the critical', [30, 10], [critical], [[10, ['critical']]]],
  [
    'all time is for the critical',
    [30, 60],
    [critical, plain],
    [
      [0, ['plain']],
      [30, ['critical']],
    ],
  ],
  ['no pods', [30, 10], [], []],
])('%s', (_, [all, last], pods, expected) => {
  expect(rounds(pods, { all, critical: last }).map((r) => [r.grace, r.pods.map((p) => p.pod.metadata.name)])).toEqual(expected)
})

test('off: nothing is refused, and there is nothing to wait for', () => {
  const s = new NodeShutdown({ all: 0, critical: 0 })
  expect([s.begin(), s.problem, s.refusal()]).toEqual([0, undefined, undefined])
})

test('a pod that does not end holds nobody up beyond its time', async () => {
  vi.useFakeTimers()
  try {
    const s = new NodeShutdown({ all: 30, critical: 10 })
    expect(s.begin()).toBe(30)
    expect(s.refusal()?.reason).toBe('NodeShutdown')
    const told: [string, number][] = []
    const leaving = (p: { pod: any }, ends: Promise<void>) => ({
      pod: p.pod,
      leave: ({ grace }: Leave) => {
        told.push([p.pod.metadata.name, grace])
        return ends
      },
    })
    let over = false
    const end = s.end([leaving(plain, new Promise(() => {})), leaving(critical, Promise.resolve())]).then(() => (over = true))
    await vi.advanceTimersByTimeAsync(20_000)
    expect(told).toEqual([['plain', 20]])
    await vi.advanceTimersByTimeAsync(6000)
    await end
    expect(told).toEqual([
      ['plain', 20],
      ['critical', 10],
    ])
    expect(over).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})
