// Autoscaling: how many replicas metrics call for, how fast they may change, and what the autoscaler says of it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MEASURE, type Measured, SCALE } from '../../../shared/autoscaling.ts'
import { condition } from '../../../shared/meta/conditions.ts'
import type { KObject } from '../../../shared/meta/object.ts'
import { Controlled } from '../../../test/rig/controlled.ts'
import { noPast, settle } from './behavior.ts'
import { byAverage, byShare, byUtilization, byValue } from './replicas.ts'

const NOW = Date.parse('2026-01-01T12:00:00Z')
const time = (secondsAgo: number) => new Date(NOW - secondsAgo * 1000).toISOString()

/** A pod that asks for a processor, by a word for its state. */
function pod(name: string, state: 'ready' | 'unready' | 'pending' | 'failed' | 'leaving' | 'starting' = 'ready', cpu = '1'): KObject {
  const ready = { type: 'Ready', status: state === 'unready' ? 'False' : 'True', lastTransitionTime: time(state === 'starting' ? 5 : 3590) }
  return {
    metadata: { name, uid: name, creationTimestamp: '', ...(state === 'leaving' ? { deletionTimestamp: time(1) } : {}) },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu } } }] },
    status: {
      phase: { pending: 'Pending', failed: 'Failed' }[state as string] ?? 'Running',
      startTime: time(state === 'starting' ? 60 : 3600),
      conditions: [ready],
    },
  }
}
type State = Parameters<typeof pod>[1]

const judged = (states: State[], usage: (number | undefined)[], current = states.length, resource = 'cpu') => ({
  pods: states.map((s, i) => pod(`p${i}`, s)),
  samples: new Map(
    usage.flatMap((value, i) => (value === undefined ? [] : [[`p${i}`, { value, at: NOW - 10_000, window: 30_000 }] as const])),
  ),
  resource,
  current,
  tolerances: { up: 0.1, down: 0.1 },
  now: NOW,
})
const ready = (n: number): State[] => Array.from({ length: n }, () => 'ready')

describe('by the share of what pods ask for', () => {
  test.each<[string, State[], (number | undefined)[], number, number]>([
    ['more', ready(3), [300, 500, 700], 30, 5],
    ['less', ready(5), [100, 300, 500, 250, 250], 50, 3],
    ['the same within a tenth', ready(3), [1010, 1030, 1020], 100, 3],
    ['pods that pend hold growth back', ['ready', 'ready', 'pending'], [300, 500, undefined], 30, 3],
    ['pods that have just started count as idle', ['ready', 'ready', 'starting'], [400, 500, 700], 30, 3],
    ['pods that were never ready count as idle', ['ready', 'unready', 'ready'], [600, 500, 900], 30, 5],
    ['pods that are going do not count', ['ready', 'ready', 'leaving'], [400, 600, 900], 30, 4],
    ['pods that have failed do not count', ['ready', 'ready', 'failed'], [400, 600, 900], 30, 4],
    ['missing samples hold shrinking back', ready(4), [100, 300, undefined, 250], 50, 4],
    ['missing samples hold growing back', ready(3), [500, undefined, 700], 50, 3],
    ['nothing from one side of the target to the other', ready(3), [1000, undefined, undefined], 90, 3],
  ])('%s', (_what, states, usage, target, want) => {
    expect(byUtilization(judged(states, usage), target).replicas).toBe(want)
  })

  test('says what there is', () => {
    expect(byUtilization(judged(ready(2), [300, 500]), 50).current).toEqual({ averageUtilization: 40, averageValue: 400 })
  })
  test('a pod that asks for nothing cannot be judged, nor can nobody', () => {
    const nothing = judged(ready(2), [300, 500])
    delete nothing.pods[1]!.spec.containers[0].resources
    expect(() => byUtilization(nothing, 50)).toThrow('missing request for cpu in container c of Pod p1')
    expect(() => byUtilization(judged(ready(2), [undefined, undefined]), 50)).toThrow('did not receive metrics for targeted pods')
  })
  test('of one container alone', () => {
    const j = judged(ready(2), [300, 500])
    for (const p of j.pods) p.spec.containers.push({ name: 'side', resources: {} })
    expect(byUtilization(j, 20, 'c').replicas).toBe(4)
  })
})

