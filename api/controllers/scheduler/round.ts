// One look at the queue: each pod that finds a place counts against the nodes for those after it.
import { condition } from '../../../shared/meta/conditions.ts'
import { type KObject, keyOf, timeString } from '../../../shared/meta/object.ts'
import type { Reader, Write } from '../../engine/types.ts'
import { disrupted, withCondition } from '../pods.ts'
import { CLAIMS, SELECTED_NODE, VOLUMES, withClaim } from '../volume-binder.ts'
import type { Profile } from './configuration.ts'
import { fits, type Misplacement, place, unschedulableMessage } from './placement.ts'
import { COSCHEDULING, groupOf, type PodGroup, PodGroups } from './pod-group.ts'
import { awaitsVictims, type Preemption, preempt } from './preemption.ts'
import { profileFor, type SchedulingQueue, waits } from './queue.ts'
import type { Snapshot } from './snapshot.ts'
import type { NodeInfo } from './types.ts'
import { chosenVolumes } from './volume-binding.ts'

const BUDGETS = 'poddisruptionbudgets.policy'

/** Pods that are alike but for their names fit nowhere alike. */
const textOf = (pod: KObject): string => JSON.stringify([pod.metadata.namespace, pod.metadata.labels, pod.spec])

export class Round {
  readonly writes: Write[] = []
  readonly #reader: Reader
  readonly #queue: SchedulingQueue
  readonly #snapshot: Snapshot
  readonly #now: number
  /** Pods whose places are kept, those that matter most first; each counts for all that matter no more. */
  readonly #nominated: KObject[]
  readonly #groups: PodGroups
  /** Members of groups that had their turn with the others. */
  readonly #done = new Set<string>()
  /** What became of pods that fit nowhere, by their text, as long as nobody leaves. */
  readonly #hopeless = new Map<string, Misplacement>()

  constructor(reader: Reader, queue: SchedulingQueue, snapshot: Snapshot, now: number) {
    this.#reader = reader
    this.#queue = queue
    this.#snapshot = snapshot
    this.#now = now
    this.#nominated = queue.nominated()
    this.#groups = new PodGroups(reader)
  }

