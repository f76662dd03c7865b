// A machine's session, without the machine: it makes the requests into the cluster that the control plane cannot.
import { quietLog } from '../../node-agent/log.ts'
import { openIdentity } from '../../node-agent/session/identity.ts'
import { Session } from '../../node-agent/session/session.ts'
import { serveFetch } from '../../node-agent/streams/http.ts'
import { eventually } from '../rig/hosts.ts'
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
