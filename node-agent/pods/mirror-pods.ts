// What the API shows of static pods: a mirror of each, made anew when somebody takes it away, and taken away with its pod.
import { CONFIG_HASH, CONFIG_MIRROR } from '../../shared/meta/static-pods.ts'
import type { Log } from '../log.ts'
import type { Api, ApiError } from '../session/api.ts'

const RETRY = 2000

export class MirrorPods {
  readonly #api: Api
  readonly #log: Log
  readonly #owner: () => any
  readonly #changed: (uid: string) => void
  /** What the API has, and what it should have, by `namespace/name`. */
  readonly #there = new Map<string, any>()
  #wanted: ReadonlyMap<string, any> = new Map()
  #ready = false
  #running = false
  #again = false
  #timer?: ReturnType<typeof setTimeout>

  /** `owner` is the Node; `changed` is told the uid of the static pod whose mirror has come. */
  constructor(api: Api, owner: () => any, changed: (uid: string) => void, log: Log) {
    this.#api = api
    this.#owner = owner
    this.#changed = changed
    this.#log = log
  }

  want(pods: ReadonlyMap<string, any>): void {
    this.#wanted = pods
    this.sync()
  }

  /** What the API has is known as a whole: from now on what is missing is made. */
  known(): void {
    this.#ready = true
    this.sync()
  }

  seen(key: string, mirror: any): void {
    const before = this.#there.get(key)
    if (mirror) this.#there.set(key, mirror)
    else this.#there.delete(key)
    if (mirror && before?.metadata.uid !== mirror.metadata.uid) this.#changed(mirror.metadata.annotations[CONFIG_HASH])
    this.sync()
  }

  /** The mirror of a static pod, by that one's uid. */
  of(uid: string): any {
    return [...this.#there.values()].find((m) => m.metadata.annotations[CONFIG_HASH] === uid)
  }
  /** Which static pod a mirror is of, by the mirror's uid. */
  staticUid(uid: string): string | undefined {
    return [...this.#there.values()].find((m) => m.metadata.uid === uid)?.metadata.annotations[CONFIG_HASH]
  }

  close(): void {
    this.#ready = false
    clearTimeout(this.#timer)
  }

  sync(): void {
    if (!this.#ready) return
    this.#again = true
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      while (this.#again && this.#ready) {
        this.#again = false
        for (const [key, mirror] of [...this.#there]) {
          const { uid, deletionTimestamp, annotations } = mirror.metadata
          if (deletionTimestamp || this.#wanted.get(key)?.metadata.uid !== annotations[CONFIG_HASH]) await this.#remove(mirror, uid)
        }
        for (const [key, pod] of this.#wanted) if (!this.#there.has(key)) await this.#make(pod)
      }
    } catch (cause) {
      this.#log.warn('mirrors of static pods could not be written; trying again', { cause: (cause as Error).message })
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.sync(), RETRY)
    } finally {
      this.#running = false
    }
  }

  async #remove({ metadata: { namespace, name } }: any, uid: string): Promise<void> {
    await this.#api
      .call('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        gracePeriodSeconds: 0,
        preconditions: { uid },
      })
      .catch((cause: ApiError) => {
        if (cause.code !== 404 && cause.code !== 409) throw cause
      })
  }

  async #make(pod: any): Promise<void> {
    const node = this.#owner()
    if (!node) throw new Error('there is no Node yet')
    const { uid, creationTimestamp: _, ...metadata } = pod.metadata
    await this.#api
      .call('POST', `/api/v1/namespaces/${metadata.namespace}/pods`, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...metadata,
          annotations: { ...metadata.annotations, [CONFIG_MIRROR]: uid },
          ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid, controller: true }],
        },
        spec: pod.spec,
      })
      .catch((cause: ApiError) => {
        // Already there: the session will say so.
        if (cause.code !== 409) throw cause
      })
  }
}
