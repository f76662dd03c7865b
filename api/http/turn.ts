// How a request waits until another one lets it go on.

export interface Turn {
  /** Whether it was let go within so many ms. */
  wait(ms: number): Promise<boolean>
  go(): void
}

/** Where all requests are one program. */
export function directTurn(): Turn {
  const gone = Promise.withResolvers<boolean>()
  return {
    wait: (ms) => {
      const timer = setTimeout(() => gone.resolve(false), ms)
      return gone.promise.finally(() => clearTimeout(timer))
    },
    go: () => gone.resolve(true),
  }
}

const LOOK_EVERY = 10

/** On Workers, where whoever another request wakes would go on in that one's context: it looks by itself. */
export function polledTurn(): Turn {
  let gone = false
  return {
    wait: async (ms) => {
      for (const until = performance.now() + ms; !gone && performance.now() < until; ) await new Promise((r) => setTimeout(r, LOOK_EVERY))
      return gone
    },
    go: () => {
      gone = true
    },
  }
}
