// What the daemon knows of the cluster: its pods and what they refer to, kept fresh by the session and kept on disk for when the API is away.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Log } from '../log.ts'
import type { Session } from './session.ts'

const SAVE_DELAY = 1000

/** One subscribed list. Keys are `namespace/name`, or the name of cluster-scoped objects. */
export class ObjectList {
  readonly objects = new Map<string, any>()
  synced = false
  #fresh?: Set<string>
  readonly #changed: (key: string, old: any, now: any) => void
  readonly #waiters: (() => void)[] = []
  readonly stop: () => void

  constructor(
    session: Session,
    resource: string,
    where: { namespace?: string; name?: string },
    changed: (key: string, old: any, now: any) => void,
    /** The list is whole, again after each time that the session was away. */
    whole: () => void = () => {},
  ) {
    this.#changed = changed
    this.stop = session.subscribe({
      resource,
      ...where,
      onReplace: () => {
        this.#fresh = new Set()
      },
      onEvent: (type, o) => {
        const key = o.metadata.namespace ? `${o.metadata.namespace}/${o.metadata.name}` : o.metadata.name
        const old = this.objects.get(key)
        this.#fresh?.add(key)
        if (type === 'DELETED') this.objects.delete(key)
        else this.objects.set(key, o)
        if (old?.metadata.resourceVersion !== o.metadata.resourceVersion || type === 'DELETED')
          this.#changed(key, old, type === 'DELETED' ? undefined : o)
      },
      onSynced: () => {
        if (this.#fresh) {
          const fresh = this.#fresh
          this.#fresh = undefined
          for (const [key, old] of [...this.objects])
            if (!fresh.has(key)) {
              this.objects.delete(key)
              this.#changed(key, old, undefined)
            }
        }
        this.synced = true
        for (const w of this.#waiters.splice(0)) w()
        whole()
      },
    })
  }

  /** Resolves when the list is whole; at once when it is. */
  ready(): Promise<void> {
    return this.synced ? Promise.resolve() : new Promise((r) => this.#waiters.push(r))
  }
}

export type Referenced =
  | 'secrets'
  | 'configmaps'
  | 'persistentvolumeclaims'
  | 'persistentvolumes'
  | 'runtimeclasses.node.k8s.io'
  | 'csidrivers.storage.k8s.io'
  | 'volumeattachments.storage.k8s.io'

/** What pods refer to, subscribed to one by one while some pod refers to them. */
export class References {
  readonly #session: Session
  readonly #changed: (users: Set<string>) => void
  readonly #entries = new Map<string, { list: ObjectList; users: Set<string> }>()

  constructor(session: Session, changed: (users: Set<string>) => void) {
    this.#session = session
    this.#changed = changed
  }

  /** Makes `user` (a pod's uid) hold exactly these references, as `resource/namespace/name`; the namespace of cluster-wide ones is empty. */
  hold(user: string, wanted: Set<string>): void {
    for (const [id, e] of this.#entries) {
      if (wanted.has(id) || !e.users.delete(user) || e.users.size) continue
      e.list.stop()
      this.#entries.delete(id)
    }
    for (const id of wanted) {
      const known = this.#entries.get(id)
      if (known) {
        known.users.add(user)
        continue
      }
      const [resource, namespace, name] = id.split('/') as [Referenced, string, string]
      const users = new Set([user])
      const where = { name, ...(namespace ? { namespace } : {}) }
      this.#entries.set(id, { users, list: new ObjectList(this.#session, resource, where, () => this.#changed(users)) })
    }
  }

  /** The object, undefined when it does not exist; waits until that is known. */
  async get(resource: Referenced, namespace: string, name: string): Promise<any> {
    const e = this.#entries.get(`${resource}/${namespace}/${name}`)
    if (!e) return undefined
    await e.list.ready()
    return this.peek(resource, namespace, name)
  }

  /** The object as far as it is known now. */
  peek(resource: Referenced, namespace: string, name: string): any {
    return this.#entries.get(`${resource}/${namespace}/${name}`)?.list.objects.get(namespace ? `${namespace}/${name}` : name)
  }
}

/** Writes a list to disk soon after each change, and reads it back at a start without the API. Secrets are never in it. */
export class DiskCopy {
  readonly #file: string
  readonly #log: Log
  #timer?: ReturnType<typeof setTimeout>
  constructor(folder: string, name: string, log: Log) {
    mkdirSync(folder, { recursive: true })
    this.#file = path.join(folder, `${name}.json`)
    this.#log = log
  }
  load(): any[] {
    if (!existsSync(this.#file)) return []
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8'))
    } catch (cause) {
      this.#log.error('the saved state could not be read', cause, { file: this.#file })
      return []
    }
  }
  save(objects: () => Iterable<any>): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      try {
        writeFileSync(`${this.#file}.new`, JSON.stringify([...objects()]), { mode: 0o600 })
        renameSync(`${this.#file}.new`, this.#file)
      } catch (cause) {
        this.#log.error('the state could not be saved', cause, { file: this.#file })
      }
    }, SAVE_DELAY)
    this.#timer.unref()
  }
}
