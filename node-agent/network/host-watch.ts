// Whether what this daemon wrote into the host's kernel is still there: `nft flush ruleset`, a reload of nftables.service or a restart of
// systemd-networkd take it away without a word to anybody.
// (`nft monitor` would tell of tables at once, but holds every element in memory: 57 MB at 10,000 services.)
import type { Log } from '../log.ts'
import { exec } from './commands.ts'

/** As often as kube-proxy looks for its canary, ms. */
const EVERY = 30_000

/** Who keeps something there. */
export interface Watched {
  /** What it is, for the log. */
  readonly what: string
  /** Whether it is not there any more; whoever cannot be asked has lost nothing. */
  isLost(): Promise<boolean>
  /** Makes it anew; false where it was not made yet. */
  rewrite(): boolean
}

export class HostWatch {
  readonly #watched: Watched[]
  readonly #onLost: () => void
  readonly #log: Log
  #timer?: ReturnType<typeof setTimeout>
  #closed = false

  /** `lost` sees to what went with it. */
  constructor(watched: Watched[], lost: () => void, log: Log) {
    this.#watched = watched
    this.#onLost = lost
    this.#log = log
  }

  start(): void {
    this.#timer = setTimeout(async () => {
      for (const w of this.#watched) if (await w.isLost()) this.#lost(w)
      if (!this.#closed) this.start()
    }, EVERY)
  }

  #lost(w: Watched): void {
    if (this.#closed || !w.rewrite()) return
    this.#log.warn('somebody took away what this daemon wrote; it is made anew', { what: w.what })
    this.#onLost()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}

/**
 * Whether a table (`ip NAME`) has gone, or a chain of it that never is without rules has none. A rule before its first one is tried and not made, for that needs
 * nothing but the chain: to list anything at all, nft reads all elements (0.3 s at 10,000 services).
 */
export const isTableLost = (table: string, chain: string): Promise<boolean> =>
  exec('nft', '--check', 'insert', 'rule', ...table.split(' '), chain, 'index', '0', 'accept').then(
    () => false,
    (cause: Error) => /No such file or directory/.test(cause.message),
  )
