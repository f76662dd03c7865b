// A machine's session, without the machine: it makes the requests into the cluster that the control plane cannot.
import { quietLog } from '../../node-agent/log.ts'
import { openIdentity } from '../../node-agent/session/identity.ts'
import { Session } from '../../node-agent/session/session.ts'
import { serveFetch } from '../../node-agent/streams/http.ts'
import { eventually } from '../rig/hosts.ts'
import type { Ask } from './ask.ts'
import type { Server } from './server.ts'

/** Resolves when it is open. */
export async function openNodeSession({ cp }: Server, data: string, name: string): Promise<Session> {
  const identity = await openIdentity({ data, server: cp.url, token: cp.joinToken(), name, log: quietLog })
  const session = new Session(
    identity,
    quietLog,
    (request, stream) => request.kind === 'http' && serveFetch(request, stream),
    () => {},
  )
  session.start()
  await eventually('the session is open', () => session.connected)
  return session
}

/** A service in a namespace, whose one endpoint is a port of this machine, by way of node n1. */
export async function localService(send: Ask, ns: string, name: string, port: number, servicePort: object = { port: 443 }): Promise<void> {
  const { name: portName } = servicePort as { name?: string }
  await send('POST', `/api/v1/namespaces/${ns}/services`, { metadata: { name }, spec: { ports: [servicePort] } })
  await send('POST', `/apis/discovery.k8s.io/v1/namespaces/${ns}/endpointslices`, {
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], nodeName: 'n1', conditions: { ready: true } }],
    ports: [{ ...(portName ? { name: portName } : {}), port, protocol: 'TCP' }],
  })
}
