// Node eviction: nodes that are not ready are marked so that pods leave them, one after the other in each zone; fewer where much of a zone is away, and
// none where nobody is ready, for then it is more likely the control plane that is cut off. Rates and bounds are kube-controller-manager's.

import { condition } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import type { Controller, Reader, Result, Write } from '../engine/types.ts'

export const UNREACHABLE = 'node.kubernetes.io/unreachable'
export const NOT_READY = 'node.kubernetes.io/not-ready'
const KEY = 'zones'
/** Between two nodes of a zone, ms. */
const EVERY = 10_000
/** The same where much of a large zone is away. */
const SELDOM = 100_000
const MUCH = 0.55
/** So many nodes may be away without that being much. */
const FEW = 2
const LARGE = 50
const ZONE = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone']

type Taint = { key: string; effect: string; timeAdded?: string; value?: string }

const readiness = (node: KObject): string | undefined => condition(node, 'Ready')?.status
/** The taint of a node's state; none when it is ready. */
export const stateTaint = (ready: string | undefined): string | undefined =>
  ready === 'True' ? undefined : ready === 'Unknown' ? UNREACHABLE : NOT_READY

const isOurs = (t: Taint): boolean => t.effect === 'NoExecute' && (t.key === UNREACHABLE || t.key === NOT_READY)
const marks = (node: KObject): Taint[] => (node.spec?.taints ?? []).filter(isOurs)
const zoneOf = ({ metadata }: KObject): string => ZONE.map((k) => metadata.labels?.[k] ?? '').join('/')

interface Zone {
  away: KObject[]
  size: number
}

/** How far apart nodes of a zone are marked, ms; undefined for not at all. */
function interval({ away, size }: Zone): number | undefined {
  if (away.length === size || away.length <= FEW || away.length / size < MUCH) return EVERY
  return size > LARGE ? SELDOM : undefined
}

const retaint = (node: KObject, taints: Taint[]): Write => ({
  verb: 'update',
  resource: 'nodes',
  object: { ...node, spec: { ...node.spec, taints } },
})
const others = (node: KObject): Taint[] => (node.spec?.taints ?? []).filter((t: Taint) => !isOurs(t))

function reconcile(_key: string, nodes: readonly KObject[], now: number): Result {
  const zones = new Map<string, Zone>()
  for (const node of nodes) {
    const zone = zones.get(zoneOf(node)) ?? { away: [], size: 0 }
    zones.set(zoneOf(node), zone)
    zone.size++
    if (stateTaint(readiness(node))) zone.away.push(node)
  }
  const allAway = [...zones.values()].every((z) => z.away.length === z.size)
  if (allAway) return { writes: nodes.filter((n) => marks(n).length).map((n) => retaint(n, others(n))) }
  const writes: Write[] = []
  let requeueAt: number | undefined
  for (const zone of zones.values()) {
    const every = interval(zone)
    let last = Number.NEGATIVE_INFINITY
    for (const node of zone.away)
      for (const t of marks(node)) if (every !== undefined) last = Math.max(last, Date.parse(t.timeAdded ?? '') || now)
    for (const node of zone.away) {
      const key = stateTaint(readiness(node))!
      const [had] = marks(node)
      if (had?.key === key) continue
      // From one state to the other pods keep the time that they have been waiting.
      if (!had && (every === undefined || last + every > now)) {
        if (every !== undefined) requeueAt = Math.min(requeueAt ?? last + every, last + every)
        continue
      }
      if (!had) last = now
      writes.push(retaint(node, [...others(node), { key, effect: 'NoExecute', timeAdded: had?.timeAdded ?? timeString(now) }]))
    }
  }
  return { writes, ...(requeueAt !== undefined ? { requeueAt } : {}) }
}

const state = (n: KObject | undefined) =>
  n && [zoneOf(n), stateTaint(readiness(n)), ...marks(n).map((t) => `${t.key} ${t.timeAdded}`)].join('\n')

export const nodeEviction: Controller<readonly KObject[]> = {
  name: 'node-eviction',
  all: () => [KEY],
  wakes: { nodes: ({ old, new: now }) => (state(old) === state(now) ? [] : [KEY]) },
  view: (_key: string, reader: Reader) => {
    const nodes = reader.list('nodes')
    return nodes.some((n) => readiness(n) !== 'True' || marks(n).length) ? nodes : undefined
  },
  reconcile,
}
