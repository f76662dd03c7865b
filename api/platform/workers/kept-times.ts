// Times by name that outlive the object's sleep, in its own storage.
export class KeptTimes extends Map<string, number> {
  readonly #storage: DurableObjectStorage
  readonly #prefix: string
  constructor(storage: DurableObjectStorage, prefix: string) {
    super()
    this.#storage = storage
    this.#prefix = prefix
  }
  async load(): Promise<void> {
    for (const [key, at] of await this.#storage.list<number>({ prefix: this.#prefix })) super.set(key.slice(this.#prefix.length), at)
  }
  override set(name: string, at: number): this {
    void this.#storage.put(this.#prefix + name, at)
    return super.set(name, at)
  }
  override delete(name: string): boolean {
    if (this.has(name)) void this.#storage.delete(this.#prefix + name)
    return super.delete(name)
  }
}
