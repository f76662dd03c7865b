// The revisions of a workload, what changed between them, and how it goes back to one, as `kubectl rollout` does. Deployments keep theirs as ReplicaSets,
// StatefulSets and DaemonSets as ControllerRevisions.
import type { KObject } from './meta/object.ts'

export const REVISION = 'deployment.kubernetes.io/revision'
export const CHANGE_CAUSE = 'kubernetes.io/change-cause'
/** On a pod template: its pods are replaced when it changes. */
export const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt'
const HASH = 'pod-template-hash'
/** Annotations that are a deployment's own, and no part of a revision. */
const KEPT = [
  REVISION,
  'deployment.kubernetes.io/revision-history',
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'kubectl.kubernetes.io/last-applied-configuration',
]

export interface Revision {
  revision: number
  /** The pod template, without what a controller adds. */
  template: any
  cause?: string
  /** RFC 3339. */
  made: string
  /** Its ReplicaSet or ControllerRevision. */
  object: KObject
}

/** Of `candidates` those that keep a revision of `owner`, the oldest first. */
export function revisionsOf(owner: KObject, candidates: readonly KObject[]): Revision[] {
  return candidates
    .filter((o) => o.metadata.ownerReferences?.some((r) => r.uid === owner.metadata.uid))
    .map((object) => {
      const { annotations = {}, creationTimestamp } = object.metadata
      const template = structuredClone(object.spec?.template ?? object.data?.spec?.template ?? {})
      delete template.metadata?.labels?.[HASH]
      delete template.$patch
      const cause = annotations[CHANGE_CAUSE]
      const revision = Number(object.revision ?? annotations[REVISION] ?? 0)
      return { revision, template, ...(cause ? { cause } : {}), made: creationTimestamp ?? '', object }
    })
    .filter((r) => r.revision > 0)
    .toSorted((a, b) => a.revision - b.revision)
}

/** What takes `owner` back to a revision: a patch and its content type. */
export function rollbackPatch(owner: KObject, to: Revision): { type: string; patch: object } {
  if (to.object.kind === 'ControllerRevision' || to.object.data)
    return { type: 'application/strategic-merge-patch+json', patch: to.object.data }
  const annotationsOf = (annotations: Record<string, string> = {}, keep: boolean) =>
    Object.fromEntries(Object.entries(annotations).filter(([key]) => KEPT.includes(key) === keep))
  return {
    type: 'application/json-patch+json',
    patch: [
      { op: 'replace', path: '/spec/template', value: to.template },
      {
        op: 'add',
        path: '/metadata/annotations',
        value: { ...annotationsOf(owner.metadata.annotations, true), ...annotationsOf(to.object.metadata.annotations, false) },
      },
    ],
  }
}
