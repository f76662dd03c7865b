// What TLS sessions are resumed with, kept in the data folder: clients that come back after a restart need no whole handshake, and a thousand do at once.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { remember } from './whole-file.ts'

/** Whoever steals a key can read what older protocols sent under it, so none lives longer than a day. */
export const LIFETIME_S = 24 * 3600
const LENGTH = 48

export class TicketKeys {
  readonly #file: string
  constructor(folder: string) {
    this.#file = path.join(folder, 'tls-tickets.key')
  }

  /** The key at hand and how long it is good for, ms: a new one where there is none, or none that is young enough. */
  current(): { key: Buffer; forMs: number } {
    if (existsSync(this.#file)) {
      const key = readFileSync(this.#file)
      const forMs = LIFETIME_S * 1000 - (Date.now() - statSync(this.#file).mtimeMs)
      if (key.length === LENGTH && forMs > 0 && forMs <= LIFETIME_S * 1000) return { key, forMs }
    }
    const key = randomBytes(LENGTH)
    remember(this.#file, key)
    return { key, forMs: LIFETIME_S * 1000 }
  }

  /** Keeps a server's key fresh until the returned function is called. */
  renew(server: { setTicketKeys(keys: Buffer): void }): () => void {
    let timer: ReturnType<typeof setTimeout>
    const next = () => {
      const { key, forMs } = this.current()
      server.setTicketKeys(key)
      timer = setTimeout(next, forMs + 1).unref()
    }
    next()
    return () => clearTimeout(timer)
  }
}
