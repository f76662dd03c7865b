// What controllers ask of pods: active, ready, available.
import type { KObject } from '../../shared/meta/object.ts'

export const isActive = (p: KObject): boolean =>
  p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed' && !p.metadata.deletionTimestamp

export const condition = (o: KObject, type: string): any => o.status?.conditions?.find((c: any) => c.type === type)
export const isReady = (p: KObject): boolean => condition(p, 'Ready')?.status === 'True'

/** Ready for at least `minReadySeconds`; `at` tells when it will be, for pods that only wait. */
export function availability(p: KObject, minReadySeconds: number, now: number): { available: boolean; at?: number } {
  const ready = condition(p, 'Ready')
  if (ready?.status !== 'True') return { available: false }
  if (!minReadySeconds) return { available: true }
  const at = Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000
  return at <= now ? { available: true } : { available: false, at }
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
