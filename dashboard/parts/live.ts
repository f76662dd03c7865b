// Live lists for as long as a part is shown.
import { useEffect, useMemo } from 'preact/hooks'
import { LiveObjects, LiveTable } from '../follow.ts'
import { kindOf, pathOf } from '../kinds.ts'
import { may } from '../rights.ts'

/** Where the objects of a resource are, in a namespace or in all where it is empty; undefined where they may not be listed. */
export function listPath(resource: string, namespace: string): string | undefined {
  const k = kindOf(resource)
  if (!k) return undefined
  const ns = k.namespaced ? namespace : ''
  return may({ verb: 'list', resource, namespace: ns }) ? pathOf(k, ns) : undefined
}

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
