// Durations as Go writes them: `1h30m`, `-1.5s`.

const UNITS: Record<string, number> = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 }

/** In nanoseconds. Text that is none gives zero: validation has spoken of it. */
export function nanosOf(text: string): number {
  let nanos = 0
  for (const [, n, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) nanos += Number(n) * UNITS[unit!]!
  return text.startsWith('-') ? -nanos : nanos
}

/** Kubernetes' HumanDuration: `5s`, `2m30s`, `3h`, `4d2h`. */
export function humanDuration(ms: number): string {
  const s = Math.floor(ms / 1000)
  if (s < 0) return s < -1 ? '<invalid>' : '0s'
  if (s < 120) return `${s}s`
  const m = Math.floor(s / 60)
  if (m < 10) return s % 60 ? `${m}m${s % 60}s` : `${m}m`
  if (m < 180) return `${m}m`
  const h = Math.floor(m / 60)
  if (h < 8) return m % 60 ? `${h}h${m % 60}m` : `${h}h`
  if (h < 48) return `${h}h`
  const d = Math.floor(h / 24)
  if (h < 192) return h % 24 ? `${d}d${h % 24}h` : `${d}d`
  if (d < 365 * 2) return `${d}d`
  const y = Math.floor(d / 365)
  if (d < 365 * 8) return d % 365 ? `${y}y${d % 365}d` : `${y}y`
  return `${y}y`
}
