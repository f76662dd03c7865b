// VolumeBinding: a pod goes where its volumes are, and waits for claims that have none yet. VolumeZone: volumes that name their zone by labels.
// VolumeRestrictions: claims for one pod alone. NodeVolumeLimits: as many volumes as a node's drivers bear.
import { classOf } from '../../../shared/kinds/claim.ts'
import { claimsOf } from '../../../shared/kinds/pod-claims.ts'
import { LOCAL_PROVISIONER } from '../../../shared/meta/node-annotations.ts'
import type { KObject } from '../../../shared/meta/object.ts'
import { nanoOf } from '../../../shared/meta/quantity.ts'
import { keptByNode, roomOn } from '../local-volume.ts'
import { bestVolume, SELECTED_NODE, waitsForConsumer } from '../volume-binder.ts'
import { termMatches } from './node-affinity.ts'
import type { FilterPlugin, Misfit, SchedulingContext } from './types.ts'

const NAME = 'VolumeBinding'

const claimNames = (pod: KObject): string[] => claimsOf(pod.metadata.name, pod.spec)

const hasClaims = (pod: KObject): boolean => claimNames(pod).length > 0

/** Whether a volume can be reached from a node. */
function reachable(volume: KObject, node: KObject): boolean {
  const terms: any[] | undefined = volume.spec.nodeAffinity?.required?.nodeSelectorTerms
  return !terms || terms.some((t) => termMatches(t, node))
}

/** Whether a class has volumes made on a node like this. */
const inTopology = (cls: KObject, { metadata }: KObject): boolean =>
  !cls.allowedTopologies?.length ||
  cls.allowedTopologies.some((t: any) =>
    (t.matchLabelExpressions ?? []).every((r: any) => r.values?.includes(metadata.labels?.[r.key] ?? '')),
  )

interface Claims {
  /** Why it fits nowhere. */
  misfit?: Misfit
  /** Volumes that its claims have. */
  bound: KObject[]
  /** Claims that wait to know where the pod will run. */
  waiting: KObject[]
}

function lookUp(pod: KObject, { world }: SchedulingContext): Claims {
  const out: Claims = { bound: [], waiting: [] }
  const fail = (reason: string): Claims => ({ ...out, misfit: { reasons: [reason], unresolvable: true, anywhere: true } })
  for (const name of claimNames(pod)) {
    const claim = world.claim(pod.metadata.namespace!, name)
    if (!claim) return fail(`persistentvolumeclaim ${JSON.stringify(name)} not found`)
    if (claim.metadata.deletionTimestamp) return fail(`persistentvolumeclaim ${JSON.stringify(name)} is being deleted`)
    if (claim.status?.phase === 'Lost') return fail(`persistentvolumeclaim ${JSON.stringify(name)} bound to non-existent persistentvolume`)
    const volume = claim.spec.volumeName && world.volume(claim.spec.volumeName)
    if (claim.status?.phase === 'Bound' && volume) out.bound.push(volume)
    else if (waitsForConsumer(world.storageClass(classOf(claim)))) out.waiting.push(claim)
    else return fail('pod has unbound immediate PersistentVolumeClaims')
  }
  return out
}

export const volumeBinding: FilterPlugin = {
  name: NAME,
  concerns: hasClaims,
  filter: (pod, { node }, context) => {
    const { misfit, bound, waiting } = context.once(NAME, () => lookUp(pod, context))
    if (misfit) return misfit
    if (bound.some((v) => !reachable(v, node))) return { reasons: ['node(s) had volume node affinity conflict'], unresolvable: true }
    const { world } = context
    let wanted = 0n
    for (const claim of waiting) {
      const chosen = claim.metadata.annotations?.[SELECTED_NODE]
      if (chosen !== undefined && chosen !== node.metadata.name)
        return { reasons: ['node(s) had volume node affinity conflict'], unresolvable: true }
      if (bestVolume(claim, world.volumes(), (v) => reachable(v, node))) continue
      const cls = world.storageClass(classOf(claim))!
      if (cls.provisioner === 'kubernetes.io/no-provisioner' || !inTopology(cls, node))
        return { reasons: ["node(s) didn't find available persistent volumes to bind"], unresolvable: true }
      if (cls.provisioner === LOCAL_PROVISIONER) {
        const kept = context.once(`${NAME} kept`, () => keptByNode(world.volumes()))
        wanted += nanoOf(claim.spec.resources?.requests?.storage)
        if (wanted > roomOn(node, kept.get(node.metadata.name) ?? 0n))
          return { reasons: ['node(s) did not have enough free storage'], unresolvable: true }
      }
    }
    return undefined
  },
}

