// Live lists for as long as a part is shown.
import { useEffect, useMemo } from 'preact/hooks'
import { LiveObjects, LiveTable } from '../follow.ts'

/** Objects below a path; none where it is undefined. Closed when another is asked for, or the part goes. */
export function useObjects(path: string | undefined, query: Record<string, string> = {}): LiveObjects | undefined {
  const key = JSON.stringify([path, query])
  // The key is path and query.
  const live = useMemo(() => (path === undefined ? undefined : new LiveObjects(path, query)), [key])
  useEffect(() => () => live?.close(), [live])
  return live
}

/** As `useObjects`, as the server prints them. */
export function useTable(path: string | undefined, query: Record<string, string> = {}): LiveTable | undefined {
  const key = JSON.stringify([path, query])
  // The key is path and query.
  const live = useMemo(() => (path === undefined ? undefined : new LiveTable(path, query)), [key])
  useEffect(() => () => live?.close(), [live])
  return live
}
