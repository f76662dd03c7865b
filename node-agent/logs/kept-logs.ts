// What containers said, after they are gone: their files stay under the daemon's folder, for a set time and up to a set size, the oldest pods going first.
// A link costs nothing: it is the file that Docker wrote, under another name.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Log } from '../log.ts'
import type { Observed } from '../runtime/docker.ts'
import { filesOf, type LogFile, place } from './log-files.ts'

/** Of a pod whose containers are gone, or some of them. */
interface KeptPod {
  namespace: string
  name: string
  uid: string
  labels: Record<string, string>
  /** When the last of them went, ms. */
  ended: number
}

export interface Keeping {
  /** ms */
  age: number
  /** Of all of them together, bytes. */
  size: number
}

/** A timer holds no more, ms. */
const LONGEST = 2 ** 31 - 1

export class KeptLogs {
  readonly #folder: string
  readonly #keeping: Keeping
  readonly #log: Log
  readonly #now: () => number
  /** By folder, those that ended first before the others. */
  readonly #pods = new Map<string, KeptPod & { bytes: number }>()
  #timer?: ReturnType<typeof setTimeout>

  constructor(data: string, keeping: Keeping, log: Log, now: () => number = Date.now) {
    this.#folder = path.join(data, 'logs')
    this.#keeping = keeping
    this.#log = log
    this.#now = now
    this.#load()
    this.#sweep()
  }

  /** Before a container is removed. What cannot be kept is told, and holds nothing up. */
  keep(c: Observed, labels: Record<string, string>): void {
    if (c.sandbox || !c.logPath || !this.#keeping.age || !this.#keeping.size) return
    const id = `${c.podNamespace}_${c.podName}_${c.podUid}`
    const folder = path.join(this.#folder, id)
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      for (const from of filesOf(c.logPath)) place(from, path.join(folder, `${c.name}_${c.restarts}.log${from.slice(c.logPath.length)}`))
      const pod: KeptPod = { namespace: c.podNamespace, name: c.podName, uid: c.podUid, labels, ended: this.#now() }
      writeFileSync(path.join(folder, 'pod.json'), JSON.stringify(pod))
      this.#pods.delete(id)
      this.#pods.set(id, { ...pod, bytes: sizeOf(folder) })
    } catch (cause) {
      // On a full disk it may be half there.
      if (!this.#pods.has(id)) rmSync(folder, { recursive: true, force: true })
      this.#log.warn('the log of a container could not be kept', { pod: `${c.podNamespace}/${c.podName}`, cause: (cause as Error).message })
    }
    this.#sweep()
  }

  /** Of pods of a namespace. */
  files(namespace: string): LogFile[] {
    return [...this.#pods].flatMap(([id, pod]) => {
      if (pod.namespace !== namespace) return []
      const folder = path.join(this.#folder, id)
      const first = (existsSync(folder) ? readdirSync(folder) : []).flatMap((f) => {
        const m = /^(.+)_(\d+)\.log$/.exec(f)
        return m ? [{ container: m[1]!, restarts: Number(m[2]), at: path.join(folder, f) }] : []
      })
      return first.flatMap(({ container, restarts, at }) =>
        filesOf(at).map((file) => ({ namespace, pod: pod.name, uid: pod.uid, labels: pod.labels, container, restarts, file })),
      )
    })
  }

  /** Of all that is kept, bytes. */
  get bytes(): number {
    return [...this.#pods.values()].reduce((n, p) => n + p.bytes, 0)
  }

  /** The disk is wanted for something else. */
  clear(): void {
    for (const id of this.#pods.keys()) rmSync(path.join(this.#folder, id), { recursive: true, force: true })
    this.#pods.clear()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #load(): void {
    if (!existsSync(this.#folder)) return
    const found: [string, KeptPod & { bytes: number }][] = []
    for (const id of readdirSync(this.#folder)) {
      const folder = path.join(this.#folder, id)
      try {
        found.push([id, { ...(JSON.parse(readFileSync(path.join(folder, 'pod.json'), 'utf8')) as KeptPod), bytes: sizeOf(folder) }])
      } catch {
        // A daemon ended while it wrote that.
        rmSync(folder, { recursive: true, force: true })
      }
    }
    for (const [id, pod] of found.sort((a, b) => a[1].ended - b[1].ended)) this.#pods.set(id, pod)
  }

  #sweep(): void {
    clearTimeout(this.#timer)
    const now = this.#now()
    let bytes = this.bytes
    for (const [id, pod] of this.#pods) {
      if (pod.ended + this.#keeping.age > now && bytes <= this.#keeping.size) break
      rmSync(path.join(this.#folder, id), { recursive: true, force: true })
      this.#pods.delete(id)
      bytes -= pod.bytes
    }
    const [oldest] = this.#pods.values()
    if (oldest) this.#timer = setTimeout(() => this.#sweep(), Math.min(LONGEST, oldest.ended + this.#keeping.age - now + 1)).unref()
  }
}

const sizeOf = (folder: string): number => readdirSync(folder).reduce((n, f) => n + statSync(path.join(folder, f)).size, 0)
