// What controllers ask of pods: active, ready, available.
import { condition } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import type { Write } from '../engine/types.ts'

/** Its containers have run, and will not again. */
export const hasEnded = (p: KObject): boolean => p.status?.phase === 'Succeeded' || p.status?.phase === 'Failed'
export const isActive = (p: KObject): boolean => !hasEnded(p) && !p.metadata.deletionTimestamp

/** The oldest first. */
export const byAge = (a: KObject, b: KObject): number =>
  Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) || (a.metadata.name < b.metadata.name ? -1 : 1)

export interface Availability {
  ready: boolean
  available: boolean
  at?: number
}
const UNREADY: Availability = { ready: false, available: false }
const AVAILABLE: Availability = { ready: true, available: true }

/** Available is who has been ready for at least `minReadySeconds`; `at` tells when it will be, for pods that only wait. */
export function availability(p: KObject, minReadySeconds: number, now: number): Availability {
  const ready = condition(p, 'Ready')
  if (ready?.status !== 'True') return UNREADY
  if (!minReadySeconds) return AVAILABLE
  const at = Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000
  return at <= now ? AVAILABLE : { ready: true, available: false, at }
}

/** Sets a condition by type, keeping its transition time while the status stays. */
export function withCondition(
  conditions: any[] | undefined,
  c: { type: string; status: string; reason?: string; message?: string; [k: string]: unknown },
  now: string,
): any[] {
  const list = conditions ?? []
  const old = list.find((x) => x.type === c.type)
  if (old && old.status === c.status && old.reason === c.reason && old.message === c.message) return list
  const next = { ...c, lastTransitionTime: old?.status === c.status ? old.lastTransitionTime : now }
  return old ? list.map((x) => (x === old ? next : x)) : [...list, next]
}

/** Says on a pod why it is taken away, before it is; with a phase, where it has ended so. */
export function disrupted(p: KObject, reason: string, message: string, now: number, phase?: string): Write {
  const time = timeString(now)
  const conditions = withCondition(p.status?.conditions, { type: 'DisruptionTarget', status: 'True', reason, message }, time)
  const status = { ...p.status, conditions, ...(phase ? { phase } : {}) }
  return { verb: 'update', resource: 'pods', object: { ...p, status }, part: 'status' }
}
