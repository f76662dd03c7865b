// What is known when something is explained: objects as the API tells them, by resource. What could not be read is not known, and nothing is said of it.
import type { KObject } from '../meta/object.ts'
import { fromLabelSelector, matches } from '../meta/selector.ts'

export class World {
  readonly now: number
  readonly #lists: ReadonlyMap<string, readonly KObject[]>

  /** `lists`: by `plural.group`; `now` in ms. */
  constructor(lists: ReadonlyMap<string, readonly KObject[]>, now: number) {
    this.#lists = lists
    this.now = now
  }

  /** Whether it was read. */
  knows(resource: string): boolean {
    return this.#lists.has(resource)
  }
  list(resource: string, ns?: string): readonly KObject[] {
    const all = this.#lists.get(resource) ?? []
    return ns === undefined ? all : all.filter((o) => o.metadata.namespace === ns)
  }
  get(resource: string, name: string | undefined, ns?: string): KObject | undefined {
    return this.list(resource, ns).find((o) => o.metadata.name === name)
  }
  /** Known not to be there. */
  lacks(resource: string, name: string, ns?: string): boolean {
    return this.knows(resource) && !this.get(resource, name, ns)
  }
  /** What an object owns, of one resource. */
  owned(resource: string, owner: KObject): KObject[] {
    return this.list(resource, owner.metadata.namespace).filter((o) =>
      o.metadata.ownerReferences?.some((r) => r.uid === owner.metadata.uid && r.controller),
    )
  }
  /** What was told of an object, the newest first; of some reasons alone. */
  events(about: KObject, ...reasons: string[]): KObject[] {
    return this.list('events')
      .filter((e) => (about.metadata.uid ? e.involvedObject?.uid === about.metadata.uid : e.involvedObject?.name === about.metadata.name))
      .filter((e) => !reasons.length || reasons.includes(e.reason))
      .toSorted((a, b) => timeOf(b) - timeOf(a))
  }
  /** The pods that a selector means. */
  selected(ns: string | undefined, selector: object | undefined): KObject[] {
    const s = fromLabelSelector(selector ?? {})
    return this.list('pods', ns).filter((p) => matches(s, p.metadata.labels))
  }
}

const timeOf = (e: KObject): number => Date.parse(e.lastTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp ?? '') || 0

/** What holds something back, and what is to be done. Both are sentences. */
export interface Finding {
  /** `pod/web-1`. */
  about: string
  why: string
  todo: string
}

export const named = (kind: string, o: KObject): string => `${kind}/${o.metadata.name}`

/** How long ago, as people say it. */
export function ago(world: World, time: string | undefined): string {
  const seconds = Math.max(0, Math.round((world.now - Date.parse(time ?? '')) / 1000))
  if (Number.isNaN(seconds)) return 'some time'
  const [n, unit] =
    seconds < 120
      ? [seconds, 'second']
      : seconds < 7200
        ? [Math.round(seconds / 60), 'minute']
        : seconds < 172_800
          ? [Math.round(seconds / 3600), 'hour']
          : [Math.round(seconds / 86_400), 'day']
  return `${n} ${unit}${n === 1 ? '' : 's'}`
}

/** Without the full stop that some messages end with, and on one line. */
export const sentence = (text: string | undefined): string =>
  (text ?? '')
    .trim()
    .replace(/\s*\n\s*/g, '; ')
    .replace(/\.$/, '')
