// The life of a delivery, step by step, without a network.
import { describe, expect, test } from 'vitest'
import type { KObject } from '../../shared/meta/object.ts'
import { deploy } from './deploy.ts'

const NOW = Date.parse('2026-01-01T00:10:00Z')
const hook: KObject = {
  metadata: { name: 'web', namespace: 'default', uid: 'h', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    provider: 'GitHub',
    setImage: { workloads: [{ kind: 'Deployment', name: 'web' }] },
    rollout: { timeoutSeconds: 60, rollback: true },
    historyLimit: 2,
  },
}
let serial = 0
const delivery = (status: object = {}, spec: object = {}): KObject => {
  const n = ++serial
  return {
    metadata: { name: `web-${n}`, namespace: 'default', uid: `d${n}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { hook: 'web', received: `2026-01-01T00:00:00.${String(n).padStart(6, '0')}Z`, facts: { event: 'push', sha: 'abc' }, ...spec },
    status,
  }
}
const running = (more: object = {}) => delivery({ phase: 'Running', startedAt: '2026-01-01T00:09:30Z', ...more })
const changed = { acted: true, changes: [{ kind: 'Deployment', namespace: 'default', name: 'web', generation: 2 }] }
const workload = (status: object): KObject => ({
  metadata: { name: 'web', namespace: 'default', uid: 'w', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { replicas: 2 },
  status: { observedGeneration: 2, ...status },
})
const done = { updatedReplicas: 2, replicas: 2, availableReplicas: 2 }

const step = (d: KObject, more: { all?: KObject[]; workloads?: (KObject | undefined)[]; hook?: KObject; now?: number } = {}) =>
  deploy.reconcile(
    'default/x',
    { delivery: d, hook: more.hook ?? hook, all: more.all ?? [d], workloads: more.workloads ?? [] },
    more.now ?? NOW,
  )
const phaseOf = (r: ReturnType<typeof step>) =>
  r.writes.flatMap((w) => (w.verb === 'update' && w.resource.startsWith('deploydeliveries') ? [(w.object as any).status.phase] : []))
const tasksOf = (r: ReturnType<typeof step>) => r.writes.flatMap((w) => (w.verb === 'task' ? [w.task] : []))

describe('a delivery', () => {
  test('begins', () => expect(phaseOf(step(delivery()))).toEqual(['Running']))
  test('waits for the one before it', () => {
    const before = running()
    const d = delivery()
    expect(step(d, { all: [before, d] }).writes).toEqual([])
  })
  test('waits for an older one that has not begun, as far as the view knows', () => {
    const before = delivery()
    const d = delivery()
    expect(step(d, { all: [before, d] }).writes).toEqual([])
  })
  test('does not wait for one of another pull request', () => {
    const d = delivery({}, { facts: { number: '2' } })
    const other = running()
    other.spec.facts = { number: '1' }
    expect(phaseOf(step(d, { all: [d, other] }))).toEqual(['Running'])
  })
  test('makes room for a newer one', () => {
    const old = delivery()
    expect(phaseOf(step(old, { all: [old, delivery()] }))).toEqual(['Superseded'])
  })
  test('acts, and is looked at again at its deadline', () => {
    const r = step(running())
    expect(tasksOf(r)).toEqual(['deploy-act'])
    expect(r.requeueAt).toBe(Date.parse('2026-01-01T00:10:30Z'))
  })
  test('fails when it could not act in time, and says why', () => {
    const r = step(running({ message: 'the archive could not be fetched' }), { now: NOW + 60_000 })
    expect(r.writes[0]).toMatchObject({
      object: { status: { phase: 'Failed', message: 'the archive could not be fetched; it was not carried out in time' } },
    })
  })
  test('waits for the rollout', () =>
    expect(phaseOf(step(running(changed), { workloads: [workload({ updatedReplicas: 1, replicas: 2, availableReplicas: 2 })] }))).toEqual(
      [],
    ))
  test('waits for the controller to have seen the change', () =>
    expect(phaseOf(step(running(changed), { workloads: [workload({ ...done, observedGeneration: 1 })] }))).toEqual([]))
  test('waits for the old pods to go', () =>
    expect(phaseOf(step(running(changed), { workloads: [workload({ ...done, replicas: 3 })] }))).toEqual([]))
  test('succeeds', () => expect(phaseOf(step(running(changed), { workloads: [workload(done)] }))).toEqual(['Succeeded']))
  test('succeeds at once where nothing rolls out', () =>
    expect(phaseOf(step(running({ acted: true, changes: [] })))).toEqual(['Succeeded']))
  test('goes back when the rollout is late', () =>
    expect(tasksOf(step(running(changed), { workloads: [workload({})], now: NOW + 60_000 }))).toEqual(['deploy-rollback']))
  test('goes back when the deployment gives up', () => {
    const gaveUp = workload({
      conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'timed out' }],
    })
    expect(tasksOf(step(running(changed), { workloads: [gaveUp] }))).toEqual(['deploy-rollback'])
  })
  test('goes back when the workload is deleted under it', () =>
    expect(tasksOf(step(running(changed), { workloads: [undefined] }))).toEqual(['deploy-rollback']))
  test('stays as it is where nobody wants it back', () => {
    const stay = { ...hook, spec: { ...hook.spec, rollout: { timeoutSeconds: 60, rollback: false } } }
    expect(phaseOf(step(running(changed), { workloads: [undefined], hook: stay }))).toEqual(['Failed'])
  })
  test('tells of its end once', () => {
    const d = delivery({ phase: 'Succeeded', message: 'deployed' })
    const r = step(d)
    expect(r.writes.filter((w) => w.verb === 'event')).toMatchObject([{ reason: 'Deployed' }])
    expect(step({ ...d, status: { ...d.status, reported: ['event'] } }).writes).toEqual([])
  })
  test('reports before it acts and after the end', () => {
    const told = { ...hook, spec: { ...hook.spec, report: { callbackUrl: 'https://x' } } }
    expect(tasksOf(step(running(), { hook: told }))).toEqual(['deploy-report'])
    expect(tasksOf(step(running({ reported: ['begin'] }), { hook: told }))).toEqual(['deploy-act'])
    expect(tasksOf(step(delivery({ phase: 'Failed', startedAt: 'x', reported: ['begin', 'event'] }), { hook: told }))).toEqual([
      'deploy-report',
    ])
  })
  test('the oldest go when there are more than the hook keeps', () => {
    const ended = [1, 2, 3, 4].map(() => delivery({ phase: 'Succeeded', reported: ['event'] }))
    const gone = step(ended[3]!, { all: ended }).writes.flatMap((w) => (w.verb === 'delete' ? [w.object.metadata.name] : []))
    expect(gone).toEqual([ended[0]!.metadata.name, ended[1]!.metadata.name])
  })
})
