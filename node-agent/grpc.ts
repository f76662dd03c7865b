// One call of gRPC, a message each way: over TCP to a pod's port, or over a socket of this machine to a plugin.
import { connect } from 'node:http2'
import { connect as dial } from 'node:net'

const MOST_BYTES = 1024 * 1024

/** `status` is gRPC's code; absent where no answer came: nobody was there, or it took too long. */
export class GrpcError extends Error {
  readonly status?: number
  readonly unreached: boolean
  readonly late: boolean
  constructor(message: string, o: { status?: number; unreached?: true; late?: true } = {}) {
    super(message)
    if (o.status !== undefined) this.status = o.status
    this.unreached = !!o.unreached
    this.late = !!o.late
  }
}
export const UNIMPLEMENTED = 12

export interface Target {
  /** `host:port`, or the path of a socket. */
  address?: string
  socket?: string
}

/** A message with its length before it, not compressed. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** Servers encode what is no plain text. */
function readable(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The answer's bytes. Rejects with GrpcError. */
export function unary(to: Target, path: string, message: Uint8Array, o: { timeoutMs: number; userAgent: string }): Promise<Buffer> {
  const { socket, address } = to
  return new Promise((resolve, reject) => {
    const session = socket ? connect('http://localhost', { createConnection: () => dial(socket) }) : connect(`http://${address}`)
    const done = (failure: GrpcError | undefined, answer?: Buffer) => {
      clearTimeout(timer)
      session.destroy()
      if (failure) reject(failure)
      else resolve(answer!)
    }
    const timer = setTimeout(() => done(new GrpcError(`no answer within ${o.timeoutMs / 1000}s`, { late: true })), o.timeoutMs)
    session.on('error', (cause) => done(new GrpcError(cause.message, { unreached: true })))
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': o.userAgent,
    })
    let received = Buffer.alloc(0)
    let status: string | undefined
    let said = ''
    const outcome = (headers: Record<string, unknown>) => {
      status ??= headers['grpc-status'] as string | undefined
      said ||= (headers['grpc-message'] as string | undefined) ?? ''
    }
    stream.on('response', outcome)
    stream.on('trailers', outcome)
    stream.on('data', (d: Buffer) => {
      if (received.length < MOST_BYTES) received = Buffer.concat([received, d])
    })
    // Without a connection, the session says why.
    stream.on('error', (cause) => !session.connecting && done(new GrpcError(cause.message)))
    stream.on('end', () => {
      if (status !== '0') return done(new GrpcError(readable(said), status === undefined ? {} : { status: Number(status) }))
      done(undefined, received.subarray(5))
    })
    stream.end(framed(message))
  })
}
