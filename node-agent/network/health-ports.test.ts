// Who is asked about its endpoints, and what it says.
import { afterEach, expect, test } from 'vitest'
import { freePort } from '../../test/rig/sqld.ts'
import { HealthServers, healthPorts } from './health-ports.ts'

const service = (name: string, spec: object) => ({
  metadata: { namespace: 'default', name },
  spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_001, ...spec },
})

test('balancers whose clients stay on a node, and no others', () => {
  const services = [
    service('yes', {}),
    service('everywhere', { externalTrafficPolicy: 'Cluster' }),
    service('plain', { type: 'NodePort' }),
    service('no-port', { healthCheckNodePort: undefined }),
  ]
  expect(healthPorts(services, () => 2)).toEqual([{ port: 30_001, namespace: 'default', name: 'yes', endpoints: 2 }])
})

const warnings: unknown[] = []
const servers = new HealthServers({ warn: (...said: unknown[]) => warnings.push(said), info: () => {}, error: () => {} } as never)
afterEach(() => servers.close())

test('it says how many there are, until nobody asks for it', async () => {
  const port = await freePort()
  const asked = async () => {
    const r = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } })
    return [r.status, ((await r.json()) as { localEndpoints: number }).localEndpoints]
  }
  const state = { port, namespace: 'default', name: 'yes' }
  servers.set([{ ...state, endpoints: 2 }])
  expect(await asked()).toEqual([200, 2])
  servers.set([{ ...state, endpoints: 0 }])
  expect(await asked()).toEqual([503, 0])
  servers.set([])
  await expect(asked()).rejects.toThrow()
})
