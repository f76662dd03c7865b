// GET /metrics/objects: what kube-state-metrics tells elsewhere, read when it is asked for, page by page.
import { EXPOSITION_TYPE } from '../../shared/exposition.ts'
import { ObjectText, objectMetrics } from '../metrics/objects/objects.ts'
import { decodeBody } from '../registry/codec.ts'
import type { Store } from '../store/store.ts'
import { textStream } from './answer.ts'

const PAGE = 500

/** One kind after the other, as the text of an exposition. */
async function* texts(store: Store): AsyncGenerator<string> {
  for (const kind of objectMetrics) {
    const of = new ObjectText(kind)
    for await (const items of store.pages(kind.resource, PAGE)) for (const i of items) of.take(decodeBody(i.body, i.rv))
    if (of.text) yield of.text
  }
}

export const objectMetricsAnswer = (store: Store): Response =>
  new Response(textStream(texts(store)), { headers: { 'content-type': EXPOSITION_TYPE } })
