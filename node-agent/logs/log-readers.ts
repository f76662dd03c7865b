// Who reads on what containers say, as they say it: outputs that a machine's `logs.yaml` names, and LogCounters. Where there is neither, nothing is loaded.
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Family } from '../../shared/exposition.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Log } from '../log.ts'
import type { Observed } from '../runtime/docker.ts'
import type { LogCounters } from './counters.ts'
import type { LogForwarder } from './forward/forwarder.ts'

export interface LogReadersOptions {
  data: string
  node: string
  log: Log
  /** Of a pod by its uid; undefined while the pod is not known. */
  labelsOf(uid: string): Record<string, string> | undefined
  /** All that are there. */
  containers(): Iterable<Observed>
}

export class LogReaders {
  readonly #o: LogReadersOptions
  #counters?: LogCounters
  #forwarder?: LogForwarder
  #opening?: Promise<void>
  #started = false
  #closed = false

  constructor(o: LogReadersOptions) {
    this.#o = o
  }

  /** Rejects with what is wrong in the machine's file. */
  async open(): Promise<void> {
    if (existsSync(this.#file)) await this.#load()
  }
  start(): void {
    this.#started = true
    this.#forwarder?.start()
  }

  /** All LogCounters of the cluster, as they are now. */
  async count(counters: readonly KObject[]): Promise<void> {
    if (!this.#forwarder && !counters.length) return
    await (this.#opening ??= this.#load())
    this.#counters?.set(counters)
    this.#forwarder?.countersChanged()
  }

  /** Containers that there are; those of pods that are not known yet have their turn when they are. */
  seen(containers: Iterable<Observed>): void {
    for (const c of containers) {
      const labels = this.#o.labelsOf(c.podUid)
      if (labels) this.#add(c, labels)
    }
  }
  /** Before it is removed. */
  removing(c: Observed): void {
    this.#add(c, this.#o.labelsOf(c.podUid) ?? {})
    this.#forwarder?.removing(c.id)
  }
  #add(c: Observed, labels: Record<string, string>): void {
    if (!c.logPath || c.sandbox) return
    this.#forwarder?.add({
      id: c.id,
      logPath: c.logPath,
      namespace: c.podNamespace,
      pod: c.podName,
      uid: c.podUid,
      container: c.name,
      image: c.image,
      labels,
    })
  }
  families(): Family[] {
    return this.#forwarder?.families() ?? []
  }
  async close(): Promise<void> {
    this.#closed = true
    await this.#forwarder?.close()
  }

  get #file(): string {
    return path.join(this.#o.data, 'logs.yaml')
  }

  async #load(): Promise<void> {
    const [{ LogCounters }, { LogForwarder, outputsIn }] = await Promise.all([import('./counters.ts'), import('./forward/forwarder.ts')])
    const outputs = existsSync(this.#file) ? await outputsIn(this.#file) : []
    if (this.#forwarder || this.#closed) return
    this.#counters = new LogCounters()
    this.#forwarder = new LogForwarder({ ...this.#o, outputs, counters: this.#counters })
    this.seen(this.#o.containers())
    if (this.#started) this.#forwarder.start()
  }
}
