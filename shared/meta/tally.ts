// What a set holds, as a number that does not depend on the order of changes: two sides compare by it what each has.
import { hash32 } from './hash.ts'

const BASES = [0x811c9dc5, 0x050c5d1f] as const

export class Tally {
  readonly #sums: [number, number] = [0, 0]

  /** In or out: both once is nothing. */
  count(text: string): void {
    for (const i of [0, 1] as const) this.#sums[i] ^= hash32(text, BASES[i])
  }

  get hash(): string {
    return this.#sums.map((n) => (n >>> 0).toString(16).padStart(8, '0')).join('')
  }
}
