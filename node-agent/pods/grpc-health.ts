// The standard health service of gRPC, asked once: grpc.health.v1.Health/Check.
import { type GrpcError, UNIMPLEMENTED, unary } from '../grpc.ts'

const PATH = '/grpc.health.v1.Health/Check'
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** HealthCheckRequest { string service = 1 }; names are short enough for a length of two bytes. */
function request(service: string): Buffer {
  const name = Buffer.from(service)
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7]
  return name.length ? Buffer.concat([Buffer.from([0x0a, ...length]), name]) : name
}

/** HealthCheckResponse { ServingStatus status = 1 }: what is left out is nought. */
const stateOf = (message: Buffer): string => STATES[message.length >= 2 && message[0] === 0x08 ? message[1]! : 0] ?? 'UNKNOWN'

/** Undefined when the service serves; else why not, as kubelet says it. */
export async function grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<string | undefined> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  try {
    const state = stateOf(await unary({ address }, PATH, request(service), { timeoutMs, userAgent: 'kube-probe/1.36' }))
    return state === 'SERVING' ? undefined : `service unhealthy (responded with ${JSON.stringify(state)})`
  } catch (cause) {
    const { message, status, unreached, late } = cause as GrpcError
    const at = JSON.stringify(address)
    if (late) return `timeout: failed to connect service ${at} within ${timeoutMs / 1000}s`
    if (unreached) return `error: failed to connect service at ${at}: ${message}`
    if (status === UNIMPLEMENTED)
      return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`
    return `error: health rpc failed: rpc error: code = ${status ?? 'Unknown'} desc = ${message}`
  }
}
