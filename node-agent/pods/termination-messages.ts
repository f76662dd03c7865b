// Last words of containers: what they wrote into their file, or the end of what they said where the pod asks for that.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Observed, Runtime } from '../runtime/docker.ts'
import { lastLines } from '../runtime/exec.ts'

const MOST_OF_FILE = 4096
const LINES = 80
const MOST_OF_LOG = 2048

export class TerminationMessages {
  /** By the containers' ids. */
  readonly texts = new Map<string, string>()
  readonly #asked = new Set<string>()
  readonly #folder: string
  readonly #runtime: Runtime
  readonly #changed: () => void

  /** `folder` has a folder for each container; `changed` is told of what comes later. */
  constructor(folder: string, runtime: Runtime, changed: () => void) {
    this.#folder = folder
    this.#runtime = runtime
    this.#changed = changed
  }

  /** Looks at those that have ended; what belongs to others that are gone is forgotten. */
  look(observed: readonly Observed[], containers: readonly any[]): void {
    const there = new Set(observed.map((o) => o.id))
    for (const id of [...this.texts.keys(), ...this.#asked]) {
      if (there.has(id)) continue
      this.texts.delete(id)
      this.#asked.delete(id)
    }
    for (const o of observed) {
      if (o.sandbox || o.state !== 'exited' || this.texts.has(o.id)) continue
      const file = path.join(this.#folder, o.name, `termination-${o.restarts}`)
      const text = existsSync(file) ? readFileSync(file, 'utf8').slice(0, MOST_OF_FILE) : ''
      if (text) this.texts.set(o.id, text)
      else if (o.exitCode && containers.find((c) => c.name === o.name)?.terminationMessagePolicy === 'FallbackToLogsOnError')
        void this.#fromLog(o.id)
    }
  }

  async #fromLog(id: string): Promise<void> {
    if (this.#asked.has(id)) return
    this.#asked.add(id)
    // Where the log cannot be read there are no last words.
    const text = await lastLines(this.#runtime, id, LINES, MOST_OF_LOG).catch(() => '')
    if (!text || !this.#asked.has(id)) return
    this.texts.set(id, text)
    this.#changed()
  }
}
