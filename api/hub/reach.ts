// HTTP requests into the cluster, through the sessions that its nodes opened.
import { Channel, type NodeAnswer } from '../../shared/session/frames.ts'
import { StatusError, unavailable } from '../../shared/status/index.ts'
import type { Duplex, NodeCall } from '../ports/hub.ts'
import type { Sessions } from './sessions.ts'

/** The first target whose own node is there, or any through any node. */
function routeOf(sessions: Sessions, { targets }: NodeCall): { node: string; address: string; port: number } {
  const near = targets.find((t) => t.node !== undefined && sessions.isConnected(t.node))
  if (near) return { node: near.node!, address: near.address, port: near.port }
  const [target] = targets
  // No other daemon answers for this one.
  if (target?.port === 0) throw unavailable(`node ${JSON.stringify(target.node)} has no open session: its daemon is not connected`)
  const [node] = sessions.connected()
  if (!target) throw unavailable('there is nothing that could be reached')
  if (node === undefined) throw unavailable('no node has an open session: nothing in the cluster can be reached')
  return { node, address: target.address, port: target.port }
}

async function sendBody(stream: Duplex, body: NodeCall['body']): Promise<void> {
  if (body instanceof ReadableStream)
    for await (const part of body as unknown as AsyncIterable<Uint8Array>) await stream.send(Channel.stdin, part)
  else if (body?.length) await stream.send(Channel.stdin, body)
  await stream.send(Channel.closeStdin, new Uint8Array(0))
}

/** Resolves when the head of the answer is there. Throws 503 or 504 as StatusErrors. */
export async function reach(sessions: Sessions, call: NodeCall): Promise<Response> {
  const { targets: _, body, ...rest } = call
  const { node, ...target } = routeOf(sessions, call)
  const stream = sessions.open(node, { kind: 'http', ...target, ...rest })
  const answered = new Promise<Response>((resolve, reject) => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    let room: (() => void) | undefined
    const answer = new ReadableStream<Uint8Array>(
      {
        start: (c) => {
          controller = c
        },
        pull: () => room?.(),
        cancel: () => stream.close(),
      },
      { highWaterMark: 64 * 1024, size: (chunk) => chunk.byteLength },
    )
    stream.onData(async (channel, bytes) => {
      if (channel === Channel.error) {
        const { status, headers } = JSON.parse(new TextDecoder().decode(bytes)) as NodeAnswer
        const empty = status === 204 || status === 304
        return resolve(new Response(empty ? null : answer, { status, headers }))
      }
      if (channel !== Channel.stdout) return
      controller?.enqueue(bytes.slice())
      if ((controller?.desiredSize ?? 1) <= 0) await new Promise<void>((r) => (room = r))
    })
    stream.onClose((status) => {
      room?.()
      const s = status ? JSON.parse(status) : undefined
      const error = s && new StatusError(s.code === 503 ? 503 : 504, s.code === 503 ? 'ServiceUnavailable' : 'Timeout', s.message)
      reject(error ?? unavailable('the connection ended before there was an answer'))
      try {
        if (error) controller?.error(error)
        else controller?.close()
      } catch {
        // Whoever read it went first.
      }
    })
  })
  // The answer may come before the question is over.
  const asked = sendBody(stream, body).catch(() => stream.close())
  if (body instanceof Uint8Array) await asked
  return answered
}
