// Durations as Go writes them: `1h30m`, `-1.5s`.

const UNITS: Record<string, number> = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 }

/** In nanoseconds. Text that is none gives zero: validation has spoken of it. */
export function nanosOf(text: string): number {
  let nanos = 0
  for (const [, n, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) nanos += Number(n) * UNITS[unit!]!
  return text.startsWith('-') ? -nanos : nanos
}
