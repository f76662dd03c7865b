// The small ports on Node: clock, randomness, log.
import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock, Random } from '../../ports/clock.ts'
import type { Fields, Log } from '../../ports/log.ts'

export const systemClock: Clock = { now: () => Date.now() }

// Names and ids need many small draws: one pool saves a system call each.
let pool = randomBytes(4096)
let at = 0
export const systemRandom: Random = {
  bytes: (n) => {
    if (n > 1024) return new Uint8Array(randomBytes(n))
    if (at + n > pool.length) {
      pool = randomBytes(4096)
      at = 0
    }
    return new Uint8Array(pool.subarray(at, (at += n)))
  },
  uuid: () => randomUUID(),
}

const write = (level: string, message: string, fields?: Fields) => {
  const pairs = Object.entries(fields ?? {})
    .filter(([, v]) => v !== undefined)
    .map(([k, v]) => ` ${k}=${typeof v === 'string' && /[\s"=]/.test(v) ? JSON.stringify(v) : v}`)
    .join('')
  process.stderr.write(`${new Date().toISOString()} ${level} ${message}${pairs}\n`)
}

/** Lines on standard error: time, level, constant message, keys. */
export const stderrLog: Log = {
  info: (m, f) => write('info', m, f),
  warn: (m, f) => write('warn', m, f),
  error: (m, cause, f) => write('error', m, { ...f, cause: cause instanceof Error ? `${cause.stack ?? cause.message}` : String(cause) }),
}
