// pods/NAME/exec and attach over WebSocket (v5 and v4.channel.k8s.io): every message is a channel byte and data, carried to the node as it is.
import { Channel, type StreamRequest } from '../../shared/session/frames.ts'
import { badRequest, StatusError } from '../../shared/status/index.ts'
import type { Duplex } from '../ports/hub.ts'
import type { Socket } from '../ports/socket.ts'
import { containerOf, podOf, target } from './pod-stream.ts'
import { isTrue } from './request.ts'
import type { Asked } from './resource.ts'

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const MAX_BUFFERED = 1024 * 1024

export async function podExec(a: Asked): Promise<Response> {
  const { query } = a
  const pod = await podOf(a)
  const container = containerOf(pod, query.get('container'))
  const flags = {
    stdin: isTrue(query.get('stdin')),
    stdout: isTrue(query.get('stdout')),
    stderr: isTrue(query.get('stderr')),
    tty: isTrue(query.get('tty')),
  }
  const command = query.getAll('command')
  if (a.r.subresource === 'exec' && !command.length) throw badRequest('you must specify at least 1 of command')
  if (!flags.stdin && !flags.stdout && !flags.stderr) throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
  const upgrade = a.connection.upgrade?.(PROTOCOLS)
  if (!upgrade)
    throw new StatusError(400, 'BadRequest', `unable to upgrade: the client must offer a WebSocket speaking one of ${PROTOCOLS.join(', ')}`)
  const request: StreamRequest =
    a.r.subresource === 'exec'
      ? { kind: 'exec', ...target(pod, container), command, ...flags }
      : { kind: 'attach', ...target(pod, container), ...flags }
  const stream = await a.cluster.hub.open(pod.spec.nodeName, request)
  void upgrade.accepted.then((socket) => bridge(socket, stream)).catch(() => stream.close())
  return upgrade.response
}

function bridge(socket: Socket, stream: Duplex): void {
  const frame = (channel: number, bytes: Uint8Array) => {
    const out = new Uint8Array(bytes.length + 1)
    out[0] = channel
    out.set(bytes, 1)
    socket.send(out)
  }
  socket.onMessage((data) => {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    if (!bytes.length) return
    // v5: 255 says that a channel is closed; only stdin's matters.
    if (bytes[0] === 255) void stream.send(Channel.closeStdin, new Uint8Array(0))
    else void stream.send(bytes[0]!, bytes.slice(1))
  })
  socket.onClose(() => stream.close())
  stream.onData(async (channel, bytes) => {
    frame(channel, bytes)
    // The socket's own buffer is the bound: wait while the client does not read.
    for (let waited = 1; socket.buffered() > MAX_BUFFERED; waited = Math.min(waited * 2, 100))
      await new Promise((r) => setTimeout(r, waited))
  })
  stream.onClose((status) => {
    frame(Channel.error, new TextEncoder().encode(status ?? '{"metadata":{},"status":"Success"}'))
    socket.close(1000)
  })
}
