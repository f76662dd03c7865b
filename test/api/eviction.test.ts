// Evictions and the budgets that they take from.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../rig/hosts.ts'
import type { Ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const PODS = '/api/v1/namespaces/default/pods'
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
const MERGE = 'application/merge-patch+json'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
    // A write wakes the cluster's object where it sleeps.
    await send('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'first' } })
    await eventually(
      'the account is there',
      async () => (await send('GET', '/api/v1/namespaces/default/serviceaccounts/default')).code === 200,
    )
  })
  afterAll(() => server?.stop())

  const runs = async (name: string, ready: boolean) => {
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }]
    const status = { phase: 'Running', conditions }
    expect((await send('PATCH', `${PODS}/${name}/status`, { status }, undefined, MERGE)).code).toBe(200)
  }
  /** Pods that claim to run, under a budget of their own. */
  const guarded = async (app: string, pods: Record<string, boolean>, spec: object) => {
    for (const [name, ready] of Object.entries(pods)) {
      const object = { metadata: { name, labels: { app } }, spec: { nodeName: 'nowhere', containers: [{ name: 'c', image: 'x' }] } }
      expect((await send('POST', PODS, object)).code).toBe(201)
      await runs(name, ready)
    }
    await send('POST', BUDGETS, { metadata: { name: app }, spec: { selector: { matchLabels: { app } }, ...spec } })
    const counted = Object.values(pods).filter(Boolean).length
    await eventually('they are counted', async () => (await send('GET', `${BUDGETS}/${app}`)).body.status.currentHealthy === counted)
  }
  const evict = (name: string, query = '') =>
    send('POST', `${PODS}/${name}/eviction${query}`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } })

  test('one too many is put off, and nothing has happened to the pod', async () => {
    await guarded('web', { a: true, b: true, c: true }, { minAvailable: 2 })
    expect((await evict('a', '?dryRun=All')).code).toBe(201)
    expect((await evict('a')).code).toBe(201)
    const { body } = await send('GET', `${PODS}/a`)
    expect(body.metadata.deletionTimestamp).toBeDefined()
    expect(body.status.conditions.find((x: any) => x.type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'EvictionByEvictionAPI',
    })
    const refused = await evict('b')
    expect(refused.code).toBe(429)
    expect(refused.body).toMatchObject({
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [
          {
            reason: 'DisruptionBudget',
            message: expect.stringMatching(/^The disruption budget web needs 2 healthy pods and has 2 currently$/),
          },
        ],
      },
    })
    expect((await send('GET', `${PODS}/b`)).body.metadata.deletionTimestamp).toBeUndefined()
  })

  test('of many at once no more get through than there is room for', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `many-${i}`)
    await guarded('many', Object.fromEntries(names.map((n) => [n, true])), { minAvailable: 5 })
    const codes = (await Promise.all(names.map((n) => evict(n)))).map((r) => r.code)
    expect(codes.filter((code) => code === 201)).toHaveLength(3)
    expect(codes.filter((code) => code === 429)).toHaveLength(5)
  })

  test('a pod that is not ready goes while the budget is kept without it, or always', async () => {
    await guarded('kept', { k1: true, k2: false }, { minAvailable: 1 })
    expect((await evict('k2')).code).toBe(201)
    await guarded('broken', { x1: true, x2: false }, { minAvailable: 2 })
    expect((await evict('x2')).code).toBe(429)
    await send('PATCH', `${BUDGETS}/broken`, { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } }, undefined, MERGE)
    expect((await evict('x2')).code).toBe(201)
    expect((await evict('x1')).code).toBe(429)
  })

  test('two budgets for one pod are one too many', async () => {
    await guarded('twice', { t: true }, { minAvailable: 0 })
    await send('POST', BUDGETS, {
      metadata: { name: 'twice-again' },
      spec: { minAvailable: 0, selector: { matchLabels: { app: 'twice' } } },
    })
    const { code, body } = await evict('t')
    expect([code, body.message]).toEqual([500, expect.stringContaining('This pod has more than one PodDisruptionBudget')])
  })
})
