// Flow control: which level a request is of, whose seats it takes, who goes next, and when it is sent away.
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { flowSchemas, priorityLevels } from '../../shared/kinds/flow-defaults.ts'
import type { AdmissionRules } from '../registry/admission-rules.ts'
import type { Attributes, Identity } from '../registry/context.ts'
import { FlowControl } from './flow-control.ts'
import { directTurn, polledTurn } from './turn.ts'

const pods: Attributes = { verb: 'list', group: '', resource: 'pods', namespace: 'a' }
const person = (username: string): Identity => ({ username, groups: ['system:authenticated'] })
const account = (name: string, ns = 'a'): Identity => ({
  username: `system:serviceaccount:${ns}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${ns}`, 'system:authenticated'],
})

const level = (name: string, limited: object) => ({ metadata: { name, uid: `level ${name}` }, spec: { type: 'Limited', limited } })
const schema = (name: string, to: string, subjects: object[], by = 'ByUser') => ({
  metadata: { name, uid: `schema ${name}` },
  spec: {
    matchingPrecedence: 10,
    priorityLevelConfiguration: { name: to },
    distinguisherMethod: { type: by },
    rules: [{ subjects, resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }] }],
  },
})
const rulesOf = (levels: any[], schemas: any[]) => {
  const all: Record<string, any[]> = { prioritylevelconfigurations: levels, flowschemas: schemas }
  return { generation: 1, all: (plural: string) => all[plural] } as unknown as AdmissionRules
}
const queue = (queues: number, handSize: number, queueLengthLimit: number) => ({
  type: 'Queue',
  queuing: { queues, handSize, queueLengthLimit },
})
let now = 0
const clock = { now: () => now }
const anyone = { kind: 'Group', group: { name: 'system:authenticated' } }

describe('what every cluster begins with', () => {
  const named = (list: any[]) => list.map((o) => ({ ...o, metadata: { ...o.metadata, uid: o.metadata.name } }))
  const flows = new FlowControl(rulesOf(named(priorityLevels), named(flowSchemas)), clock, directTurn)
  test.each([
    ['a person', person('jane'), pods, ['global-default', 'global-default']],
    ['a service account', account('web'), pods, ['service-accounts', 'workload-low']],
    ['one of the system', account('dns', 'kube-system'), pods, ['kube-system-service-accounts', 'workload-high']],
    ['a node', { username: 'system:node:n', groups: ['system:nodes', 'system:authenticated'] }, pods, ['system-nodes', 'system']],
    [
      'an election',
      account('x', 'kube-system'),
      { verb: 'update', group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-system' },
      ['system-leader-election', 'leader-election'],
    ],
    ['a probe', person('jane'), { verb: 'get', path: '/healthz' }, undefined],
    ['an administrator', { username: 'admin', groups: ['system:masters'] }, pods, undefined],
  ])('%s', async (_, user, asked, wanted) => {
    const seat = await flows.enter(user as Identity, asked as Attributes)
    expect(seat && [seat.schema, seat.level]).toEqual(wanted)
    seat?.release()
  })
})

describe.each([
  ['told', directTurn],
  ['looking', polledTurn],
])('seats, who waits is %s', (_, newTurn) => {
  let flows: FlowControl
  beforeEach(() => {
    // `a` has one seat and may borrow none; `b` lends what it does not need.
    flows = new FlowControl(
      rulesOf(
        [
          level('a', { nominalConcurrencyShares: 1, borrowingLimitPercent: 0, limitResponse: queue(2, 1, 2) }),
          level('b', { nominalConcurrencyShares: 99, lendablePercent: 50, limitResponse: { type: 'Reject' } }),
        ],
        [
          schema('a', 'a', [anyone]),
          {
            ...schema('b', 'b', [{ kind: 'User', user: { name: 'big' } }]),
            spec: { ...schema('b', 'b', [{ kind: 'User', user: { name: 'big' } }]).spec, matchingPrecedence: 5 },
          },
        ],
      ),
      clock,
      newTurn,
    )
  })

  test('flows take turns, however many wait in one of them', async () => {
    const order: string[] = []
    const enter = (who: string) =>
      flows.enter(person(who), pods).then((seat) => {
        order.push(who)
        return seat!
      })
    const first = await enter('x')
    const waiting = [enter('x'), enter('x'), enter('y'), enter('y')]
    await Promise.resolve()
    expect(order).toEqual(['x'])
    first.release()
    for (const w of [0, 2, 1, 3]) (await waiting[w]!).release()
    expect(order).toEqual(['x', 'x', 'y', 'x', 'y'])
  })

  test('who finds the line full is sent away with a time to come back', async () => {
    const seat = await flows.enter(person('x'), pods)
    const waiting = [flows.enter(person('x'), pods), flows.enter(person('x'), pods)]
    await expect(flows.enter(person('x'), pods)).rejects.toMatchObject({ code: 429, details: { retryAfterSeconds: 1 } })
    seat!.release()
    for (const w of waiting) (await w)!.release()
  })

  test('a level takes what others lend, and no more', async () => {
    const seats = await Promise.all(Array.from({ length: 99 }, () => flows.enter(person('big'), pods)))
    await expect(flows.enter(person('big'), pods)).rejects.toMatchObject({ code: 429 })
    const other = await flows.enter(person('x'), pods)
    for (const s of [...seats, other]) s!.release()
  })

  test('a seat whose holder was cut off is free again after two minutes', async () => {
    await flows.enter(person('x'), pods)
    const waiting = flows.enter(person('x'), pods)
    now += 119_000
    const next = flows.enter(person('y'), pods)
    now += 1000
    const last = flows.enter(person('z'), pods)
    for (const w of [waiting, next, last]) (await w)!.release()
  })

  test('who waits too long is sent away', async () => {
    vi.useFakeTimers()
    try {
      const seat = await flows.enter(person('x'), pods)
      const late = flows.enter(person('y'), pods)
      const told = expect(late).rejects.toMatchObject({ code: 429 })
      await vi.advanceTimersByTimeAsync(15_000)
      await told
      seat!.release()
      const again = await flows.enter(person('y'), pods)
      again!.release()
    } finally {
      vi.useRealTimers()
    }
  })
})
