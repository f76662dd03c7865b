// pods/NAME/exec, attach and portforward. Over WebSocket every message is a channel byte and data, carried to the node as they are; SPDY is carried whole, the node ends it.

import type { KObject } from '../../shared/meta/object.ts'
import { Channel, type StreamRequest } from '../../shared/session/frames.ts'
import { badRequest, StatusError } from '../../shared/status/index.ts'
import type { Duplex } from '../ports/hub.ts'
import { type Socket, SPDY } from '../ports/socket.ts'
import { admitted } from './other-admission.ts'
import { containerOf, podOf, target } from './pod-stream.ts'
import { isTrue } from './request.ts'
import type { Asked } from './resource.ts'

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io', `${SPDY}v4.channel.k8s.io`]
const FORWARD_PROTOCOLS = [`${SPDY}portforward.k8s.io`, 'v5.channel.k8s.io', 'v4.channel.k8s.io']
const MAX_BUFFERED = 1024 * 1024
const MAX_PENDING = 64 * 1024 * 1024
const MAX_PORTS = 64

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
  return connect(a, pod, PROTOCOLS, (spdy) =>
    a.r.subresource === 'exec'
      ? { kind: 'exec', ...target(pod, container), command, ...flags, spdy }
      : { kind: 'attach', ...target(pod, container), ...flags, spdy },
  )
}

export async function podPortForward(a: Asked): Promise<Response> {
  const pod = await podOf(a)
  const ports = a.query.getAll('ports').flatMap((p) => p.split(','))
  if (ports.length > MAX_PORTS || ports.some((p) => !/^\d{1,5}$/.test(p) || Number(p) < 1 || Number(p) > 65_535))
    throw badRequest('the ports must be numbers from 1 to 65535')
  const { namespace, pod: name, uid } = target(pod, '')
  return connect(a, pod, FORWARD_PROTOCOLS, (spdy) => {
    if (!spdy && !ports.length) throw badRequest('query parameter "ports" is required')
    return { kind: 'portforward', namespace, pod: name, uid, spdy, ports: ports.map(Number) }
  })
}

/** Upgrades the request and joins it to a stream of the pod's node. */
async function connect(a: Asked, pod: KObject, protocols: string[], requestFor: (spdy: boolean) => StreamRequest): Promise<Response> {
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
  await admitted(a, 'CONNECT', 'v1', a.r.kind.subresources![a.r.subresource!]!.kind!)
  const upgrade = a.connection.upgrade?.(protocols)
  if (!upgrade)
    throw new StatusError(400, 'BadRequest', `unable to upgrade: the client must offer a WebSocket speaking one of ${protocols.join(', ')}`)
  const spdy = upgrade.protocol.startsWith(SPDY)
  const stream = await a.cluster.hub.open(pod.spec.nodeName, requestFor(spdy))
  const { response, socket } = upgrade.accept()
  void socket.then((s) => (spdy ? pipe : bridge)(s, stream)).catch(() => stream.close())
  return response
}

/** What the client sends, at the pace at which the node takes it. */
function inward(socket: Socket, stream: Duplex, take: (bytes: Uint8Array) => void | Promise<void>): void {
  let pending = 0
  let paused = false
  socket.onMessage((data) => {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
    if (!bytes.length) return
    pending += bytes.length
    if (pending > MAX_BUFFERED && socket.pause) {
      paused = true
      socket.pause()
    } else if (pending > MAX_PENDING) {
      // Nothing here can hold the client back.
      stream.close()
      return socket.close(1009)
    }
    void Promise.resolve(take(bytes)).finally(() => {
      pending -= bytes.length
      if (!paused || pending > MAX_BUFFERED / 2) return
      paused = false
      socket.resume?.()
    })
  })
  socket.onClose(() => stream.close())
}

/** Waits while the client does not read: the socket's own buffer is the bound. */
async function drained(socket: Socket): Promise<void> {
  for (let waited = 1; socket.buffered() > MAX_BUFFERED; waited = Math.min(waited * 2, 100)) await new Promise((r) => setTimeout(r, waited))
}

/** Bytes as they are, both ways. */
function pipe(socket: Socket, stream: Duplex): void {
  inward(socket, stream, (bytes) => stream.send(Channel.stdin, bytes))
  stream.onData(async (_, bytes) => {
    socket.send(bytes)
    await drained(socket)
  })
  stream.onClose(() => socket.close(1000))
}

function bridge(socket: Socket, stream: Duplex): void {
  const frame = (channel: number, bytes: Uint8Array) => {
    const out = new Uint8Array(bytes.length + 1)
    out[0] = channel
    out.set(bytes, 1)
    socket.send(out)
  }
  // v5: 255 says that a channel is closed; only what goes in is ever closed by the client.
  inward(socket, stream, (bytes) =>
    bytes[0] === Channel.closeStdin ? stream.send(Channel.closeStdin, bytes.slice(1)) : stream.send(bytes[0]!, bytes.slice(1)),
  )
  stream.onData(async (channel, bytes) => {
    frame(channel, bytes)
    await drained(socket)
  })
  stream.onClose((status) => {
    frame(Channel.error, new TextEncoder().encode(status ?? '{"metadata":{},"status":"Success"}'))
    socket.close(1000)
  })
}
