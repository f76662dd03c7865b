// Tables as kubectl prints them: upper-case heads, three spaces between columns, nothing behind the last one.

export function printTable(heads: string[], rows: (string | undefined)[][]): string {
  const cells = [heads.map((h) => h.toUpperCase()), ...rows.map((r) => r.map((c) => c || '<none>'))]
  const widths = heads.map((_, i) => Math.max(...cells.map((r) => r[i]!.length)))
  return cells.map((r) => `${r.map((c, i) => (i === r.length - 1 ? c : c.padEnd(widths[i]!))).join('   ')}\n`).join('')
}

/** How long ago, as kubectl's AGE: the two largest units while they are small. */
export function age(since: string | undefined, now = Date.now()): string {
  if (!since) return ''
  const s = Math.max(0, Math.floor((now - Date.parse(since)) / 1000))
  if (s < 120) return `${s}s`
  const m = Math.floor(s / 60)
  if (m < 10) return s % 60 ? `${m}m${s % 60}s` : `${m}m`
  if (m < 180) return `${m}m`
  const h = Math.floor(m / 60)
  if (h < 8) return m % 60 ? `${h}h${m % 60}m` : `${h}h`
  if (h < 48) return `${h}h`
  const d = Math.floor(h / 24)
  if (d < 8) return h % 24 ? `${d}d${h % 24}h` : `${d}d`
  if (d < 730) return `${d}d`
  return `${Math.floor(d / 365)}y`
}
