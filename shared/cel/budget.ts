// What an expression may cost: every step is paid for, so that no rule, however hostile, holds up the others.

/** What one evaluation may spend; kube-apiserver's limit per call. */
export const CALL_LIMIT = 1_000_000
/** What all rules of one request may spend together: some tenths of a second. Upstream allows more than twice as much, to a server with threads. */
export const REQUEST_LIMIT = 4_000_000

export class Exhausted extends Error {
  constructor() {
    super('operation cancelled: actual cost limit exceeded')
  }
}

// Evaluation is synchronous: one at a time spends.
let left = Number.POSITIVE_INFINITY
let spentOut = false

/** Pays for work; throws when there is nothing left. What costs nothing is free outside of an evaluation. */
export function spend(cost: number): void {
  left -= cost
  if (left >= 0) return
  spentOut = true
  throw new Exhausted()
}

/**
 * Runs with a budget; `cost` is what it took. An expression that ran out has failed, even if it swallowed the error on its way (as || does).
 * Inside of another evaluation it spends of that one's.
 */
export function within<T>(limit: number, run: () => T): { cost: number; value?: T; error?: unknown } {
  const [outer, outerOut] = [left, spentOut]
  const mine = Math.min(limit, outer)
  left = mine
  spentOut = false
  try {
    const value = run()
    return spentOut ? { cost: mine, error: new Exhausted() } : { cost: mine - left, value }
  } catch (error) {
    return { cost: mine - Math.max(left, 0), error: spentOut ? new Exhausted() : error }
  } finally {
    spentOut = outerOut || (spentOut && mine === outer)
    left = outer - (mine - Math.max(left, 0))
  }
}

/** What a value weighs when it is looked at whole. */
export const weight = (v: unknown): number =>
  1 + (typeof v === 'string' || Array.isArray(v) || v instanceof Uint8Array ? Math.floor(v.length / 10) : 0)
