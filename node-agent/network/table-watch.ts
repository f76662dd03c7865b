// Whether this host's tables are still there: `nft flush ruleset`, or a reload of nftables.service, takes them away without a word to anybody.
// (`nft monitor` would tell at once, but holds every element in memory: 57 MB at 10,000 services.)
import type { Log } from '../log.ts'
import { exec } from './commands.ts'

/** As often as kube-proxy looks for its canary, ms. */
const EVERY = 30_000

/** Who keeps a table. */
export interface Watched {
  readonly table: string
  /** A chain that never is without rules. */
  readonly chain: string
  /** Makes it anew; false where it was not made yet. */
  rewrite(): boolean
}

export class TableWatch {
  readonly #watched: Watched[]
  readonly #onLost: () => void
  readonly #log: Log
  #timer?: ReturnType<typeof setTimeout>
  #closed = false

  /** `lost` sees to what went with a table. */
  constructor(watched: Watched[], lost: () => void, log: Log) {
    this.#watched = watched
    this.#onLost = lost
    this.#log = log
  }

  start(): void {
    this.#timer = setTimeout(async () => {
      for (const w of this.#watched) if (await isLost(w)) this.#lost(w)
      if (!this.#closed) this.start()
    }, EVERY)
  }

  #lost(w: Watched): void {
    if (this.#closed || !w.rewrite()) return
    this.#log.warn("somebody took this host's rules away; they are made anew", { table: w.table })
    this.#onLost()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}

/**
 * Not there, or without rules; whoever cannot be asked has lost nothing. A rule before its first one is tried and not made, for that needs nothing but
 * the chain: to list anything at all, nft reads all elements (0.3 s at 10,000 services).
 */
const isLost = ({ table, chain }: Watched): Promise<boolean> =>
  exec('nft', '--check', 'insert', 'rule', 'ip', table, chain, 'index', '0', 'accept').then(
    () => false,
    (cause: Error) => /No such file or directory/.test(cause.message),
  )
