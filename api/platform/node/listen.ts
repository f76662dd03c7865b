// HTTPS on Node: requests and WebSocket upgrades of one address, all answered by one fetch function.
import type { Server } from 'node:http'
import { createServer } from 'node:https'
import { createAdaptorServer } from '@hono/node-server'
import type { Connection } from '../../ports/socket.ts'
import { peerOf, serveUpgrades } from './sockets.ts'

export interface Listening {
  url: string
  close(): Promise<void>
}

export type Fetch = (request: Request, connection: Connection) => Response | Promise<Response>

/** Resolves when connections are accepted. */
export async function listen(o: { host: string; port: number }, leaf: { cert: string; key: string }, fetch: Fetch): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: (request, env) => fetch(request, peerOf((env as { incoming: { socket: object } }).incoming.socket)),
    createServer: createServer as never,
    // Clients may show certificates; whether the cluster's CA signed them is asked later, by the cluster they call.
    serverOptions: {
      cert: leaf.cert,
      key: leaf.key,
      requestCert: true,
      rejectUnauthorized: false,
      keepAliveTimeout: 120_000,
      requestTimeout: 0,
    } as never,
  }) as unknown as Server
  serveUpgrades(server, fetch)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(o.port, o.host, () => resolve())
  })
  const { port } = server.address() as { port: number }
  return {
    url: `https://${o.host === '0.0.0.0' ? '127.0.0.1' : o.host}:${port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((r) => server.close(() => r()))
    },
  }
}
