// Objects that are made when they are read, and stored nowhere: in whichever face the client accepts.
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { notFound } from '../../shared/status/index.ts'
import { partial, partialList, table } from '../registry/table.ts'
import { subjectOf } from '../registry/validate.ts'
import { json, negotiate } from './answer.ts'
import type { Asked } from './resource.ts'

/** The answer to a get or a list of such a kind; `all` are all that there are where the request looks, without kind and apiVersion. */
export function answerMade({ r, request, cluster }: Asked, all: KObject[]): Response {
  const { kind, name } = r
  const type = { kind: kind.kind, apiVersion: apiVersionOf(kind) }
  const items = all.filter((o) => name === undefined || o.metadata.name === name).map((o) => ({ ...type, ...o }))
  const [one] = items
  if (name !== undefined && !one) throw notFound(subjectOf(kind, name))
  const face = negotiate(request.headers.get('accept') ?? undefined)
  const answered = (value: unknown) => json(JSON.stringify(value))
  if (face === 'table') return answered(table(kind, items, {}, cluster.clock.now(), 'Metadata'))
  if (name !== undefined) return answered(face === 'partial' ? partial(one!) : one)
  if (face === 'partial') return answered(partialList(items, {}))
  return answered({ ...type, kind: `${kind.kind}List`, metadata: {}, items })
}
