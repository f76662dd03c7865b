// Gives memory back after much has happened: what a start or a burst of pods left in the heap would stay there while nothing happens, for V8 collects by
// what is asked of it.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How long nothing has to have happened, ms. */
const QUIET = 20_000

/** A whole collection, which takes some hundredths of a second. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (how: object) => void
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

export class AtRest {
  readonly #rest: () => void
  #last = 0
  #timer?: ReturnType<typeof setTimeout>

  constructor(rest = collect) {
    this.#rest = rest
  }

  /** Something happens: a while after the last time it is tidied up, once. */
  stirred(): void {
    this.#last = performance.now()
    if (!this.#timer) this.#wait(QUIET)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      const left = this.#last + QUIET - performance.now()
      if (left > 0) return this.#wait(left)
      this.#timer = undefined
      this.#rest()
    }, ms).unref()
  }
}
