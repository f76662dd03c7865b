// What others made of an object becomes the object, if it is still one of its kind and still the same.
import { apiVersionOf } from '../../shared/kinds/index.ts'
import { decode } from '../../shared/schema/decode.ts'
import { schemaOf } from '../../shared/schema/types.ts'
import type { Request } from './index.ts'

/** Takes over `raw`, the whole object as JSON. Throws when its kind cannot read it, or it is another object. */
export function changeTo(r: Request, raw: any): void {
  const { kind, object } = r
  if (typeof raw !== 'object' || raw === null) throw new Error('the object was taken away')
  if (raw.kind !== kind.kind || raw.apiVersion !== apiVersionOf(kind)) throw new Error(`the object is no ${kind.kind} any more`)
  const unknown: string[] = []
  const made: any = kind.decode ? kind.decode(raw, unknown) : decode(schemaOf(kind.type), raw, unknown)
  delete made.kind
  delete made.apiVersion
  for (const f of ['name', 'namespace', 'uid'] as const)
    if (made.metadata?.[f] !== object.metadata[f]) throw new Error(`metadata.${f} may not be changed`)
  kind.defaults?.(made)
  for (const k of Object.keys(object)) delete object[k]
  Object.assign(object, made)
}
