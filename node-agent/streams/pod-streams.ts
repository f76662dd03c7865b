// Streams that the API opens into this node: logs, exec, attach and forwarded ports of its pods, and requests to what answers here.
import type { StreamRequest } from '../../shared/session/frames.ts'
import type { Log } from '../log.ts'
import type { PodDialers } from '../network/dial.ts'
import { newest } from '../plan/plan.ts'
import type { Observed, Runtime } from '../runtime/docker.ts'
import { failure, serveAttach, serveExec, serveLogs } from '../runtime/exec.ts'
import type { NodeStream } from '../session/session.ts'
import { serveFetch } from './http.ts'
import { type OwnAnswers, serveOwn } from './own.ts'
import { forwardOverChannels, forwardOverSpdy } from './port-forward.ts'
import { channelsOverSpdy } from './spdy-channels.ts'

type LogRequest = Extract<StreamRequest, { kind: 'logs' }>

export interface PodStreamsOptions {
  runtime: Runtime
  dialers: PodDialers
  own: OwnAnswers
  log: Log
  /** The UID that the pod's containers carry: a static pod's own where the API says its mirror's. */
  runningAs(uid: string): string
}

const badRequest = (message: string) => failure(400, 'BadRequest', message)

/** The container whose logs `previous` means: the one that ended before the newest, or the newest if it ended and is the first. */
function previousOf(all: Observed[], container: string): Observed | undefined {
  const target = newest(all, container)
  const ended = all.filter((c) => !c.sandbox && c.name === container && c.id !== target?.id).sort((a, b) => b.restarts - a.restarts)
  return target?.state === 'exited' && !ended.length ? target : ended[0]
}

/** From when on, s since 1970. */
function sinceOf({ sinceSeconds, sinceTime }: LogRequest): number | undefined {
  if (sinceSeconds !== undefined) return Math.floor(Date.now() / 1000) - sinceSeconds
  return sinceTime ? Math.floor(Date.parse(sinceTime) / 1000) : undefined
}

export class PodStreams {
  readonly #o: PodStreamsOptions

  constructor(o: PodStreamsOptions) {
    this.#o = o
  }

  /** Until the stream ends; failures are told through it. */
  async serve(asked: StreamRequest, pipe: NodeStream): Promise<void> {
    const { log, runtime } = this.#o
    // Nothing listens on port 0: it is the daemon itself that is asked.
    if (asked.kind === 'http') return asked.port === 0 ? serveOwn(asked, pipe, this.#o.own) : serveFetch(asked, pipe)
    const request = { ...asked, uid: this.#o.runningAs(asked.uid) }
    let stream = pipe
    try {
      if (request.kind === 'portforward') {
        const dial = (port: number) => this.#dial(request, port)
        return request.spdy ? forwardOverSpdy(pipe, dial) : forwardOverChannels(pipe, request.ports, dial)
      }
      if (request.kind !== 'logs' && request.spdy) stream = await channelsOverSpdy(pipe, request)
      const inPod = `container ${JSON.stringify(request.container)} in pod ${JSON.stringify(request.pod)}`
      const all = runtime.ofPod(request.uid)
      const isPrevious = request.kind === 'logs' && request.previous
      const target = isPrevious ? previousOf(all, request.container) : newest(all, request.container)
      if (!target && isPrevious) return stream.end(badRequest(`previous terminated ${inPod} not found`))
      if (!target) return stream.end(badRequest(`${inPod} is waiting to start: ContainerCreating`))
      if (request.kind === 'logs') {
        const since = sinceOf(request)
        return await serveLogs(runtime, target.id, { ...request, ...(since !== undefined ? { since } : {}) }, stream)
      }
      if (target.state !== 'running') return stream.end(badRequest(`container ${request.container} is not running`))
      if (request.kind === 'exec') await serveExec(runtime, target.id, request.command, request, stream)
      else await serveAttach(runtime, target.id, request, stream)
    } catch (cause) {
      log.error('a stream failed', cause, { kind: request.kind, pod: `${request.namespace}/${request.pod}` })
      stream.end(failure(500, 'InternalError', `error in container runtime: ${(cause as Error).message}`))
    }
  }

  async #dial({ uid, namespace, pod }: { uid: string; namespace: string; pod: string }, port: number) {
    const sandbox = this.#o.runtime.ofPod(uid).find((c) => c.sandbox && c.state === 'running')
    if (!sandbox) throw new Error(`pod ${namespace}/${pod} has no network here`)
    return this.#o.dialers.dial(sandbox.pid, port)
  }
}
