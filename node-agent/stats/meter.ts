// Rates of processor time: measured when somebody asks, and never otherwise. What was seen at an earlier question is what the next one is measured from;
// where that was too long ago, a moment is waited for.

/** A rate over less is noise, and one over more says nothing of now, ms. */
const [LEAST, MOST] = [1000, 120_000]
/** Questions that come sooner after each other are measured from the same moment. */
const APART = 10_000

export interface Counter {
  /** Nanoseconds since it began. */
  total: number
  /** When it began, ms by the clock that never jumps; undefined where that was before anybody looked. */
  since?: number
}

export interface Rates {
  /** Nanoseconds of processor time per second, by what was counted. */
  of: ReadonlyMap<string, number>
  /** The newest totals. */
  totals: ReadonlyMap<string, number>
  /** How long was measured, ms. */
  window: number
}

interface Look {
  at: number
  counters: ReadonlyMap<string, Counter>
}

export class Meter {
  readonly #count: () => ReadonlyMap<string, Counter>
  readonly #now: () => number
  readonly #pause: (ms: number) => Promise<void>
  #from?: Look
  /** Whoever asks while it is being measured gets the same. */
  #measuring?: Promise<Rates>

  /** `count` reads all counters that there are, by names of their own. */
  constructor(
    count: () => ReadonlyMap<string, Counter>,
    now: () => number = () => performance.now(),
    pause: (ms: number) => Promise<void> = (ms) => new Promise((r) => setTimeout(r, ms)),
  ) {
    this.#count = count
    this.#now = now
    this.#pause = pause
  }

  #look = (): Look => ({ at: this.#now(), counters: this.#count() })

  measure(): Promise<Rates> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = undefined
    })
    return this.#measuring
  }

  async #measure(): Promise<Rates> {
    if (!this.#from || this.#now() - this.#from.at > MOST) this.#from = this.#look()
    const passed = this.#now() - this.#from.at
    if (passed < LEAST) await this.#pause(LEAST - passed)
    const from = this.#from
    const now = this.#look()
    const window = now.at - from.at
    if (window >= APART) this.#from = now
    const of = new Map<string, number>()
    for (const [name, { total, since }] of now.counters) {
      const before = from.counters.get(name)
      // What began since then is measured from its beginning; what nobody saw before is not.
      const [base, over] = before ? [before.total, window] : [0, since === undefined ? 0 : now.at - Math.max(since, from.at)]
      if (over > 0) of.set(name, Math.max(0, ((total - base) * 1000) / over))
    }
    return { of, totals: new Map([...now.counters].map(([name, c]) => [name, c.total])), window }
  }
}
