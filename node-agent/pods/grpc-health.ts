// The standard health service of gRPC, asked once: grpc.health.v1.Health/Check.
import { connect } from 'node:http2'

const PATH = '/grpc.health.v1.Health/Check'
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const UNIMPLEMENTED = '12'
/** An answer is a few bytes. */
const MOST_BYTES = 4096

/** A message with its length before it, not compressed. */
function framed(service: string): Buffer {
  const name = Buffer.from(service)
  // HealthCheckRequest { string service = 1 }; names are short enough for a length of two bytes.
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7]
  const body = name.length ? Buffer.concat([Buffer.from([0x0a, ...length]), name]) : Buffer.alloc(0)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

/** HealthCheckResponse { ServingStatus status = 1 }: what is left out is nought. */
const stateOf = (frame: Buffer): string => STATES[frame.length >= 7 && frame[5] === 0x08 ? frame[6]! : 0] ?? 'UNKNOWN'

/** Undefined when the service serves; else why not, as kubelet says it. */
export function grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<string | undefined> {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return new Promise((resolve) => {
    const session = connect(`http://${at}`)
    const done = (why: string | undefined) => {
      clearTimeout(timer)
      session.destroy()
      resolve(why)
    }
    const timer = setTimeout(() => done(`timeout: failed to connect service ${JSON.stringify(at)} within ${timeoutMs / 1000}s`), timeoutMs)
    session.on('error', (cause) => done(`error: failed to connect service at ${JSON.stringify(at)}: ${cause.message}`))
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.36',
    })
    let received = Buffer.alloc(0)
    let status: string | undefined
    let message = ''
    const outcome = (headers: Record<string, unknown>) => {
      status ??= headers['grpc-status'] as string | undefined
      message ||= (headers['grpc-message'] as string | undefined) ?? ''
    }
    stream.on('response', outcome)
    stream.on('trailers', outcome)
    stream.on('data', (d: Buffer) => {
      if (received.length < MOST_BYTES) received = Buffer.concat([received, d])
    })
    // Without a connection, the session says why.
    stream.on('error', (cause) => !session.connecting && done(`error: health rpc failed: ${cause.message}`))
    stream.on('end', () => {
      if (status === UNIMPLEMENTED)
        return done(`error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`)
      if (status !== '0') return done(`error: health rpc failed: rpc error: code = ${status ?? 'Unknown'} desc = ${message}`)
      const state = stateOf(received)
      done(state === 'SERVING' ? undefined : `service unhealthy (responded with ${JSON.stringify(state)})`)
    })
    stream.end(framed(service))
  })
}
