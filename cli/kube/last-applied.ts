// Client-side apply: what was applied last stands in an annotation; from it, the new manifest and the live object comes the patch.
import { kindByName } from '../../shared/kinds/index.ts'
import { compactJson } from '../../shared/print/json.ts'
import { mergePatch, strategicPatch } from '../../shared/schema/patch.ts'
import { type Schema, schemaOf } from '../../shared/schema/types.ts'

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

const isMap = (v: unknown): v is Record<string, any> => typeof v === 'object' && v !== null && !Array.isArray(v)
export const equal = (a: unknown, b: unknown): boolean => compactJson(a ?? null) === compactJson(b ?? null)

/** The manifest with itself in the annotation. */
export function annotated(object: any): any {
  const { [LAST_APPLIED]: _, ...annotations } = object.metadata.annotations ?? {}
  const bare = { ...object, metadata: { ...object.metadata, annotations } }
  return { ...bare, metadata: { ...bare.metadata, annotations: { ...annotations, [LAST_APPLIED]: `${compactJson(bare)}\n` } } }
}

export function lastApplied(live: any): any {
  const text = live.metadata?.annotations?.[LAST_APPLIED]
  if (!text) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `now`, and beside it what `before` had and it has not, as things to take away. */
function withRemovals(schema: Schema | undefined, before: any, now: any): any {
  if (!isMap(before) || !isMap(now)) return now
  const out: Record<string, any> = { ...now }
  for (const [key, old] of Object.entries(before)) {
    const child = schema?.type === 'map' ? schema.items : schema?.properties?.[key]
    if (!(key in now)) {
      // An empty map stood there because the annotation was left out of itself.
      if (!(isMap(old) && !Object.keys(old).length)) out[key] = null
      continue
    }
    if (isMap(old) && isMap(now[key])) out[key] = withRemovals(child, old, now[key])
    else if (Array.isArray(old) && Array.isArray(now[key]) && child?.mergeKey) Object.assign(out, listRemovals(key, child, old, now[key]))
  }
  return out
}

function listRemovals(key: string, schema: Schema, old: any[], now: any[]): Record<string, any> {
  const { mergeKey } = schema
  if (mergeKey === 'set') {
    const removed = old.filter((v) => !now.includes(v))
    return { [key]: now, ...(removed.length ? { [`$deleteFromPrimitiveList/${key}`]: removed } : {}) }
  }
  const id = mergeKey!
  const kept = now.map((item) => {
    const was = old.find((o) => o?.[id] === item?.[id])
    return was ? withRemovals(schema.items, was, item) : item
  })
  const removed = old.filter((o) => !now.some((n) => n?.[id] === o?.[id])).map((o) => ({ [id]: o[id], $patch: 'delete' }))
  return { [key]: [...kept, ...removed] }
}

/** The patch that brings `live` to `modified`, its type, and whether it changes anything. */
export function threeWay(live: any, modified: any): { patch: any; contentType: string; changes: boolean } {
  const [group] = modified.apiVersion.includes('/') ? modified.apiVersion.split('/') : ['']
  const kind = kindByName(group, modified.kind)
  const schema = kind ? schemaOf(kind.type) : undefined
  const before = lastApplied(live)
  const { apiVersion: _, kind: __, ...now } = modified
  const { apiVersion: ___, kind: ____, ...then } = before ?? {}
  const patch = withRemovals(schema, before ? then : {}, now)
  const after = schema ? strategicPatch(schema, live, patch) : mergePatch(live, patch)
  return {
    patch,
    contentType: schema ? 'application/strategic-merge-patch+json' : 'application/merge-patch+json',
    changes: !equal(normal(after), normal(live)),
  }
}

/** Nothing, and an empty map or list, are the same. */
function normal(v: any): any {
  if (Array.isArray(v)) return v.map(normal)
  if (!isMap(v)) return v
  return Object.fromEntries(
    Object.entries(v)
      .map(([k, x]) => [k, normal(x)] as const)
      .filter(([, x]) => x !== null && x !== undefined && !(typeof x === 'object' && !Object.keys(x).length)),
  )
}