  schedule(pod: KObject): void {
    const profile = profileFor(pod, this.#reader)
    if (!profile || this.#done.has(pod.metadata.uid)) return
    this.#keepPlaces(pod)
    const group = groupOf(pod)
    if (group) {
      const members = this.#groups.members(pod.metadata.namespace!, group)
      const waiting = members.filter((p) => waits(p, this.#reader))
      const missing = group.min - members.filter((p) => p.spec.nodeName).length
      if (missing > 0) {
        this.#together(group, waiting, missing)
        return
      }
    }
    this.#alone(pod, profile)
  }

  /** As many of a group as fit, if that are enough; otherwise none. */
  #together(group: PodGroup, waiting: readonly KObject[], missing: number): void {
    this.#queue.give(waiting)
    const assumed: { pod: KObject; as: KObject; info: NodeInfo; profile: Profile }[] = []
    const misplaced = new Map<KObject, Misplacement>()
    for (const pod of waiting.length < missing ? [] : waiting) {
      const profile = profileFor(pod, this.#reader)!
      const placement = place(pod, this.#snapshot, profile, this.#queue.start)
      if ('node' in placement) assumed.push({ pod, as: this.#assume(pod, placement.node), info: placement.node, profile })
      else misplaced.set(pod, placement)
    }
    for (const pod of waiting) this.#done.add(pod.metadata.uid)
    if (assumed.length >= missing) {
      for (const { pod, info, profile } of assumed) this.#bind(pod, info, profile)
      for (const [pod, placement] of misplaced) this.#refuse(pod, placement, undefined, profileFor(pod, this.#reader)!)
      return
    }
    for (const { as } of assumed) this.#snapshot.remove(as.spec.nodeName, [as])
    const refusedBy = new Set([COSCHEDULING, ...[...misplaced.values()].flatMap((m) => [...m.refusedBy])])
    const there = `pod group ${group.name} needs ${missing} more of its pods to have a place at the same time, and`
    const reasons =
      waiting.length < missing ? `${there} there are ${waiting.length}` : `${there} ${assumed.length} of ${waiting.length} would`
    const others: Misplacement = { reasons, resolvable: [], nodes: this.#snapshot.nodes.length, refusedBy }
    for (const pod of waiting) {
      const own = misplaced.get(pod)
      this.#refuse(pod, own ? { ...own, refusedBy } : others, undefined, profileFor(pod, this.#reader)!)
    }
  }

  #alone(pod: KObject, profile: Profile): void {
    // Who wants to be near somebody may find that somebody in the next moment.
    const alone = !pod.spec.affinity?.podAffinity
    const known = alone && this.#hopeless.size ? this.#hopeless.get(textOf(pod)) : undefined
    const placement = known ?? place(pod, this.#snapshot, profile, this.#queue.start)
    if ('node' in placement) {
      this.#queue.start = (this.#queue.start + placement.looked) % this.#snapshot.nodes.length
      this.#assume(pod, placement.node)
      this.#bind(pod, placement.node, profile)
      return
    }
    const nominated = this.#snapshot.find(pod.status?.nominatedNodeName)
    if (nominated && awaitsVictims(pod, nominated)) {
      this.#snapshot.assume(nominated.node.metadata.name, pod)
      this.#queue.refuse(pod, placement.refusedBy, this.#now, () => true)
      return
    }
    const chosen = known ? undefined : this.#preemption(pod, placement, profile)
    if (chosen) this.#evict(pod, chosen, profile)
    else if (alone && !known) this.#hopeless.set(textOf(pod), placement)
    this.#refuse(pod, placement, chosen, profile)
  }

  /** Places that are kept for pods which matter at least as much are taken. */
  #keepPlaces(pod: KObject): void {
    while (this.#nominated.length && (this.#nominated[0]!.spec.priority ?? 0) >= (pod.spec.priority ?? 0)) {
      const other = this.#nominated.shift()!
      if (other.metadata.uid === pod.metadata.uid) continue
      const node = this.#snapshot.find(other.status.nominatedNodeName)
      if (node) this.#snapshot.assume(node.node.metadata.name, other)
    }
  }

  #assume(pod: KObject, { node }: NodeInfo): KObject {
    const { name } = node.metadata
    const as = { ...pod, spec: { ...pod.spec, nodeName: name } }
    this.#snapshot.assume(name, as)
    return as
  }

  #bind(pod: KObject, info: NodeInfo, profile: Profile): void {
    const node = info.node.metadata.name
    if (this.#bindVolumes(pod, info.node, profile)) return
    this.writes.push({ verb: 'bind', pod, node })
    this.#tell(pod, 'Normal', 'Scheduled', `Successfully assigned ${keyOf(pod)} to ${node}`, profile)
  }

  #preemption(pod: KObject, { resolvable }: Misplacement, profile: Profile): Preemption | undefined {
    if (!profile.preempts || !resolvable.length) return undefined
    const { percentage, least } = profile.args.candidates
    const most = Math.max(least, Math.floor((this.#snapshot.nodes.length * percentage) / 100))
    const helps = (info: NodeInfo, trial: NodeInfo) => fits(pod, trial, profile.filters, this.#snapshot.trial(info, trial, profile.args))
    return preempt(pod, resolvable, this.#reader.list(BUDGETS), helps, most)
  }

  #refuse(pod: KObject, placement: Misplacement, chosen: Preemption | undefined, profile: Profile): void {
    const message = chosen ? `0/${placement.nodes} nodes are available: ${placement.reasons}.` : unschedulableMessage(pod, placement)
    const name = chosen?.info.node.metadata.name
    const isSaid = (p: KObject | undefined) => {
      const said = p && condition(p, 'PodScheduled')
      return said?.status === 'False' && said.message === message && p!.status.nominatedNodeName === name
    }
    const { namespace, name: podName } = pod.metadata
    this.#queue.refuse(pod, placement.refusedBy, this.#now, () => isSaid(this.#reader.get('pods', namespace!, podName)))
    if (isSaid(pod)) return
    const { nominatedNodeName: _, ...status } = pod.status ?? {}
    const conditions = withCondition(
      pod.status?.conditions,
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
      timeString(this.#now),
    )
    const next = { ...status, conditions, ...(name ? { nominatedNodeName: name } : {}) }
    this.writes.push({ verb: 'update', resource: 'pods', object: { ...pod, status: next }, part: 'status' })
    this.#tell(pod, 'Warning', 'FailedScheduling', message, profile)
  }

  /** Now that it is known where the pod will run, its claims get their volumes there. True while that is under way: the pod is bound after them. */
  #bindVolumes(pod: KObject, node: KObject, profile: Profile): boolean {
    const chosen = chosenVolumes(pod, node, this.#snapshot.context(profile.args))
    if (!chosen.length) return false
    for (const { claim, volume } of chosen)
      if (volume) {
        if (!volume.spec.claimRef) this.writes.push({ verb: 'update', resource: VOLUMES, object: withClaim(volume, claim) })
      } else if (claim.metadata.annotations?.[SELECTED_NODE] === undefined) {
        const annotations = { ...claim.metadata.annotations, [SELECTED_NODE]: node.metadata.name }
        this.writes.push({ verb: 'update', resource: CLAIMS, object: { ...claim, metadata: { ...claim.metadata, annotations } } })
      }
    const isAsked = ({ claim, volume }: (typeof chosen)[number]) =>
      volume
        ? this.#reader.get(VOLUMES, '', volume.metadata.name)?.spec.claimRef !== undefined
        : this.#reader.get(CLAIMS, claim.metadata.namespace!, claim.metadata.name)?.metadata.annotations?.[SELECTED_NODE] !== undefined
    this.#queue.refuse(pod, new Set(['VolumeBinding']), this.#now, () => chosen.every(isAsked))
    return true
  }

  #evict(pod: KObject, { info, victims }: Preemption, profile: Profile): void {
    for (const v of victims) {
      if (v.metadata.deletionTimestamp) continue
      const why = `${profile.schedulerName}: preempting to accommodate a higher priority pod`
      this.writes.push(disrupted(v, 'PreemptionByScheduler', why, this.#now))
      this.writes.push({ verb: 'delete', resource: 'pods', object: v })
      this.#tell(v, 'Normal', 'Preempted', `Preempted by pod ${pod.metadata.uid} on node ${info.node.metadata.name}`, profile)
    }
    // Whoever comes after this pod finds its place taken.
    const { name } = info.node.metadata
    this.#snapshot.remove(name, victims)
    this.#snapshot.assume(name, pod)
    this.#hopeless.clear()
  }

  #tell(pod: KObject, type: 'Normal' | 'Warning', reason: string, message: string, { schedulerName }: Profile): void {
    this.writes.push({ verb: 'event', about: { resource: 'pods', object: pod }, type, reason, message, component: schedulerName })
  }
}
