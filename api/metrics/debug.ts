// What operators may look into while a process runs: each view is told by whoever has it, when somebody asks.

export class DebugViews {
  readonly #views = new Map<string, () => unknown>()

  /** Shown at `/debug/NAME` as JSON, until it is taken away. */
  add(name: string, view: () => unknown): () => void {
    this.#views.set(name, view)
    return () => {
      if (this.#views.get(name) === view) this.#views.delete(name)
    }
  }
  get names(): string[] {
    return [...this.#views.keys()].sort()
  }
  /** Undefined where there is none of that name. */
  read(name: string): unknown {
    return this.#views.get(name)?.()
  }
}
