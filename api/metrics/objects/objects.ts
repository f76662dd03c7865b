// All objects of a cluster as metrics: what kube-state-metrics tells. What an object came to is kept while its version stays, within bounds, so that most of
// an answer is put together from what was there.

import { labelPairs } from '../../../shared/exposition.ts'
import type { KObject } from '../../../shared/meta/object.ts'
import { clusterMetrics } from './cluster.ts'
import type { ObjectMetrics } from './metric.ts'
import { podMetrics } from './pods.ts'
import { workloadMetrics } from './workloads.ts'

export const objectMetrics: readonly ObjectMetrics[] = [podMetrics, ...workloadMetrics, ...clusterMetrics]

/** Between what an object came to by one metric and by the next; no label has it. */
const BETWEEN = '\u0000'
/** Of texts that are kept, characters: an object is worth about five thousand. */
const MOST_KEPT = 16 * 1024 * 1024

/** The lines of an object, by the kind's metrics in their order. */
export function linesOf(kind: ObjectMetrics, o: KObject): string[] {
  const own = labelPairs(kind.labels(o))
  return kind.metrics.map((m) => {
    let lines = ''
    for (const [labels, value] of m.of(o)) {
      const more = labelPairs(labels)
      if (!Number.isNaN(value)) lines += `${m.name}{${own}${more ? `,${more}` : ''}} ${value}\n`
    }
    return lines
  })
}

/** The exposition of objects' lines, metric by metric: together they may be many megabytes. Metrics that say nothing are left out. */
export function* expositionOf(kind: ObjectMetrics, objects: readonly (readonly string[])[]): Generator<string> {
  for (const [i, m] of kind.metrics.entries()) {
    let lines = ''
    for (const o of objects) lines += o[i]!
    if (lines) yield `# HELP ${m.name} ${m.help}\n# TYPE ${m.name} ${m.type}\n${lines}`
  }
}

interface Kept {
  rv: number
  text: string
  /** When it was asked for last. */
  round: number
}

/** What objects came to, by their versions. */
export class KeptLines {
  readonly #most: number
  readonly #kept = new Map<string, Kept>()
  #size = 0
  #round = 0

  constructor(most = MOST_KEPT) {
    this.#most = most
  }

  /** An answer begins: what the one before did not ask for is forgotten. */
  begin(): void {
    for (const [key, k] of this.#kept) if (k.round < this.#round) this.#drop(key, k)
    this.#round++
  }

  /** The lines of an object's version, made where they are not kept. */
  of(key: string, rv: number, make: () => string[]): string[] {
    const known = this.#kept.get(key)
    if (known?.rv === rv) {
      known.round = this.#round
      return known.text.split(BETWEEN)
    }
    if (known) this.#drop(key, known)
    const lines = make()
    const text = lines.join(BETWEEN)
    if (this.#size + text.length <= this.#most) {
      this.#kept.set(key, { rv, text, round: this.#round })
      this.#size += text.length
    }
    return lines
  }

  #drop(key: string, k: Kept): void {
    this.#kept.delete(key)
    this.#size -= k.text.length
  }
}
