// The slices of each service, by its key.
const NAME = 'kubernetes.io/service-name'

/** `namespace/name` of the service that a slice is of. */
const serviceOf = ({ metadata }: any): string => `${metadata.namespace}/${metadata.labels?.[NAME]}`

export class SlicesByService {
  readonly #all = new Map<string, Map<string, any>>()

  /** A slice came, changed or went. The services that it is of, and was. */
  changed(old: any, now: any): Set<string> {
    const keys = new Set<string>()
    if (old) {
      const key = serviceOf(old)
      keys.add(key)
      const list = this.#all.get(key)
      list?.delete(old.metadata.name)
      if (!list?.size) this.#all.delete(key)
    }
    if (now) {
      const key = serviceOf(now)
      keys.add(key)
      const list = this.#all.get(key) ?? new Map<string, any>()
      this.#all.set(key, list.set(now.metadata.name, now))
    }
    return keys
  }

  of(service: string): any[] {
    return [...(this.#all.get(service)?.values() ?? [])]
  }
}