test.each<[string, number, number]>([
  ['an average above', byAverage(judged(ready(3), [20_000, 10_000, 30_000], 3, ''), 15_000).replicas, 4],
  ['an average below', byAverage(judged(ready(3), [12_000, 12_000, 12_000], 3, ''), 20_000).replicas, 2],
  ['an average with one missing', byAverage(judged(ready(3), [20_000, undefined, 30_000], 3, ''), 15_000).replicas, 4],
  ['a value twice the target', byValue(40_000, 20_000, judged(ready(3), [])).replicas, 6],
  ['a value near the target', byValue(21_000, 20_000, judged(ready(3), [])).replicas, 3],
  ['a value, of those that are ready', byValue(40_000, 20_000, judged(['ready', 'unready', 'ready'], [])).replicas, 4],
  ['a value for nobody', byValue(40_000, 20_000, judged([], [], 0)).replicas, 2],
  ['a share', byShare(50_000, 10_000, judged(ready(3), [])).replicas, 5],
  ['a share that is even', byShare(31_000, 10_000, judged(ready(3), [])).replicas, 3],
])('%s', (_what, got, want) => expect(got).toBe(want))

describe('how fast replicas change', () => {
  const hpa = (spec: object = {}) => ({ spec: { minReplicas: 2, maxReplicas: 100, ...spec } })
  const way = (policies: object[], more: object = {}) => ({ policies, selectPolicy: 'Max', ...more })
  const percent = (value: number, periodSeconds = 60) => ({ type: 'Percent', value, periodSeconds })
  const count = (value: number, periodSeconds = 60) => ({ type: 'Pods', value, periodSeconds })
  const wanted = (...list: [secondsAgo: number, replicas: number][]) => ({
    ...noPast,
    wanted: list.map(([s, replicas]) => ({ at: NOW - s * 1000, replicas })),
  })
  const done = (...list: [secondsAgo: number, change: number][]) => ({
    ...noPast,
    done: list.map(([s, change]) => ({ at: NOW - s * 1000, change })),
  })
  test.each<[string, { spec: any }, number, number, any, number, string]>([
    ['up, twofold at once', hpa(), 10, 50, noPast, 20, 'ScaleUpLimit'],
    ['up, from few to four', hpa(), 1, 50, noPast, 4, 'ScaleUpLimit'],
    ['up to the greatest number', hpa({ maxReplicas: 15 }), 10, 50, noPast, 15, 'TooManyReplicas'],
    ['down to the least number', hpa(), 10, 1, noPast, 2, 'TooFewReplicas'],
    ['down only as far as was wanted within five minutes', hpa(), 10, 3, wanted([299, 8], [301, 9]), 8, 'DesiredWithinRange'],
    ['up at once, whatever was wanted', hpa(), 10, 15, wanted([60, 5]), 15, 'DesiredWithinRange'],
    [
      'up only as far as was wanted within its window',
      hpa({ behavior: { scaleUp: way([count(50)], { stabilizationWindowSeconds: 120 }) } }),
      10,
      15,
      wanted([60, 12]),
      12,
      'DesiredWithinRange',
    ],
    ['up by so many', hpa({ behavior: { scaleUp: way([count(5)]) } }), 10, 50, noPast, 15, 'ScaleUpLimit'],
    ['up by the larger of two', hpa({ behavior: { scaleUp: way([count(5), percent(80)]) } }), 10, 50, noPast, 18, 'ScaleUpLimit'],
    [
      'up by the smaller of two',
      hpa({ behavior: { scaleUp: way([count(5), percent(80)], { selectPolicy: 'Min' }) } }),
      10,
      50,
      noPast,
      15,
      'ScaleUpLimit',
    ],
    [
      'up, less what was done in the period',
      hpa({ behavior: { scaleUp: way([count(5)]) } }),
      13,
      50,
      done([30, 3], [90, 5]),
      15,
      'ScaleUpLimit',
    ],
    ['never up', hpa({ behavior: { scaleUp: way([count(5)], { selectPolicy: 'Disabled' }) } }), 10, 50, noPast, 10, 'ScaleUpLimit'],
    [
      'down by a share',
      hpa({ behavior: { scaleDown: way([percent(10)], { stabilizationWindowSeconds: 0 }) } }),
      40,
      5,
      noPast,
      36,
      'ScaleDownLimit',
    ],
    [
      'down by the larger of two',
      hpa({ behavior: { scaleDown: way([percent(10), count(8)], { stabilizationWindowSeconds: 0 }) } }),
      40,
      5,
      noPast,
      32,
      'ScaleDownLimit',
    ],
    [
      'down, less what was done in the period',
      hpa({ behavior: { scaleDown: way([count(8)], { stabilizationWindowSeconds: 0 }) } }),
      40,
      5,
      done([10, -6]),
      38,
      'ScaleDownLimit',
    ],
    ['never down', hpa({ behavior: { scaleDown: way([count(8)], { selectPolicy: 'Disabled' }) } }), 40, 5, noPast, 40, 'ScaleDownLimit'],
  ])('%s', (_what, h, current, want, past, replicas, reason) => {
    const verdict = settle(h, current, want, past, NOW)
    expect([verdict.replicas, verdict.limited[1]]).toEqual([replicas, reason])
  })
})

