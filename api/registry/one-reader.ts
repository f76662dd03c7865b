// What many requests need and one of them reads. The others do not wait for its promise but look again by timers of their own: on Workers what one
// request does may be cut off at any moment, and whoever awaited it would hang, or go on in a context that is not its own.

/** How long the others leave it to the one, ms. */
const PATIENCE = 1000
const MAX_PAUSE = 16

const pause = (ms: number) => new Promise<void>((r) => setTimeout(r, ms))

export class OneReader {
  #reading?: { since: number }

  /** Returns once `there` says so: `read` is to bring that about. Throws what reading throws. */
  async until(there: () => boolean, read: () => Promise<unknown>): Promise<void> {
    for (let ms = 1; this.#reading && performance.now() - this.#reading.since < PATIENCE; ms = Math.min(2 * ms, MAX_PAUSE)) {
      await pause(ms)
      if (there()) return
    }
    const mine = { since: performance.now() }
    this.#reading = mine
    try {
      await read()
    } finally {
      if (this.#reading === mine) this.#reading = undefined
    }
  }
}

/** A value that is read once and kept; a reading that failed is tried again by the next who asks. */
export class Once<T> {
  #value?: { of: T }
  readonly #reader = new OneReader()

  async get(read: () => Promise<T>): Promise<T> {
    if (!this.#value)
      await this.#reader.until(
        () => !!this.#value,
        async () => {
          this.#value = { of: await read() }
        },
      )
    return this.#value!.of
  }
}
