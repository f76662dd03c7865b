// GET /metrics/objects: what kube-state-metrics tells elsewhere, read when it is asked for, page by page.
import { EXPOSITION_TYPE } from '../../shared/exposition.ts'
import { expositionOf, KeptLines, linesOf, objectMetrics } from '../metrics/objects/objects.ts'
import { decodeBody } from '../registry/codec.ts'
import type { Store } from '../store/store.ts'
import { textStream } from './answer.ts'

const PAGE = 500

/** One kind after the other, as the text of an exposition. */
async function* texts(store: Store, kept: KeptLines): AsyncGenerator<string> {
  kept.begin()
  for (const kind of objectMetrics) {
    const objects: string[][] = []
    for await (const items of store.pages(kind.resource, PAGE))
      for (const i of items) objects.push(kept.of(`${i.resource}/${i.ns}/${i.name}`, i.rv, () => linesOf(kind, decodeBody(i.body, i.rv))))
    yield* expositionOf(kind, objects)
  }
}

/** Answers with what there is in a store, remembering what it came to. */
export function objectMetricsOf(store: Store): () => Response {
  const kept = new KeptLines()
  return () => new Response(textStream(texts(store, kept)), { headers: { 'content-type': EXPOSITION_TYPE } })
}
