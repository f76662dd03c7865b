// Names outside of the cluster that backends lead to (services of type ExternalName): asked for while they are wanted, and again when their answers run out.
import { isIP } from 'node:net'
import { type Cidr, cidrContains, parseCidr } from '../../../shared/meta/address.ts'

/** How long an answer counts, s, whatever its own time to live. */
const [LEAST_TTL, MOST_TTL] = [5, 60]
/** When is asked again after there was no answer, ms. What was known stays. */
const RETRY = 2000
const MOST_NAMES = 1000
const MOST_ADDRESSES = 32

/** This machine itself, and what a cloud tells its machines: nobody outside is to come there by giving it a name. */
const OWN = ['127.0.0.0/8', '169.254.0.0/16', '0.0.0.0/8'].map((r) => parseCidr(r)!)
const isOutside = (address: string): boolean => {
  const a: Cidr | undefined = parseCidr(`${address}/32`)
  return !!a && !OWN.some((range) => cidrContains(range, a))
}

export interface Answered {
  address: string
  /** Seconds. */
  ttl: number
}
/** Asks for the addresses of a name; rejects when nobody knows. */
export type Resolve = (name: string) => Promise<Answered[]>

interface Entry {
  addresses: readonly string[]
  timer?: ReturnType<typeof setTimeout>
}

export class ExternalNames {
  readonly #resolve: Resolve
  readonly #changed: () => void
  readonly #entries = new Map<string, Entry>()

  constructor(resolve: Resolve, changed: () => void) {
    this.#resolve = resolve
    this.#changed = changed
  }

  /** What is known of a name now; from then on `changed` tells when that is something else. */
  addressesOf(name: string): readonly string[] {
    const known = this.#entries.get(name)
    if (known) return known.addresses
    if (isIP(name)) return isOutside(name) ? [name] : []
    if (this.#entries.size >= MOST_NAMES) return []
    this.#entries.set(name, { addresses: [] })
    void this.#ask(name)
    return []
  }

  /** Nobody asks for others any more. */
  keep(names: ReadonlySet<string>): void {
    for (const [name, entry] of this.#entries) {
      if (names.has(name)) continue
      clearTimeout(entry.timer)
      this.#entries.delete(name)
    }
  }

  async #ask(name: string): Promise<void> {
    const entry = this.#entries.get(name)!
    let again = RETRY
    let found = entry.addresses
    try {
      const answers = await this.#resolve(name)
      found = [...new Set(answers.map((a) => a.address))].filter(isOutside).sort().slice(0, MOST_ADDRESSES)
      again = Math.min(MOST_TTL, Math.max(LEAST_TTL, ...answers.map((a) => a.ttl))) * 1000
    } catch {
      // Whoever knew may be away for a moment.
    }
    if (this.#entries.get(name) !== entry) return
    entry.timer = setTimeout(() => void this.#ask(name), again).unref()
    if (found.join() === entry.addresses.join()) return
    entry.addresses = found
    this.#changed()
  }
}
