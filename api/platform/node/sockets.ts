// WebSockets on Node: the upgrade event becomes a request for the app, and the handler's upgrade() takes the socket over.
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Connection, type Socket, SPDY } from '../../ports/socket.ts'

const MAX_MESSAGE = 16 * 1024 * 1024
const PING_EVERY = 10_000

/** What is written in one turn of the loop goes out together. */
function gathering(c: Duplex): () => void {
  let gathered = false
  return () => {
    if (gathered) return
    gathered = true
    c.cork()
    setImmediate(() => {
      gathered = false
      c.uncork()
    })
  }
}

/** A ws socket as the Socket port, over its connection. Dead peers are found by ping: two missed ones end it. */
function wrapSocket(ws: WebSocket, c: Duplex): Socket {
  const gather = gathering(c)
  let alive = true
  const timer = setInterval(() => {
    if (!alive) ws.terminate()
    alive = false
    ws.ping()
  }, PING_EVERY)
  timer.unref()
  ws.on('pong', () => {
    alive = true
  })
  ws.on('close', () => clearInterval(timer))
  ws.on('error', () => ws.terminate())
  return {
    send: (data) => {
      if (ws.readyState !== ws.OPEN) return
      gather()
      ws.send(data)
    },
    close: (code, reason) => ws.close(code, reason),
    buffered: () => ws.bufferedAmount,
    onMessage: (handler) =>
      ws.on('message', (data: Buffer, binary: boolean) => {
        alive = true
        handler(binary ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data.toString())
      }),
    onClose: (handler) => ws.on('close', () => handler()),
    pause: () => ws.pause(),
    resume: () => ws.resume(),
  }
}

/** A connection that has left HTTP: bytes as they come. */
function wrapConnection(c: Duplex): Socket {
  return {
    send: (data) => {
      if (c.writable) c.write(data)
    },
    close: () => c.end(),
    buffered: () => c.writableLength,
    onMessage: (handler) => c.on('data', (data: Buffer) => handler(new Uint8Array(data.buffer, data.byteOffset, data.length))),
    onClose: (handler) => c.on('close', () => handler()),
    pause: () => c.pause(),
    resume: () => c.resume(),
  }
}

/** `Upgrade: SPDY/3.1`, which kubectl spoke before it took to WebSockets. */
function acceptSpdy(socket: Duplex, head: Buffer, protocol: string): Socket {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol.slice(SPDY.length)}\r\n\r\n`,
  )
  if (head.length) socket.unshift(head)
  return wrapConnection(socket)
}

const certificates = new WeakMap<object, Connection['certificate']>()

/** What a connection tells of its other end. */
export function peerOf(socket: object): Pick<Connection, 'address' | 'certificate'> {
  const { remoteAddress, getPeerX509Certificate } = socket as Partial<TLSSocket>
  if (!certificates.has(socket)) {
    const shown = getPeerX509Certificate?.call(socket as TLSSocket)
    certificates.set(socket, shown && { id: shown.fingerprint256, der: shown.raw })
  }
  const certificate = certificates.get(socket)
  return { address: remoteAddress, ...(certificate ? { certificate } : {}) }
}

const words = (header: string | string[] | undefined): string[] =>
  (header ?? '')
    .toString()
    .split(',')
    .map((w) => w.trim())

const statusLine = (r: Response) => `HTTP/1.1 ${r.status} ${r.statusText || 'Error'}\r\n`

/** Serves upgrade requests of `server` by `fetch`, the app. */
export function serveUpgrades(server: Server, fetch: (request: Request, connection: Connection) => Response | Promise<Response>): void {
  const wss = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE, perMessageDeflate: false })
  const agreed = new WeakMap<IncomingMessage, string>()
  wss.on('headers', (headers, req) => {
    const protocol = agreed.get(req)
    if (protocol) headers.push(`Sec-WebSocket-Protocol: ${protocol}`)
  })
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    let taken = false
    socket.on('error', () => socket.destroy())
    const connection: Connection = {
      ...peerOf(req.socket),
      upgrade: (protocols) => {
        const to = req.headers.upgrade?.toLowerCase()
        const offered =
          to === 'websocket'
            ? words(req.headers['sec-websocket-protocol'])
            : to === 'spdy/3.1'
              ? words(req.headers['x-stream-protocol-version']).map((p) => SPDY + p)
              : []
        const protocol = protocols.find((p) => offered.includes(p))
        if (protocol === undefined) return undefined
        const accept = () => {
          taken = true
          const accepted = new Promise<Socket>((resolve) => {
            if (to !== 'websocket') return resolve(acceptSpdy(socket, head, protocol))
            // ws takes no slash in a protocol's name, and SPDY's has one: it is agreed on here instead.
            delete req.headers['sec-websocket-protocol']
            agreed.set(req, protocol)
            wss.handleUpgrade(req, socket, head, (ws) => resolve(wrapSocket(ws, socket)))
          })
          return { response: new Response(null, { status: 200 }), socket: accepted }
        }
        return { protocol, accept }
      },
    }
    const headers = new Headers()
    for (const [k, v] of Object.entries(req.headers)) if (v !== undefined) headers.set(k, Array.isArray(v) ? v.join(', ') : v)
    const request = new Request(`https://${req.headers.host ?? 'localhost'}${req.url}`, { method: req.method, headers })
    void (async () => {
      const response = await fetch(request, connection)
      if (taken) return
      const body = Buffer.from(await response.arrayBuffer())
      const lines = [...response.headers].map(([k, v]) => `${k}: ${v}\r\n`).join('')
      socket.end(
        Buffer.concat([Buffer.from(`${statusLine(response)}${lines}content-length: ${body.length}\r\nconnection: close\r\n\r\n`), body]),
      )
    })().catch(() => socket.destroy())
  })
}
