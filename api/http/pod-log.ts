// pods/NAME/log: the container's output, streamed from its node through the session.

import { Channel } from '../../shared/session/frames.ts'
import { badRequest, StatusError } from '../../shared/status/index.ts'
import { containerOf, podOf, target } from './pod-stream.ts'
import { integerParam, isTrue } from './request.ts'
import type { Asked } from './resource.ts'

export async function podLog(a: Asked): Promise<Response> {
  const { query } = a
  const pod = await podOf(a)
  const container = containerOf(pod, query.get('container'))
  const since = integerParam(query, 'sinceSeconds')
  const sinceTime = query.get('sinceTime')
  if (since !== undefined && sinceTime) throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified')
  if (!pod.spec.nodeName) return new Response('', { headers: { 'content-type': 'text/plain' } })
  const tail = integerParam(query, 'tailLines')
  const limit = integerParam(query, 'limitBytes')
  const stream = await a.cluster.hub.open(pod.spec.nodeName, {
    kind: 'logs',
    ...target(pod, container),
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    ...(tail !== undefined ? { tailLines: tail } : {}),
    ...(since !== undefined ? { sinceSeconds: since } : {}),
    ...(sinceTime ? { sinceTime } : {}),
    ...(limit !== undefined ? { limitBytes: limit } : {}),
  })
  // The first word decides the status: data is 200, an early close with a Status is that error.
  return new Promise<Response>((resolve, reject) => {
    let started = false
    let room: (() => void) | undefined
    let controller!: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>(
      {
        start: (c) => {
          controller = c
        },
        pull: () => room?.(),
        cancel: () => stream.close(),
      },
      { highWaterMark: 64 * 1024, size: (chunk) => chunk.byteLength },
    )
    const answer = () => {
      if (started) return
      started = true
      resolve(
        new Response(body, {
          headers: { 'content-type': 'text/plain', 'content-encoding': 'identity', 'cache-control': 'no-cache, private, no-transform' },
        }),
      )
    }
    stream.onData(async (channel, bytes) => {
      answer()
      if (channel !== Channel.stdout || !bytes.length) return
      controller.enqueue(bytes.slice())
      if ((controller.desiredSize ?? 1) <= 0) await new Promise<void>((r) => (room = r))
    })
    stream.onClose((status) => {
      room?.()
      if (!started && status) {
        const s = JSON.parse(status)
        started = true
        reject(new StatusError(s.code ?? 500, s.reason ?? 'InternalError', s.message ?? 'the log could not be read'))
        return
      }
      answer()
      try {
        controller.close()
      } catch {
        // The client went first.
      }
    })
  })
}
