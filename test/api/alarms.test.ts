// What only time brings about, on both platforms, while nobody writes: on Workers it is the object's alarm that wakes the engine.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Server, startServer } from './server.ts'

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  beforeAll(async () => {
    server = await startServer(platform)
  })
  afterAll(() => server?.stop())

  test('a job fails at its deadline, and is gone at the end of its time', { timeout: 40_000 }, async () => {
    const jobs = '/apis/batch/v1/namespaces/default/jobs'
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'one' }] } }
    const job = { metadata: { name: 'late' }, spec: { activeDeadlineSeconds: 2, ttlSecondsAfterFinished: 2, template } }
    expect((await server.send('POST', jobs, job)).code).toBe(201)
    const reasons: (string | undefined)[] = []
    await expect
      .poll(
        async () => {
          const { code, body } = await server.send('GET', `${jobs}/late`)
          reasons.push(body.status?.conditions?.find((c: any) => c.type === 'Failed')?.reason)
          return code
        },
        { timeout: 30_000, interval: 200 },
      )
      .toBe(404)
    expect(reasons).toContain('DeadlineExceeded')
  })
})
