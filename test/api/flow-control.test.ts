// Priority levels, as clients meet them: what is told with every answer, and a level that lets nobody in.
import { Agent } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ask, ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const API = '/apis/flowcontrol.apiserver.k8s.io/v1'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  let agent: Agent
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
    agent = new Agent({ keepAlive: true, ca: server.cp.ca })
  })
  afterAll(async () => {
    agent?.destroy()
    await server?.stop()
  })

  test('a cluster begins with the levels and schemas that Kubernetes begins with', async () => {
    const levels = await send('GET', `${API}/prioritylevelconfigurations`)
    expect(levels.body.items.map((i: any) => i.metadata.name)).toContain('workload-low')
    // A write wakes who was never woken.
    await send('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'knock' } })
    await expect
      .poll(async () => (await send('GET', `${API}/flowschemas/service-accounts`)).body.status?.conditions?.[0], { timeout: 15_000 })
      .toMatchObject({ type: 'Dangling', status: 'False', reason: 'Found' })
  })

  test('a closed level sends its requests away, and tells when to come again; others are served', async () => {
    await send('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'flood' } })
    const { body } = await send('POST', '/api/v1/namespaces/default/serviceaccounts/flood/token', { spec: {} })
    const flood = ask(server.cp.url, body.status.token, agent)
    expect((await flood('GET', '/api/v1/namespaces/default/pods')).code).toBe(403)
    const limited = { nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse: { type: 'Reject' } }
    await send('POST', `${API}/prioritylevelconfigurations`, { metadata: { name: 'closed' }, spec: { type: 'Limited', limited } })
    const rule = {
      subjects: [{ kind: 'ServiceAccount', serviceAccount: { namespace: 'default', name: 'flood' } }],
      resourceRules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'], namespaces: ['*'] }],
    }
    const spec = { matchingPrecedence: 50, priorityLevelConfiguration: { name: 'closed' }, rules: [rule] }
    await send('POST', `${API}/flowschemas`, { metadata: { name: 'closed' }, spec })
    await expect.poll(async () => (await flood('GET', '/api/v1/namespaces/default/pods')).code, { timeout: 15_000 }).toBe(429)
    const refused = await flood('GET', '/api/v1/namespaces/default/pods')
    expect(refused.body).toMatchObject({ reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } })
    expect((await flood('GET', '/api/v1/namespaces/default/secrets')).code).toBe(403)
    expect((await send('GET', '/api/v1/namespaces/default/pods')).code).toBe(200)
  })
})
