// The daemon's log: lines on standard error, a constant message and keys.

export interface Log {
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, cause: unknown, fields?: Record<string, unknown>): void
}

// The journal keeps the time itself, and takes the level as syslog's number before the line.
const journal = !!process.env.JOURNAL_STREAM
const priorities: Record<string, string> = { info: '<6>', warn: '<4>', error: '<3>' }

const line = (level: string, message: string, fields: Record<string, unknown> = {}) => {
  const pairs = Object.entries(fields)
    .filter(([, v]) => v !== undefined)
    .map(([k, v]) => ` ${k}=${typeof v === 'string' ? (/[\s"=]/.test(v) ? JSON.stringify(v) : v) : JSON.stringify(v)}`)
    .join('')
  const text = `${message}${pairs}`
  process.stderr.write(journal ? `${priorities[level]}${text.replaceAll('\n', ' | ')}\n` : `${new Date().toISOString()} ${level} ${text}\n`)
}

export const stderrLog: Log = {
  info: (m, f) => line('info', m, f),
  warn: (m, f) => line('warn', m, f),
  error: (m, cause, f) => line('error', m, { ...f, cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
}

export const quietLog: Log = { info: () => {}, warn: () => {}, error: () => {} }
