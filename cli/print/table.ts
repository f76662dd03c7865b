// Tables as kubectl prints them: upper-case heads, three spaces between columns, nothing behind the last one.
import { since } from '../../shared/kinds/kind.ts'

export function printTable(heads: string[], rows: (string | undefined)[][]): string {
  const cells = [heads.map((h) => h.toUpperCase()), ...rows.map((r) => r.map((c) => c || '<none>'))]
  const widths = heads.map((_, i) => Math.max(...cells.map((r) => r[i]!.length)))
  return cells.map((r) => `${r.map((c, i) => (i === r.length - 1 ? c : c.padEnd(widths[i]!))).join('   ')}\n`).join('')
}

/** How long ago, as kubectl's AGE. */
export const age = (time: string | undefined): string => since(time, Date.now())