describe('an autoscaler', () => {
  let c: Controlled
  let metrics: Measured[]
  let asked: number
  beforeEach(async () => {
    c = await Controlled.start(1)
    metrics = []
    asked = 0
    const scale = async () => {
      const found = await c.get('deployments.apps', 'web')
      if (!found) return { error: 'deployments.apps "web" not found' }
      return {
        path: '',
        object: { spec: { replicas: found.spec.replicas }, status: { replicas: found.status.replicas ?? 0, selector: 'app=web' } },
      }
    }
    c.tasks[MEASURE] = async () => {
      asked++
      return { scale: await scale(), metrics }
    }
    c.tasks[SCALE] = async (o) => {
      await c.patch('deployments.apps', 'web', { spec: { replicas: (o as any).scale.object.spec.replicas } })
    }
  })
  afterEach(() => c.close())

  const deploy = (replicas: number) =>
    c.create('deployments.apps', {
      metadata: { name: 'web' },
      spec: {
        replicas,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'c', image: 'one', resources: { requests: { cpu: '1' } } }] },
        },
      },
    })
  const scaler = (spec: object = {}) =>
    c.create('horizontalpodautoscalers.autoscaling', {
      metadata: { name: 'web' },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 10, ...spec },
    })
  const hpa = async () => (await c.get('horizontalpodautoscalers.autoscaling', 'web'))!
  const replicas = async () => (await c.get('deployments.apps', 'web'))!.spec.replicas
  const queue = { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '10' } } }

  test('follows its metric up and, after five minutes, down again', async () => {
    await deploy(2)
    metrics = [{ value: 38_000 }]
    await scaler({ metrics: [queue] })
    await c.rest()
    await c.pass(15_000)
    expect(await replicas()).toBe(4)
    const { status } = await hpa()
    expect(status).toMatchObject({
      desiredReplicas: 4,
      lastScaleTime: expect.any(String),
      currentMetrics: [{ type: 'External', external: { metric: { name: 'queue' } } }],
    })
    expect(condition(await hpa(), 'ScalingActive')).toMatchObject({ status: 'True', reason: 'ValidMetricFound' })
    const said = (await c.list('events')).filter((e) => e.reason === 'SuccessfulRescale').map((e) => e.message)
    expect(said).toEqual(['New size: 4; reason: external metric queue above target'])
    await c.rest()
    metrics = [{ value: 5000 }]
    await c.pass(15_000)
    expect(await replicas()).toBe(4)
    expect(condition(await hpa(), 'AbleToScale').reason).toBe('ScaleDownStabilized')
    for (let i = 0; i < 21; i++) await c.pass(15_000)
    expect(await replicas()).toBe(1)
  })

  test('asks every fifteen seconds, and writes nothing while nothing changes', async () => {
    await deploy(2)
    metrics = [{ value: 20_000 }]
    await scaler({ metrics: [queue] })
    await c.rest()
    await c.pass(15_000)
    const before = await c.version()
    const askedBefore = asked
    for (let i = 0; i < 4; i++) await c.pass(15_000)
    expect(asked - askedBefore).toBeGreaterThanOrEqual(4)
    expect(asked - askedBefore).toBeLessThanOrEqual(6)
    expect((await c.since(before)).map((e) => e.name)).toEqual([])
  })

  test('of several metrics the one that calls for most; one that fails never makes less of it', async () => {
    await deploy(3)
    const other = { ...queue, external: { ...queue.external, metric: { name: 'other' } } }
    metrics = [{ value: 40_000 }, { value: 60_000 }]
    await scaler({ metrics: [queue, other] })
    await c.rest()
    expect(await replicas()).toBe(6)
    metrics = [{ value: 10_000 }, { error: 'nobody serves it' }]
    for (let i = 0; i < 25; i++) await c.pass(15_000)
    expect(await replicas()).toBe(6)
    expect(condition(await hpa(), 'ScalingActive')).toMatchObject({
      status: 'False',
      reason: 'FailedGetExternalMetric',
      message: 'the HPA was unable to compute the replica count: nobody serves it',
    })
  })

  test.each<[string, number, number, string]>([
    ['nought means that nobody wants it scaled', 0, 0, 'ScalingDisabled'],
    ['more than allowed', 12, 10, ''],
  ])('%s', async (_what, have, want, reason) => {
    await deploy(have)
    metrics = [{ value: 1_000_000 }]
    await scaler({ metrics: [queue] })
    await c.rest()
    expect(await replicas()).toBe(want)
    if (reason) expect(condition(await hpa(), 'ScalingActive')).toMatchObject({ status: 'False', reason })
  })

  test('says that there is nothing to scale', async () => {
    await scaler({ metrics: [queue] })
    await c.rest()
    expect(condition(await hpa(), 'AbleToScale')).toMatchObject({
      status: 'False',
      reason: 'FailedGetScale',
      message: `the HPA controller was unable to get the target's current scale: deployments.apps "web" not found`,
    })
  })
})
