// Label and field selectors as SQL over the log's `labels` and `fields` columns (alias l) and the object's own columns (alias o).
import type { Selector } from '../../shared/meta/selector.ts'
import type { Value } from '../ports/database.ts'

const path = (key: string) => `$."${key.replaceAll('"', '')}"`

function column(kind: 'labels' | 'fields', key: string, args: Value[]): string {
  if (kind === 'fields' && key === 'metadata.name') return 'o.name'
  if (kind === 'fields' && key === 'metadata.namespace') return 'o.ns'
  args.push(path(key))
  return `json_extract(l.${kind}, ?)`
}

/** ` AND …` for each requirement; argument values are appended to `args` in order. */
export function selectorSql(kind: 'labels' | 'fields', selector: Selector | undefined, args: Value[]): string {
  let sql = ''
  for (const r of selector ?? []) {
    const c = column(kind, r.key, args)
    if (r.operator === 'exists') sql += ` AND ${c} IS NOT NULL`
    else if (r.operator === '!') sql += ` AND ${c} IS NULL`
    else if (r.operator === '=') {
      sql += ` AND ${c} = ?`
      args.push(r.values[0]!)
    } else if (r.operator === '!=') {
      sql += ` AND ${c} IS NOT ?`
      args.push(r.values[0]!)
    } else if (r.operator === 'in') {
      sql += ` AND ${c} IN (SELECT value FROM json_each(?))`
      args.push(JSON.stringify(r.values))
    } else {
      const again = column(kind, r.key, args)
      sql += ` AND (${c} IS NULL OR ${again} NOT IN (SELECT value FROM json_each(?)))`
      args.push(JSON.stringify(r.values))
    }
  }
  return sql
}
