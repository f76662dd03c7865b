// What a feed knows is read whole when somebody first asks; events that come meanwhile wait for that, and those before it are none of its business.
import type { LogEvent } from '../store/store.ts'

export class FirstRead {
  readonly #read: () => Promise<void>
  readonly #apply: (e: LogEvent) => void
  #reading?: Promise<void>
  #done = false
  #early: LogEvent[] = []

  constructor(read: () => Promise<void>, apply: (e: LogEvent) => void) {
    this.#read = read
    this.#apply = apply
  }

  /** Resolves when all is read. A reading that failed is done again by whoever asks next. */
  finished(): Promise<void> {
    this.#reading ??= this.#all().catch((cause) => {
      this.#reading = undefined
      this.#early = []
      throw cause
    })
    return this.#reading
  }

  take(e: LogEvent): void {
    if (this.#done) this.#apply(e)
    else if (this.#reading) this.#early.push(e)
  }

  async #all(): Promise<void> {
    await this.#read()
    this.#done = true
    for (const e of this.#early.splice(0)) this.#apply(e)
  }
}
