// Pods that a machine runs by itself: manifests in a folder, read again when they change, run whether or not the API is there.
import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs'
import path from 'node:path'
import type { Log } from '../log.ts'

/** Editors write a file in several steps: what changed is read this long after the last of them, ms. */
const SETTLE = 100

export class StaticPods {
  readonly #folder: string
  readonly #node: string
  readonly #log: Log
  readonly #changed: (pods: ReadonlyMap<string, any>) => void
  /** What a file last came to, so that each fault is told once. */
  readonly #faults = new Map<string, string>()
  /** By their files' text: the same manifest is the same pod, with the time when it was first seen. */
  #known = new Map<string, any>()
  #watcher?: FSWatcher
  #timer?: ReturnType<typeof setTimeout>
  #reading: Promise<void> = Promise.resolve()

  /** `changed` is told all pods that there are, by `namespace/name`. */
  constructor(folder: string, node: string, log: Log, changed: (pods: ReadonlyMap<string, any>) => void) {
    this.#folder = folder
    this.#node = node
    this.#log = log
    this.#changed = changed
  }

  /** Resolves when those that are there are known. */
  start(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true })
    this.#watcher = watch(this.#folder, () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => void this.#again(), SETTLE)
    })
    this.#watcher.on('error', (cause) => this.#log.error('the folder of static pods can no longer be watched', cause))
    return this.#again()
  }
  close(): void {
    clearTimeout(this.#timer)
    this.#watcher?.close()
  }

  /** One reading after another. */
  #again(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read())
    return this.#reading
  }

  async #read(): Promise<void> {
    const pods = new Map<string, any>()
    const known = new Map<string, any>()
    for (const file of this.#files()) {
      try {
        const text = readFileSync(path.join(this.#folder, file), 'utf8')
        const pod = this.#known.get(`${file}\n${text}`) ?? (await import('./static-pod.ts')).staticPod(text, file, this.#node)
        known.set(`${file}\n${text}`, pod)
        pods.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod)
        this.#faults.delete(file)
      } catch (cause) {
        const { message } = cause as Error
        if (this.#faults.get(file) !== message) this.#log.error('a static pod cannot be run', cause, { file })
        this.#faults.set(file, message)
      }
    }
    this.#known = known
    this.#changed(pods)
  }

  #files(): string[] {
    try {
      return readdirSync(this.#folder)
        .filter((f) => /^[^.].*\.(ya?ml|json)$/.test(f))
        .sort()
    } catch (cause) {
      this.#log.error('static pods could not be read', cause, { folder: this.#folder })
      return []
    }
  }
}
