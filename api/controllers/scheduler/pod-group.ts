// Pod groups: pods that are of use together alone, as the members of one training job. By the labels of Kubernetes' coscheduling plugin, or annotations of
// the same names.
import type { KObject } from '../../../shared/meta/object.ts'
import type { Reader } from '../../engine/types.ts'
import { hasEnded } from '../pods.ts'

const NAME = 'pod-group.scheduling.sigs.k8s.io/name'
const MIN_AVAILABLE = 'pod-group.scheduling.sigs.k8s.io/min-available'
/** Who refuses a pod that would fit, for the others' sake. */
export const COSCHEDULING = 'Coscheduling'

export interface PodGroup {
  /** Of the namespace that its pods are in. */
  name: string
  /** How many have to have a place before any gets one. */
  min: number
}

/** The group that a pod is of; undefined for most, and where the number makes no sense. */
export function groupOf({ metadata }: KObject): PodGroup | undefined {
  const said = (key: string) => metadata.labels?.[key] ?? metadata.annotations?.[key]
  const [name, min] = [said(NAME), Number(said(MIN_AVAILABLE))]
  return name && Number.isInteger(min) && min > 0 ? { name, min } : undefined
}

/** The pods of groups that live, by namespace and group: read when first asked for. */
export class PodGroups {
  readonly #reader: Reader
  readonly #known = new Map<string, Map<string, KObject[]>>()

  constructor(reader: Reader) {
    this.#reader = reader
  }

  members(ns: string, group: PodGroup): readonly KObject[] {
    let groups = this.#known.get(ns)
    if (!groups) {
      groups = new Map()
      for (const pod of this.#reader.list('pods', ns)) {
        const name = groupOf(pod)?.name
        if (!name || pod.metadata.deletionTimestamp || hasEnded(pod)) continue
        const members = groups.get(name)
        if (members) members.push(pod)
        else groups.set(name, [pod])
      }
      this.#known.set(ns, groups)
    }
    return groups.get(group.name) ?? []
  }
}
