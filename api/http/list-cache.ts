// Whole lists as the bytes they were answered with, kept while nothing of their resource changes. Only where every commit is seen in order (one process):
// many clients that list the same thing, as after a restart, then cost one read. Bounded by bytes; the oldest go first.

const MAX_BYTES = 24 * 1024 * 1024

export class ListCache {
  readonly #entries = new Map<string, { resource: string; bytes: Uint8Array }>()
  #size = 0

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key)?.bytes
  }

  put(key: string, resource: string, bytes: Uint8Array): void {
    if (bytes.length > MAX_BYTES / 2) return
    this.#drop(key)
    while (this.#size + bytes.length > MAX_BYTES) this.#drop(this.#entries.keys().next().value!)
    this.#entries.set(key, { resource, bytes })
    this.#size += bytes.length
  }

  /** Something of the resource changed. */
  changed(resource: string): void {
    for (const [key, e] of this.#entries) if (e.resource === resource) this.#drop(key)
  }

  #drop(key: string): void {
    const e = this.#entries.get(key)
    if (!e) return
    this.#entries.delete(key)
    this.#size -= e.bytes.length
  }
}
