// Events about pods and the node: one object per kind of happening, counted up when it happens again. Bounded; losing one harms nothing.
import { createHash } from 'node:crypto'
import type { Log } from '../log.ts'
import { type Api, ApiError } from '../session/api.ts'

const MAX_QUEUED = 500
const MAX_KNOWN = 2000

const seconds = () => `${new Date().toISOString().slice(0, 19)}Z`

export class EventRecorder {
  readonly #api: Api
  readonly #node: string
  readonly #log: Log
  /** What was told lately: the event's name and how often. */
  readonly #known = new Map<string, { name: string; count: number }>()
  #serial = 0
  #chain: Promise<void> = Promise.resolve()
  #queued = 0

  constructor(api: Api, node: string, log: Log) {
    this.#api = api
    this.#node = node
    this.#log = log
  }

  /** Tells of an object; `fieldPath` names the part of it, as spec.containers{web}. */
  record(about: { kind: string; object: any; fieldPath?: string }, type: 'Normal' | 'Warning', reason: string, message: string): void {
    if (this.#queued >= MAX_QUEUED) return
    this.#queued++
    this.#chain = this.#chain
      .then(() => this.#send(about, type, reason, message.slice(0, 1024)))
      .catch((cause) => {
        if (cause instanceof ApiError && (cause.code === 0 || cause.code === 403 || cause.code === 404)) return
        this.#log.error('an event could not be recorded', cause, { reason })
      })
      .finally(() => {
        this.#queued--
      })
  }

  async #send(
    { kind, object, fieldPath }: { kind: string; object: any; fieldPath?: string },
    type: string,
    reason: string,
    message: string,
  ): Promise<void> {
    const { name, namespace, uid, resourceVersion } = object.metadata
    const ns = namespace ?? 'default'
    const id = createHash('sha1').update([uid, fieldPath, type, reason, message].join('\n')).digest('hex').slice(0, 16)
    const now = seconds()
    const known = this.#known.get(id)
    const base = `/api/v1/namespaces/${ns}/events`
    if (known) {
      known.count++
      try {
        await this.#api.call('PATCH', `${base}/${known.name}`, { count: known.count, lastTimestamp: now }, 'application/merge-patch+json')
        return
      } catch (cause) {
        if ((cause as ApiError).code !== 404) throw cause
      }
    }
    // Names grow with time, as upstream's do: within a second, lists then keep the order of what happened.
    const event = `${name.slice(0, 200)}.${(BigInt(Date.now()) * 1_000_000n + BigInt(this.#serial++ % 1_000_000)).toString(16)}`
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(id, { name: event, count: 1 })
    await this.#api
      .call('POST', base, {
        kind: 'Event',
        apiVersion: 'v1',
        metadata: { name: event, namespace: ns },
        involvedObject: {
          kind,
          apiVersion: 'v1',
          name,
          uid,
          resourceVersion,
          ...(namespace ? { namespace } : {}),
          ...(fieldPath ? { fieldPath } : {}),
        },
        reason,
        message,
        type,
        source: { component: 'kubelet', host: this.#node },
        reportingComponent: 'kubelet',
        reportingInstance: this.#node,
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
      })
      .catch((cause) => {
        if ((cause as ApiError).code !== 409) throw cause
      })
  }
}
