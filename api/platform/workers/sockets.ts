// WebSockets on Workers: plain ones for clients, hibernating ones for node sessions, both as the Socket port.
import type { Connection, Socket } from '../../ports/socket.ts'

interface Handlers {
  message?: (data: string | Uint8Array) => void
  close?: () => void
}

const toBytes = (data: unknown): string | Uint8Array => (typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer))

/** Sockets whose events come to the object's own methods. */
export class HibernatingSockets {
  readonly #handlers = new Map<WebSocket, Handlers>()
  readonly #sockets = new WeakMap<Socket, WebSocket>()

  /** The platform's socket behind a wrapped one. */
  socketOf(socket: Socket): WebSocket | undefined {
    return this.#sockets.get(socket)
  }

  wrap(ws: WebSocket): Socket {
    const h: Handlers = {}
    this.#handlers.set(ws, h)
    const socket: Socket = {
      send: (data) => {
        try {
          ws.send(data)
        } catch {
          // Its close event follows.
        }
      },
      close: (code, reason) => ws.close(code, reason),
      buffered: () => 0,
      onMessage: (f) => {
        h.message = f
      },
      onClose: (f) => {
        h.close = f
      },
    }
    this.#sockets.set(socket, ws)
    return socket
  }
  message(ws: WebSocket, data: string | ArrayBuffer): void {
    this.#handlers.get(ws)?.message?.(toBytes(data))
  }
  closed(ws: WebSocket): void {
    this.#handlers.get(ws)?.close?.()
    this.#handlers.delete(ws)
  }
}

function plainSocket(ws: WebSocket): Socket {
  ws.accept()
  ws.binaryType = 'arraybuffer'
  return {
    send: (data) => {
      try {
        ws.send(data)
      } catch {
        // Its close event follows.
      }
    },
    close: (code, reason) => ws.close(code, reason),
    buffered: () => 0,
    onMessage: (f) => ws.addEventListener('message', (e) => f(toBytes(e.data))),
    onClose: (f) => {
      ws.addEventListener('close', () => {
        try {
          ws.close()
        } catch {
          // Closed from both ends.
        }
        f()
      })
      ws.addEventListener('error', f)
    },
  }
}

/** The Connection of a request in the cluster's object. `takeOver` takes sockets of protocols that hibernate. */
export function connectionOf(request: Request, hibernates: (protocol: string) => boolean, takeOver: (ws: WebSocket) => Socket): Connection {
  return {
    address: request.headers.get('cf-connecting-ip') ?? undefined,
    upgrade: (protocols) => {
      if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') return undefined
      const offered = (request.headers.get('sec-websocket-protocol') ?? '').split(',').map((p) => p.trim())
      const protocol = protocols.find((p) => offered.includes(p))
      if (protocol === undefined) return undefined
      const accept = () => {
        const pair = new WebSocketPair()
        const [client, server] = [pair[0], pair[1]]
        const socket = hibernates(protocol) ? takeOver(server) : plainSocket(server)
        const response = new Response(null, {
          status: 101,
          webSocket: client,
          headers: protocol ? { 'sec-websocket-protocol': protocol } : {},
        })
        return { response, socket: Promise.resolve(socket) }
      }
      return { protocol, accept }
    },
  }
}
