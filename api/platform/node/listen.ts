// HTTPS on Node: requests and WebSocket upgrades of one address, all answered by one fetch function.
import type { Server } from 'node:http'
import { createServer, type Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import { createAdaptorServer } from '@hono/node-server'
import type { Connection } from '../../ports/socket.ts'
import { peerOf, serveUpgrades } from './sockets.ts'
import { LIFETIME_S, type TicketKeys } from './ticket-keys.ts'

export interface Listening {
  url: string
  close(): Promise<void>
}

export type Fetch = (request: Request, connection: Connection) => Response | Promise<Response>

/** How many may wait to be accepted: whoever is too much tries again a second later, and a thousand daemons come at once. */
const BACKLOG = 4096
/** How long requests under way have when the server ends, ms. */
const DRAIN = 10_000
/** How often connections without a request are looked for meanwhile, ms. */
const SWEEP = 20

/** What is large, and no watch, goes out by gzip to those who take it; zlib works beside the event loop. */
function compressed(request: Request, response: Response): Response {
  if (!/\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')) return response
  if (!response.headers.get('vary')?.includes('Accept-Encoding') || !response.body || response.headers.has('content-encoding'))
    return response
  const gzip = createGzip({ level: constants.Z_BEST_SPEED })
  pipeline(Readable.fromWeb(response.body as never), gzip).catch(() => {})
  const headers = new Headers(response.headers)
  headers.delete('content-length')
  headers.set('content-encoding', 'gzip')
  return new Response(Readable.toWeb(gzip) as unknown as ReadableStream, { status: response.status, headers })
}

/** Resolves when connections are accepted. */
export async function listen(
  o: { host: string; port: number },
  { leaf, tickets }: { leaf: { cert: string; key: string }; tickets: TicketKeys },
  fetch: Fetch,
): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: async (request, env) =>
      compressed(request, await fetch(request, peerOf((env as { incoming: { socket: object } }).incoming.socket))),
    createServer: createServer as never,
    // Clients may show certificates; whether the cluster's CA signed them is asked later, by the cluster they call.
    serverOptions: {
      cert: leaf.cert,
      key: leaf.key,
      requestCert: true,
      rejectUnauthorized: false,
      sessionTimeout: LIFETIME_S,
      // The same for every start, or nothing is resumed.
      sessionIdContext: 'kedge',
      keepAliveTimeout: 120_000,
      requestTimeout: 0,
    } as never,
  }) as unknown as Server
  serveUpgrades(server, fetch)
  const stopRenewing = tickets.renew(server as HttpsServer)
  const sockets = new Set<Socket>()
  server.on('secureConnection', (s: Socket) => {
    sockets.add(s)
    s.once('close', () => sockets.delete(s))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: o.host, port: o.port, backlog: BACKLOG }, () => resolve())
  })
  const { port } = server.address() as { port: number }
  return {
    url: `https://${o.host === '0.0.0.0' ? '127.0.0.1' : o.host}:${port}`,
    close: async () => {
      stopRenewing()
      // Whoever is being answered is answered to the end; connections go after it.
      const closed = new Promise<void>((r) => server.close(() => r()))
      const idle = setInterval(() => server.closeIdleConnections(), SWEEP)
      const timer = setTimeout(() => {
        for (const s of sockets) s.destroy()
      }, DRAIN)
      await closed
      clearTimeout(timer)
      clearInterval(idle)
    },
  }
}
