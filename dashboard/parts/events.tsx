// What was told of something, as rows.
import type { DataColumn } from './data-table.tsx'
import { Pill } from './pill.tsx'
import { Age } from './time.tsx'

/** When it was told last, RFC 3339. */
export const timeOf = (e: any): string => e.series?.lastObservedTime ?? e.lastTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp

export const eventColumns: DataColumn<any>[] = [
  { name: 'Reason', cell: (e) => e.reason ?? '' },
  { name: 'Type', cell: (e) => <Pill word={e.type ?? ''} tone={e.type === 'Warning' ? 'bad' : 'plain'} />, value: (e) => e.type ?? '' },
  { name: 'Last seen', cell: (e) => <Age time={timeOf(e)} />, value: (e) => -Date.parse(timeOf(e)) },
  { name: 'Count', cell: (e) => e.count ?? e.series?.count ?? 1, numeric: true },
  { name: 'Message', cell: (e) => e.message ?? e.note ?? '' },
]
