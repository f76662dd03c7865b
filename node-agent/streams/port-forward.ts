// port-forward: connections of a client to ports of a pod. kubectl's come as pairs of SPDY streams, others as pairs of channels.
import type { Socket } from 'node:net'
import { Channel } from '../../shared/session/frames.ts'
import type { NodeStream } from '../session/session.ts'
import { SpdySession, type SpdyStream } from './spdy.ts'

/** Connects to the port inside the pod; rejects when nobody listens. */
type Dial = (port: number) => Promise<Socket>

/** Where what the pod says goes. */
interface Sink {
  data(bytes: Uint8Array): Promise<void>
  end(): Promise<void>
  error(message: string): Promise<void>
}

/** One connection; `write` waits while the pod does not read. */
function forward(port: number, dial: Dial, sink: Sink): { write(b: Uint8Array): Promise<void>; end(): void; destroy(): void } {
  let gone = false
  const connected = dial(port).then(
    (socket) => {
      if (gone) socket.destroy()
      socket.on('error', () => socket.destroy())
      return socket
    },
    async (cause) => {
      await sink.error(`failed to connect to localhost:${port} inside the pod: ${cause.message}`)
      return undefined
    },
  )
  void connected.then(async (socket) => {
    if (!socket) return sink.end()
    try {
      for await (const part of socket.iterator({ destroyOnReturn: false })) await sink.data(part as Buffer)
    } catch {
      // Reset by the pod: an end like another.
    }
    await sink.end()
  })
  return {
    write: async (bytes) => {
      const socket = await connected
      if (!socket?.writable) return
      if (!socket.write(bytes))
        await new Promise<void>((resolve) => {
          const done = () => {
            socket.off('drain', done).off('close', done)
            resolve()
          }
          socket.on('drain', done).on('close', done)
        })
    },
    end: () => void connected.then((s) => s?.end()),
    destroy: () => {
      gone = true
      void connected.then((s) => s?.destroy())
    },
  }
}

const portOf = (text: string | undefined): number | undefined => {
  const port = Number(text)
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}

/** kubectl's way: for each connection a stream for errors and one for data, which share a request id. */
export function forwardOverSpdy(pipe: NodeStream, dial: Dial): void {
  const halves = new Map<string, SpdyStream>()
  const open = new Set<{ destroy(): void }>()
  const pair = (s: SpdyStream) => {
    const { streamtype, requestid = '', port } = s.headers
    if (streamtype !== 'error' && streamtype !== 'data') return
    const other = halves.get(requestid)
    if (!other) return void halves.set(requestid, s)
    halves.delete(requestid)
    const [error, data] = streamtype === 'error' ? [s, other] : [other, s]
    const to = portOf(port)
    if (to === undefined) {
      void error.write(Buffer.from(`the port ${JSON.stringify(port)} is not valid`)).then(() => Promise.all([error.end(), data.end()]))
      return
    }
    const connection = forward(to, dial, {
      data: (b) => data.write(b),
      end: async () => {
        open.delete(connection)
        await Promise.all([data.end(), error.end()])
      },
      error: (message) => error.write(Buffer.from(message)),
    })
    open.add(connection)
    void data.onData((b) => connection.write(b))
    data.onEnd(() => connection.end())
  }
  const session = new SpdySession((bytes) => pipe.write(Channel.stdout, bytes), pair)
  pipe.onData((_, bytes) => session.receive(bytes))
  pipe.onClose(() => {
    for (const c of open) c.destroy()
    session.close()
  })
}

/** The plain WebSocket way: channel 2i is the data of the i-th port, 2i + 1 its errors; each begins with the port, little-endian. */
export function forwardOverChannels(pipe: NodeStream, ports: number[], dial: Dial): void {
  let left = ports.length
  const connections = ports.map((port, i) => {
    const first = Buffer.from([port & 255, port >> 8])
    void pipe.write(2 * i, first)
    void pipe.write(2 * i + 1, first)
    return forward(port, dial, {
      data: (b) => pipe.write(2 * i, b),
      end: async () => {
        if (--left === 0) pipe.end()
      },
      error: (message) => pipe.write(2 * i + 1, Buffer.from(message)),
    })
  })
  pipe.onData((channel, bytes) => {
    if (channel === Channel.closeStdin) return connections[(bytes[0] ?? 0) / 2]?.end()
    return channel % 2 === 0 ? connections[channel / 2]?.write(bytes) : undefined
  })
  pipe.onClose(() => {
    for (const c of connections) c.destroy()
  })
}
