// Node lifecycle: readiness by session, and the taints that follow from it.

import { condition, isReady } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Controller, Result, Write } from '../engine/types.ts'
import { NOT_READY, stateTaint, UNREACHABLE } from './node-eviction.ts'
import { withCondition } from './pods.ts'

interface View {
  node: KObject
  session: { connected: boolean; lostAt: number }
  /** When a kubelet that renews leases last did, ms; 0 where there is none. */
  renewedAt: number
  grace: number
  pods: readonly KObject[]
}

const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable'
/** What a node says of itself keeps new pods away while it is so. */
const TROUBLES = Object.entries({
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
})
const isTrouble = (t: any) => t.effect === 'NoSchedule' && TROUBLES.some(([, key]) => t.key === key)

/** The taints that a node should carry for its state; others stay as they are. Who is not ready gets NoExecute from the node eviction, in its turn. */
function taintsFor(node: KObject, ready: string | undefined, time: string): any[] {
  const key = stateTaint(ready)
  const current: any[] = node.spec?.taints ?? []
  const isState = (t: any) => t.key === UNREACHABLE || t.key === NOT_READY
  const kept = current.filter((t) => t.key !== UNSCHEDULABLE && !isTrouble(t) && !(isState(t) && (!key || t.effect === 'NoSchedule')))
  const want = (k: string) =>
    current.find((t) => t.key === k && t.effect === 'NoSchedule') ?? { key: k, effect: 'NoSchedule', timeAdded: time }
  if (node.spec?.unschedulable) kept.push(want(UNSCHEDULABLE))
  if (key) kept.push(want(key))
  for (const [type, trouble] of TROUBLES) if (condition(node, type)?.status === 'True') kept.push(want(trouble))
  return kept
}

const sameTaints = (a: any[], b: any[]): boolean => a.length === b.length && a.every((t) => b.some((u) => equal(t, u)))

function reconcile(_key: string, v: View, now: number): Result {
  const { node, session } = v
  const time = timeString(now)
  const writes: Write[] = []
  let requeueAt: number | undefined
  let next = node
  const aliveUntil = session.connected ? Number.POSITIVE_INFINITY : Math.max(session.lostAt, v.renewedAt) + v.grace
  const before = condition(node, 'Ready')
  let ready: string | undefined = before?.status
  if (before && ready !== 'Unknown') {
    if (aliveUntil <= now) {
      ready = 'Unknown'
      let conditions = node.status.conditions
      for (const type of ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'])
        if (condition(node, type))
          conditions = withCondition(
            conditions,
            {
              ...condition(node, type),
              type,
              status: 'Unknown',
              reason: 'NodeStatusUnknown',
              message: 'Kubelet stopped posting node status.',
            },
            time,
          )
      writes.push({ verb: 'update', resource: 'nodes', object: { ...node, status: { ...node.status, conditions } }, part: 'status' })
      writes.push({
        verb: 'event',
        about: { resource: 'nodes', object: node },
        type: 'Normal',
        reason: 'NodeNotReady',
        message: `Node ${node.metadata.name} status is now: NodeNotReady`,
        component: 'node-controller',
      })
    } else if (Number.isFinite(aliveUntil)) requeueAt = aliveUntil
  }
  const taints = taintsFor(node, ready, time)
  if (!sameTaints(taints, node.spec?.taints ?? [])) next = { ...next, spec: { ...next.spec, taints } }
  // The status write moves the version: the spec follows in the next look.
  if (next !== node && !writes.length) writes.push({ verb: 'update', resource: 'nodes', object: next })
  if (ready === 'Unknown')
    for (const p of v.pods)
      if (isReady(p)) {
        const conditions = withCondition(
          p.status.conditions,
          { ...condition(p, 'Ready'), type: 'Ready', status: 'False', reason: 'NodeNotReady', message: '' },
          time,
        )
        writes.push({ verb: 'update', resource: 'pods', object: { ...p, status: { ...p.status, conditions } }, part: 'status' })
      }
  return { writes, ...(requeueAt !== undefined ? { requeueAt } : {}) }
}

export const nodeLifecycle: Controller<View> = {
  name: 'node-lifecycle',
  all: (r) => r.list('nodes').map((n) => n.metadata.name),
  wakes: { nodes: ({ new: now }) => (now ? [now.metadata.name] : []) },
  view: (key, reader) => {
    const node = reader.get('nodes', '', key)
    if (!node) return undefined
    const lease = reader.get('leases.coordination.k8s.io', 'kube-node-lease', key)
    return {
      node,
      session: reader.session(key),
      renewedAt: Date.parse(lease?.spec?.renewTime ?? '') || 0,
      grace: reader.settings.nodeMonitorGracePeriod,
      pods: reader.podsOn(key),
    }
  },
  reconcile,
}
