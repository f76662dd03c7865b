// All objects of a cluster as metrics: what kube-state-metrics tells. Of what was taken the text alone is kept.

import { labelPairs } from '../../../shared/exposition.ts'
import type { KObject } from '../../../shared/meta/object.ts'
import { clusterMetrics } from './cluster.ts'
import type { ObjectMetrics } from './metric.ts'
import { podMetrics } from './pods.ts'
import { workloadMetrics } from './workloads.ts'

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
    const own = labelPairs(this.#kind.labels(o))
    for (const [i, m] of this.#kind.metrics.entries())
      for (const [labels, value] of m.of(o)) {
        const more = labelPairs(labels)
        if (!Number.isNaN(value)) this.#lines[i] += `${m.name}{${own}${more ? `,${more}` : ''}} ${value}\n`
      }
  }

  /** Metrics that say nothing are left out. */
  get text(): string {
    return this.#kind.metrics
      .map((m, i) => (this.#lines[i] ? `# HELP ${m.name} ${m.help}\n# TYPE ${m.name} ${m.type}\n${this.#lines[i]}` : ''))
      .join('')
  }
}
