// When a node is short of something: kubelet's eviction signals, its thresholds as its flags write them, and what follows from a look at the machine.
import { quantityText, unitsOf } from '../../shared/meta/quantity.ts'

const SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const
export type SignalName = (typeof SIGNALS)[number]

/** Bytes, inodes or process ids. */
export interface Signal {
  available: number
  capacity: number
}
export type Signals = Readonly<Record<SignalName, Signal>>

export interface Threshold {
  signal: SignalName
  /** As it was written: `100Mi`, `10%`. */
  value: string
  /** How long it may be crossed before somebody has to go, ms; a threshold without it is a hard one. */
  grace?: number
}

export type PressureCondition = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure'

export const conditionOf = (signal: SignalName): PressureCondition =>
  signal.startsWith('memory') ? 'MemoryPressure' : signal.startsWith('pid') ? 'PIDPressure' : 'DiskPressure'

/** What pods are low on, by its resource's name. */
export const resourceOf = (signal: SignalName): 'memory' | 'ephemeral-storage' | 'inodes' | 'pids' =>
  signal.startsWith('memory')
    ? 'memory'
    : signal.startsWith('pid')
      ? 'pids'
      : signal.endsWith('inodesFree')
        ? 'inodes'
        : 'ephemeral-storage'

/** Kubelet's own. */
export const DEFAULT_HARD = 'memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%'

const isShare = (value: string) => /^\d+(\.\d+)?%$/.test(value)

/** `signal<value,…` as thresholds. Throws with what is wrong. */
export function parseThresholds(text: string): Threshold[] {
  return text
    .split(',')
    .map((t) => t.trim())
    .filter(Boolean)
    .map((t) => {
      const [signal, value, more] = t.split('<')
      if (!signal || !value || more !== undefined)
        throw new Error(`${JSON.stringify(t)} is no threshold: write it as memory.available<100Mi`)
      if (!(SIGNALS as readonly string[]).includes(signal)) throw new Error(`there is no eviction signal ${signal}: ${SIGNALS.join(', ')}`)
      const isQuantity = /^\d+(\.\d+)?([KMGTPE]i|[kMGTPE])?$/.test(value)
      if (!isShare(value) && !isQuantity) throw new Error(`${JSON.stringify(value)} is neither a quantity nor a percentage`)
      return { signal: signal as SignalName, value }
    })
}

/** Soft thresholds, each with its signal's grace (ms). Throws with what is wrong, as kubelet does for one without. */
export function parseSoftThresholds(text: string, graces: ReadonlyMap<string, number>): Threshold[] {
  for (const signal of graces.keys())
    if (!(SIGNALS as readonly string[]).includes(signal)) throw new Error(`there is no eviction signal ${signal}: ${SIGNALS.join(', ')}`)
  return parseThresholds(text).map((t) => {
    const grace = graces.get(t.signal)
    if (grace === undefined) throw new Error(`grace period must be specified for the soft eviction threshold ${t.signal}`)
    return { ...t, grace }
  })
}

/** How much has to be left, in the signal's units. */
export const leastOf = ({ signal, value }: Threshold, signals: Signals): number =>
  isShare(value) ? (signals[signal].capacity * Number.parseFloat(value)) / 100 : unitsOf(value)

/** The thresholds that are crossed. A machine without a figure (capacity 0) is never short of it. */
export const crossed = (thresholds: readonly Threshold[], signals: Signals): Threshold[] =>
  thresholds.filter((t) => signals[t.signal].capacity > 0 && signals[t.signal].available < leastOf(t, signals))

/**
 * Of the thresholds that are crossed those on which it is time to act: hard ones at once, soft ones when they have been crossed for as long as they may.
 * `since` is kept from look to look: when each was first seen to be crossed, ms.
 */
export function actedOn(met: readonly Threshold[], since: Map<Threshold, number>, now: number): Threshold[] {
  for (const t of since.keys()) if (!met.includes(t)) since.delete(t)
  for (const t of met) if (!since.has(t)) since.set(t, now)
  return met.filter((t) => now - since.get(t)! >= (t.grace ?? 0))
}

const NANO = 1_000_000_000n
/** An amount as its users write it. */
export const amountText = (amount: number, resource: string): string =>
  quantityText(BigInt(Math.round(amount)) * NANO, resource === 'memory' || resource === 'ephemeral-storage')
