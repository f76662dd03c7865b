// ControllerRevisions: what the templates of StatefulSets and DaemonSets have been, one object each, numbered in the order of their use.
import { controllerOf, type KObject } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller, Reader, Write } from '../engine/types.ts'
import { digest, type OwnerKind, ownerReference } from './owned.ts'

export const REVISIONS = 'controllerrevisions.apps'
/** On pods: which revision they are of. */
export const REVISION_LABEL = 'controller-revision-hash'
const HASH = 'controller.kubernetes.io/hash'

export interface History {
  /** Those of the owner, the oldest first. */
  revisions: readonly KObject[]
  /** Another's object that has the name that a new one would get. */
  taken?: KObject
}

/** A template as kubectl's rollout patches it in. */
const dataOf = (owner: KObject) => ({ spec: { template: { ...owner.spec.template, $patch: 'replace' } } })

const hashOf = (owner: KObject): string => digest(JSON.stringify(dataOf(owner)) + (owner.status?.collisionCount ?? ''), 8)

const nameOf = (owner: KObject) => `${owner.metadata.name}-${hashOf(owner)}`

export function historyOf(owner: KObject, reader: Reader): History {
  const revisions = reader.controlledBy(REVISIONS, owner.metadata.uid).toSorted((a, b) => a.revision - b.revision)
  const holder = reader.get(REVISIONS, owner.metadata.namespace!, nameOf(owner))
  return { revisions, ...(holder && !revisions.includes(holder) ? { taken: holder } : {}) }
}

export const templateOf = (revision: KObject): any => {
  const { $patch: _, ...template } = revision.data.spec.template
  return template
}

export const hashLabel = (revision: KObject): string => revision.metadata.labels?.[HASH] ?? ''

/** Whoever is to be looked at when a revision changes: it can be edited, and deleted. */
export const revisionWakes =
  (k: OwnerKind): Controller['wakes'][string] =>
  ({ old, new: now }) => {
    const o = (now ?? old)!
    const owner = controllerOf(o)
    return owner?.kind === k.kind ? [`${o.metadata.namespace}/${owner.name}`] : []
  }

/**
 * The revision of the owner's template as it is: found, brought to the front again, or made. `collision` tells that its name is taken by something
 * else: the owner counts that in its status, and gets another name.
 */
export function currentRevision(k: OwnerKind, owner: KObject, h: History): { update?: KObject; writes: Write[]; collision?: true } {
  const { revisions } = h
  const data = dataOf(owner)
  const found = revisions.findLast((r) => equal(r.data, data))
  const newest = revisions.at(-1)
  if (found && found === newest) return { update: found, writes: [] }
  const revision = (newest?.revision ?? 0) + 1
  if (found) {
    const update = { ...found, revision }
    return { update, writes: [{ verb: 'update', resource: REVISIONS, object: update }] }
  }
  const name = nameOf(owner)
  if (h.taken || revisions.some((r) => r.metadata.name === name)) return { writes: [], collision: true }
  const hash = hashOf(owner)
  const update = {
    metadata: {
      name,
      namespace: owner.metadata.namespace,
      labels: { ...owner.spec.template.metadata?.labels, [HASH]: hash, [REVISION_LABEL]: hash },
      ...(owner.metadata.annotations ? { annotations: owner.metadata.annotations } : {}),
      ownerReferences: [ownerReference(k.kind, k.apiVersion, owner)],
    } as unknown as KObject['metadata'],
    data,
    revision,
  }
  return { update, writes: [{ verb: 'create', resource: REVISIONS, object: update }] }
}

/** Takes away what nobody is of any more, beyond the owner's limit, the oldest first. `live`: names that stay. */
export function forgetOld(owner: KObject, { revisions }: History, live: ReadonlySet<string>): Write[] {
  const idle = revisions.filter((r) => !live.has(r.metadata.name))
  const limit: number = owner.spec.revisionHistoryLimit ?? 10
  return idle.slice(0, Math.max(0, idle.length - limit)).map((object) => ({ verb: 'delete', resource: REVISIONS, object }))
}

/** The name of a revision was taken: counted, so that the next look makes another. */
export const collided = (k: OwnerKind, owner: KObject): Write => {
  const status = { ...owner.status, collisionCount: (owner.status?.collisionCount ?? 0) + 1 }
  return { verb: 'update', resource: k.resource, object: { ...owner, status }, part: 'status' }
}
