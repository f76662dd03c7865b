// What a table is to hold, by who calls for it: a change of one owner's elements costs what has changed, however large the table is.
import { difference, type Elements } from './service-rules.ts'

const none: ReadonlyMap<string, string> = new Map()

export class TableState {
  readonly #table: string
  readonly #current: Elements = new Map()
  readonly #byOwner = new Map<string, Elements>()
  /** Owners that call for an element that another had before them, in the order in which they came. */
  readonly #rivals = new Map<string, Map<string, string>>()
  /** Elements that the kernel does not have as they are now, and what it has. Undefined while it has no table. */
  #touched?: Map<string, Map<string, string | undefined>>

  /** `table`: as commands have it, `ip NAME`. */
  constructor(table: string) {
    this.#table = table
  }

  get owners(): Iterable<string> {
    return this.#byOwner.keys()
  }

  /** An owner calls for these, and for nothing else; none when it has gone. Returns what it called for before. */
  replace(owner: string, now: Elements): Elements {
    const before = this.#byOwner.get(owner) ?? new Map()
    if (now.size) this.#byOwner.set(owner, now)
    else this.#byOwner.delete(owner)
    for (const [set, all] of before) for (const key of all.keys()) if (!now.get(set)?.has(key)) this.#release(owner, set, key)
    for (const [set, all] of now) {
      const had = before.get(set) ?? none
      for (const [key, value] of all) {
        if (!had.has(key)) this.#claim(owner, set, key, value)
        else if (had.get(key) !== value) this.#update(owner, set, key, value)
      }
    }
    return before
  }

  /** The script that brings the kernel's table here; all elements after `base`, which makes it empty, where that is given. */
  script(base?: string): string {
    if (base !== undefined) return base + difference(new Map(), this.#current, this.#table)
    const [from, to]: [Elements, Elements] = [new Map(), new Map()]
    for (const [set, keys] of this.#touched ?? []) {
      const [had, has] = [new Map<string, string>(), new Map<string, string>()]
      for (const [key, was] of keys) {
        const is = this.#current.get(set)?.get(key)
        if (was !== undefined) had.set(key, was)
        if (is !== undefined) has.set(key, is)
      }
      from.set(set, had)
      to.set(set, has)
    }
    return difference(from, to, this.#table)
  }

  /** The kernel has it all. */
  written(): void {
    this.#touched = new Map()
  }

  #claim(owner: string, set: string, key: string, value: string): void {
    const id = `${set}\n${key}`
    if (!this.#current.get(set)?.has(key)) this.#write(set, key, value)
    else this.#rivals.set(id, (this.#rivals.get(id) ?? new Map()).set(owner, value))
  }

  #update(owner: string, set: string, key: string, value: string): void {
    const rivals = this.#rivals.get(`${set}\n${key}`)
    if (rivals?.has(owner)) rivals.set(owner, value)
    else this.#write(set, key, value)
  }

  #release(owner: string, set: string, key: string): void {
    const id = `${set}\n${key}`
    const rivals = this.#rivals.get(id)
    if (!rivals?.delete(owner)) {
      const next = rivals?.entries().next().value
      if (next) rivals!.delete(next[0])
      this.#write(set, key, next?.[1])
    }
    if (!rivals?.size) this.#rivals.delete(id)
  }

  #write(set: string, key: string, value: string | undefined): void {
    const all = this.#current.get(set) ?? new Map<string, string>()
    this.#current.set(set, all)
    if (this.#touched) {
      const touched = this.#touched.get(set) ?? new Map<string, string | undefined>()
      this.#touched.set(set, touched)
      if (!touched.has(key)) touched.set(key, all.get(key))
    }
    if (value === undefined) all.delete(key)
    else all.set(key, value)
  }
}
