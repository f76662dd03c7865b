// What controllers of pods share: whose a pod is, which are adopted and which let go, and what is made of a template.
import { hashBytes } from '../../shared/meta/hash.ts'
import { safeSuffix } from '../../shared/meta/names.ts'
import { controllerOf, type KObject, keyOf } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches, type Selector } from '../../shared/meta/selector.ts'
import { type Controller, type Reader, splitKey, type Write } from '../engine/types.ts'
import { isActive } from './pods.ts'

/** A kind whose objects own pods by a selector. */
export interface OwnerKind {
  resource: string
  kind: string
  apiVersion: string
  /** Its events come from this component. */
  component: string
  selector?: (o: KObject) => Selector
}

export interface OwnedView {
  owner: KObject
  owned: readonly KObject[]
  /** Pods of nobody that the selector matches. */
  orphans: readonly KObject[]
}

export const ownerReference = (kind: string, apiVersion: string, o: KObject) => ({
  apiVersion,
  kind,
  name: o.metadata.name,
  uid: o.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
})

/** Letters and digits that a text comes to, at most sixteen. */
export const digest = (text: string, length: number): string =>
  safeSuffix(Uint8Array.of(...hashBytes(text), ...(length > 8 ? hashBytes(`${text} again`) : [])).subarray(0, length))

/** A derived name: the same view at the same moment names the same child. With thousands of siblings, some would get the name of another. */
export function childName(base: string, seed: string, siblings?: Set<string>): string {
  for (let again = ''; ; again += '+') {
    const name = `${base.slice(0, 57)}-${digest(seed + again, 5)}`
    if (siblings?.has(name)) continue
    siblings?.add(name)
    return name
  }
}

export const namesOf = (objects: readonly KObject[]): Set<string> => new Set(objects.map((o) => o.metadata.name))

const selectorOf = (k: OwnerKind, o: KObject): Selector => k.selector?.(o) ?? fromLabelSelector(o.spec.selector)

/** Whoever is to be looked at for a change among the pods: their owners, and for pods of nobody those who want them. */
export const podWakes =
  (k: OwnerKind): Controller['wakes'][string] =>
  ({ old, new: now }, reader) => {
    const keys = new Set<string>()
    for (const p of [old, now]) {
      if (!p) continue
      const owner = controllerOf(p)
      if (owner?.kind === k.kind) keys.add(`${p.metadata.namespace}/${owner.name}`)
      else if (!owner && p === now)
        for (const o of reader.list(k.resource, p.metadata.namespace)) if (matches(selectorOf(k, o), p.metadata.labels)) keys.add(keyOf(o))
    }
    return [...keys]
  }

export const ownWakes: Controller['wakes'][string] = ({ new: now }) => (now ? [keyOf(now)] : [])

export function ownedView(k: OwnerKind, key: string, reader: Reader): OwnedView | undefined {
  const [ns, name] = splitKey(key)
  const owner = reader.get(k.resource, ns, name)
  if (!owner) return undefined
  const selector = selectorOf(k, owner)
  return {
    owner,
    owned: reader.controlledBy('pods', owner.metadata.uid),
    orphans: reader.orphans('pods', ns).filter((p) => matches(selector, p.metadata.labels)),
  }
}

type Labels = KObject['metadata']['labels']

/** What is asked of labels, asked once of those that follow each other: pods of one template share theirs. */
export function perLabels(ask: (labels: Labels) => boolean): (labels: Labels) => boolean {
  let last: Labels
  let known: boolean | undefined
  return (labels) => {
    if (known === undefined || labels !== last) known = ask(labels)
    last = labels
    return known
  }
}

/** Adopts what nobody owns, lets go of what the selector no longer matches. The pods that count, and the writes. `wanted` may refuse a pod. */
export function claim(
  k: OwnerKind,
  { owner, owned, orphans }: OwnedView,
  wanted: (p: KObject) => boolean = isActive,
): { pods: readonly KObject[]; writes: Write[] } {
  const selector = selectorOf(k, owner)
  const selected = perLabels((labels) => matches(selector, labels))
  const writes: Write[] = []
  const pods: KObject[] = []
  const withOwners = (p: KObject, ownerReferences: unknown[]): Write => ({
    verb: 'update',
    resource: 'pods',
    object: { ...p, metadata: { ...p.metadata, ownerReferences: ownerReferences as never } },
  })
  for (const p of owned) {
    if (selected(p.metadata.labels)) pods.push(p)
    else if (!p.metadata.deletionTimestamp)
      writes.push(
        withOwners(
          p,
          p.metadata.ownerReferences!.filter((r) => r.uid !== owner.metadata.uid),
        ),
      )
  }
  if (!owner.metadata.deletionTimestamp)
    for (const p of orphans) {
      if (p.metadata.deletionTimestamp || !wanted(p)) continue
      writes.push(withOwners(p, [...(p.metadata.ownerReferences ?? []), ownerReference(k.kind, k.apiVersion, owner)]))
      pods.push(p)
    }
  return { pods, writes }
}

/** A pod of a template, owned. */
export function podOf(k: OwnerKind, owner: KObject, template: any, name: string, more: { labels?: Record<string, string> } = {}): KObject {
  const { metadata = {}, spec } = template
  const labels = { ...metadata.labels, ...more.labels }
  return {
    metadata: {
      name,
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      ...(Object.keys(labels).length ? { labels } : {}),
      ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [ownerReference(k.kind, k.apiVersion, owner)],
    } as KObject['metadata'],
    spec,
  }
}

/** What happened to an owner, as an event. */
export const told = (k: OwnerKind, owner: KObject, type: 'Normal' | 'Warning', reason: string, message: string): Write => ({
  verb: 'event',
  about: { resource: k.resource, object: owner },
  type,
  reason,
  message,
  component: k.component,
})
