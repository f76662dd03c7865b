// All objects of a cluster as metrics: what kube-state-metrics tells, read when it is asked for. Each kind is read page by page, and kept as text alone.

import { labelText } from '../../../shared/exposition.ts'
import type { KObject } from '../../../shared/meta/object.ts'
import { decodeBody } from '../../registry/codec.ts'
import type { Store } from '../../store/store.ts'
import { clusterMetrics } from './cluster.ts'
import type { ObjectMetrics } from './metric.ts'
import { podMetrics } from './pods.ts'
import { workloadMetrics } from './workloads.ts'

const PAGE = 500

export const objectMetrics: readonly ObjectMetrics[] = [podMetrics, ...workloadMetrics, ...clusterMetrics]

/** What some objects of one kind come to, grown object by object. */
export class ObjectText {
  readonly #kind: ObjectMetrics
  readonly #lines: string[]

  constructor(kind: ObjectMetrics) {
    this.#kind = kind
    this.#lines = kind.metrics.map(() => '')
  }

  take(o: KObject): void {
    const own = this.#kind.labels(o)
    for (const [i, m] of this.#kind.metrics.entries())
      for (const [labels, value] of m.of(o))
        if (!Number.isNaN(value)) this.#lines[i] += `${m.name}${labelText({ ...own, ...labels })} ${value}\n`
  }

  /** Metrics that say nothing are left out. */
  get text(): string {
    return this.#kind.metrics
      .map((m, i) => (this.#lines[i] ? `# HELP ${m.name} ${m.help}\n# TYPE ${m.name} ${m.type}\n${this.#lines[i]}` : ''))
      .join('')
  }
}

/** One kind after the other, as the text of an exposition. */
export async function* objectTexts(store: Store, kinds: readonly ObjectMetrics[] = objectMetrics): AsyncGenerator<string> {
  for (const kind of kinds) {
    const of = new ObjectText(kind)
    for await (const items of store.pages(kind.resource, PAGE)) for (const i of items) of.take(decodeBody(i.body, i.rv))
    if (of.text) yield of.text
  }
}
