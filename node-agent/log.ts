// The daemon's log: lines on standard error, a constant message and keys.

export interface Log {
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, cause: unknown, fields?: Record<string, unknown>): void
}

const line = (level: string, message: string, fields: Record<string, unknown> = {}) => {
  const pairs = Object.entries(fields)
    .filter(([, v]) => v !== undefined)
    .map(([k, v]) => ` ${k}=${typeof v === 'string' ? (/[\s"=]/.test(v) ? JSON.stringify(v) : v) : JSON.stringify(v)}`)
    .join('')
  process.stderr.write(`${new Date().toISOString()} ${level} ${message}${pairs}\n`)
}

export const stderrLog: Log = {
  info: (m, f) => line('info', m, f),
  warn: (m, f) => line('warn', m, f),
  error: (m, cause, f) => line('error', m, { ...f, cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
}