/** For each claim that waited: the volume that it gets now that the pod's node is known, or nothing where somebody has to make one there. */
export function chosenVolumes(pod: KObject, node: KObject, context: SchedulingContext): { claim: KObject; volume?: KObject }[] {
  const { waiting } = lookUp(pod, context)
  const taken = new Set<string>()
  return waiting.map((claim) => {
    const volume = bestVolume(claim, context.world.volumes(), (v) => reachable(v, node) && !taken.has(v.metadata.name))
    if (volume) taken.add(volume.metadata.name)
    return { claim, ...(volume ? { volume } : {}) }
  })
}

export const volumeRestrictions: FilterPlugin = {
  name: 'VolumeRestrictions',
  concerns: hasClaims,
  filter: (pod, _info, context) => {
    const alone = context.once('VolumeRestrictions', () => {
      const own = claimNames(pod).filter((name) =>
        context.world.claim(pod.metadata.namespace!, name)?.spec.accessModes?.includes('ReadWriteOncePod'),
      )
      const used = (p: KObject) => p.metadata.namespace === pod.metadata.namespace && claimNames(p).some((name) => own.includes(name))
      return own.length > 0 && context.nodes.some((i) => i.pods.some(used))
    })
    return alone ? { reasons: ['node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode'] } : undefined
  },
}

/** A volume's driver and what it calls the volume; none for volumes that are not CSI's. */
function driverOf(pod: KObject, name: string, { world }: SchedulingContext): [driver: string, volume: string] | undefined {
  const claim = world.claim(pod.metadata.namespace!, name)
  const csi = claim?.spec.volumeName && world.volume(claim.spec.volumeName)?.spec.csi
  if (csi) return [csi.driver, csi.volumeHandle]
  const provisioner = claim && world.storageClass(classOf(claim))?.provisioner
  return provisioner ? [provisioner, `${claim.metadata.namespace}/${name}`] : undefined
}

const drivenBy = (pods: readonly KObject[], context: SchedulingContext): Map<string, Set<string>> => {
  const out = new Map<string, Set<string>>()
  for (const p of pods)
    for (const name of claimNames(p)) {
      const [driver, volume] = driverOf(p, name, context) ?? []
      if (driver) out.set(driver, (out.get(driver) ?? new Set()).add(volume!))
    }
  return out
}

/** Drivers that say so take only so many volumes a node. */
export const nodeVolumeLimits: FilterPlugin = {
  name: 'NodeVolumeLimits',
  concerns: hasClaims,
  filter: (pod, info, context) => {
    const limits: any[] = context.world
      .csiNode(info.node.metadata.name)
      ?.spec?.drivers?.filter((d: any) => d.allocatable?.count !== undefined)
    if (!limits?.length) return undefined
    const wanted = context.once('NodeVolumeLimits', () => drivenBy([pod], context))
    if (!limits.some((d) => wanted.has(d.name))) return undefined
    const there = drivenBy(info.pods, context)
    const over = limits.some(
      (d) => wanted.has(d.name) && new Set([...(there.get(d.name) ?? []), ...wanted.get(d.name)!]).size > d.allocatable.count,
    )
    return over ? { reasons: ['node(s) exceed max volume count'] } : undefined
  },
}

const ZONES = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
]

export const volumeZone: FilterPlugin = {
  name: 'VolumeZone',
  concerns: hasClaims,
  filter: (pod, { node }, context) => {
    const { bound } = context.once(NAME, () => lookUp(pod, context))
    // A volume may be in several zones, with two underscores between them.
    const apart = (volume: KObject) =>
      ZONES.some((key) => {
        const zones = volume.metadata.labels?.[key]
        return zones !== undefined && !zones.split('__').includes(node.metadata.labels?.[key] ?? '')
      })
    return bound.some(apart) ? { reasons: ['node(s) had no available volume zone'], unresolvable: true } : undefined
  },
}
