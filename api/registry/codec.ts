// Between objects, stored bodies and answers. A body starts with `{"metadata":{`, so kind, apiVersion and resourceVersion are spliced in as text.
import { apiVersionOf, resourceOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Stored, Version } from '../store/store.ts'

const HEAD = '{"metadata":{'

/** The stored text of an object. */
export function encodeBody(o: KObject): string {
  const { apiVersion: _, kind: __, metadata, ...rest } = o
  const { resourceVersion: ___, selfLink: ____, ...meta } = metadata as any
  return JSON.stringify({ metadata: meta, ...rest })
}

/** The object of a stored text, with its version; kind and apiVersion stay out. */
export function decodeBody(body: string, rv: number): KObject {
  const o = JSON.parse(body) as KObject
  o.metadata.resourceVersion = String(rv)
  return o
}

/** A stored object in the words of a kind's version. */
export const inVersion = (kind: Kind, o: KObject): KObject => (kind.stored ? kind.stored.down(o) : o)

/** An item of a list: no kind, no apiVersion. */
export const itemText = (kind: Kind, body: string, rv: number): string =>
  kind.stored ? JSON.stringify(inVersion(kind, decodeBody(body, rv))) : `${HEAD}"resourceVersion":"${rv}",${body.slice(HEAD.length)}`

const headOf = (kind: Kind): string => `{"kind":"${kind.kind}","apiVersion":"${apiVersionOf(kind)}",`

/** A whole object as clients get it. */
export const objectText = (kind: Kind, body: string, rv: number): string => headOf(kind) + itemText(kind, body, rv).slice(1)

/** The answer to a write in the version that was asked in. */
export const outcomeText = (kind: Kind, outcome: Outcome): string =>
  kind.stored ? headOf(kind) + JSON.stringify(inVersion(kind, outcome.object)).slice(1) : outcome.text

/** A dry run's answer: the object as it would be, at the version it would replace (none for a create). */
export function unstoredText(kind: Kind, body: string, rv?: number): string {
  return rv === undefined ? headOf(kind) + body.slice(1) : objectText(kind, body, rv)
}

/** The log row of an object. */
export function versionOf(kind: Kind, o: KObject, body: string, by: string): Version {
  return {
    resource: resourceOf(kind),
    ns: o.metadata.namespace ?? '',
    name: o.metadata.name,
    uid: o.metadata.uid,
    body,
    labels: o.metadata.labels ?? {},
    fields: kind.fields?.(o) ?? {},
    by,
    object: o,
  }
}

/** What a write hands back: the answer's text, and the object behind it. */
export interface Outcome {
  object: KObject
  text: string
  created: boolean
}

export const outcomeOf = (kind: Kind, o: KObject, body: string, rv: number, created = false): Outcome => {
  o.metadata.resourceVersion = String(rv)
  return { object: o, text: objectText(kind, body, rv), created }
}

export const storedOutcome = (kind: Kind, s: Stored): Outcome => outcomeOf(kind, decodeBody(s.body, s.rv), s.body, s.rv)
