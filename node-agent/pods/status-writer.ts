// Sends pod statuses: the newest one per pod, retried while the API is away, and the final delete of pods that have ended here.
import type { Log } from '../log.ts'
import type { Api, ApiError } from '../session/api.ts'

const FIRST = 200
const MAX = 10_000
const LOOK = 50

interface Pending {
  pod: any
  status?: any
  remove: boolean
  delay: number
  running: boolean
}

export class StatusWriter {
  readonly #api: Api
  readonly #log: Log
  readonly #pending = new Map<string, Pending>()
  readonly #sent = new Map<string, string>()

  readonly #shown: (pod: any) => any

  /** `shown` is the pod of the API that stands for one of this node; undefined while there is none. */
  constructor(api: Api, log: Log, shown: (pod: any) => any) {
    this.#api = api
    this.#log = log
    this.#shown = shown
  }

  /** The status as it should be; the same again is not sent. */
  set(own: any, status: any): void {
    const pod = this.#shown(own)
    if (!pod) return
    const uid = pod.metadata.uid
    const text = JSON.stringify(status)
    const p = this.#pending.get(uid)
    if (!p && this.#sent.get(uid) === text) return
    this.#queue(uid, { pod, status })
  }

  /** The pod has ended here: the API may forget it. */
  remove(pod: any): void {
    this.#queue(pod.metadata.uid, { pod, remove: true })
  }

  /** Resolves when nothing waits to be sent, or when the time (ms) is over. */
  async settled(ms: number): Promise<void> {
    for (const until = performance.now() + ms; this.#pending.size && performance.now() < until; )
      await new Promise((r) => setTimeout(r, LOOK))
  }

  forget(uid: string): void {
    this.#sent.delete(uid)
    this.#pending.delete(uid)
  }

  #queue(uid: string, change: Partial<Pending> & { pod: any }): void {
    const p = this.#pending.get(uid) ?? { pod: change.pod, remove: false, delay: FIRST, running: false }
    Object.assign(p, change)
    this.#pending.set(uid, p)
    if (!p.running) void this.#send(uid, p)
  }

  /** The API is back: do not wait for the next try. */
  retryNow(): void {
    for (const [uid, p] of this.#pending) {
      p.delay = FIRST
      if (!p.running) void this.#send(uid, p)
    }
  }

  async #send(uid: string, p: Pending): Promise<void> {
    p.running = true
    const { namespace, name } = p.pod.metadata
    const base = `/api/v1/namespaces/${namespace}/pods/${name}`
    try {
      while (p.status || p.remove) {
        const { status } = p
        if (status) {
          p.status = undefined
          const text = JSON.stringify(status)
          if (this.#sent.get(uid) !== text) {
            // A merge patch: what the status no longer has must be named.
            const cleared = Object.fromEntries(
              ['reason', 'message', 'podIP', 'podIPs', 'initContainerStatuses']
                .filter((f) => !(f in status) && p.pod.status?.[f] !== undefined)
                .map((f) => [f, null]),
            )
            await this.#api
              .call('PATCH', `${base}/status`, { metadata: { uid }, status: { ...cleared, ...status } }, 'application/merge-patch+json')
              .catch((e) => {
                p.status ??= status
                throw e
              })
            this.#sent.set(uid, text)
          }
        } else if (p.remove) {
          await this.#api.call('DELETE', base, { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, preconditions: { uid } })
          p.remove = false
        }
      }
      this.#pending.delete(uid)
    } catch (cause) {
      const code = (cause as ApiError).code
      // Gone, or another pod of the same name by now.
      if (code === 404 || code === 409) this.#pending.delete(uid)
      else {
        if (code) this.#log.error('a pod status was refused; trying again', cause, { pod: `${namespace}/${name}` })
        setTimeout(() => {
          const q = this.#pending.get(uid)
          if (q && !q.running) void this.#send(uid, q)
        }, p.delay)
        p.delay = Math.min(p.delay * 2, MAX)
      }
    } finally {
      p.running = false
      const q = this.#pending.get(uid)
      if (q === p && (p.status || p.remove) && p.delay === FIRST) void this.#send(uid, p)
    }
  }
}
