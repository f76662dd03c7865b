// Counters by LogCounters: lines that fit a pattern, counted as they are read, told as metrics of the node. What was counted is kept with how far was read, so
// that a daemon's end neither loses a line nor counts one twice.
import type { RE2JS } from 're2js'
import type { Family, Sample } from '../../shared/exposition.ts'
import { logPattern } from '../../shared/kinds/log-counter.ts'
import type { LogRecord } from '../../shared/log-outputs.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches, type Selector } from '../../shared/meta/selector.ts'

/** What a label says whose values are too many. */
const OTHER = 'other'
/** Beyond these, values of a label are cut. */
const MAX_VALUE = 100

interface Counting {
  object: KObject
  pattern: RE2JS
  selector: Selector
  /** ms; what was said before is not counted. */
  since: number
}

/** By counter, by the JSON of labels. */
type Counts = Record<string, Record<string, number>>

const keyOf = (o: KObject) => o.metadata.uid

export class LogCounters {
  readonly #counting = new Map<string, Counting>()
  #counts: Counts = {}
  #known = false

  /** The LogCounters of the cluster, as they are now; those that cannot be read are left out. Counts of those that have gone are forgotten. */
  set(objects: Iterable<KObject>): void {
    this.#known = true
    this.#counting.clear()
    for (const object of objects) {
      const pattern = logPattern(object.spec?.pattern ?? '')
      if (!pattern) continue
      const selector = fromLabelSelector(object.spec.selector ?? {})
      this.#counting.set(keyOf(object), { object, pattern, selector, since: Date.parse(object.metadata.creationTimestamp ?? '') || 0 })
    }
    this.#counts = Object.fromEntries(Object.entries(this.#counts).filter(([uid]) => this.#counting.has(uid)))
  }

  /** Whether anybody counts what is said in a namespace; undefined until that is known. */
  wants(namespace: string): boolean | undefined {
    if (!this.#known) return undefined
    for (const c of this.#counting.values()) if (c.object.metadata.namespace === namespace) return true
    return false
  }

  take(records: readonly LogRecord[]): void {
    for (const c of this.#counting.values()) {
      const { metadata, spec } = c.object
      for (const r of records) {
        if (r.namespace !== metadata.namespace || (spec.container && r.container !== spec.container)) continue
        if (spec.stream && r.stream !== spec.stream) continue
        if (Date.parse(r.time) < c.since || !matches(c.selector, r.labels)) continue
        const found = c.pattern.matcher(r.text)
        if (!found.find()) continue
        const own = (spec.labels ?? []).map((name: string) => [name, (found.group(name) ?? '').slice(0, MAX_VALUE)])
        this.#add(c, { pod: r.pod, container: r.container, ...Object.fromEntries(own) })
      }
    }
  }

  #add({ object }: Counting, labels: Record<string, string>): void {
    const counts = (this.#counts[keyOf(object)] ??= {})
    let key = JSON.stringify(labels)
    if (counts[key] === undefined && Object.keys(counts).length >= object.spec.maxSeries) {
      const others = (object.spec.labels ?? []).map((name: string) => [name, OTHER])
      key = JSON.stringify({ pod: OTHER, container: OTHER, ...Object.fromEntries(others) })
    }
    counts[key] = (counts[key] ?? 0) + 1
  }

  families(): Family[] {
    const families = new Map<string, { help: string; samples: Sample[] }>()
    for (const [uid, { object }] of this.#counting) {
      const { metric, help = '' } = object.spec
      const family: { help: string; samples: Sample[] } = families.get(metric) ?? {
        help: help || 'Lines of logs that fit a pattern.',
        samples: [],
      }
      families.set(metric, family)
      const { namespace = '', name } = object.metadata
      for (const [key, value] of Object.entries(this.#counts[uid] ?? {}))
        family.samples.push({ labels: { namespace, counter: name, ...JSON.parse(key) }, value })
    }
    return [...families].map(([name, f]) => ({ name, type: 'counter', ...f }))
  }

  /** To be written down with the positions up to which was counted. */
  get state(): unknown {
    return this.#counts
  }
  restore(state: unknown): void {
    this.#counts = (state as Counts | undefined) ?? {}
  }
}
