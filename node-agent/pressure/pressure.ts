// Keeps the machine alive when it runs short: says so in the node's conditions, gives back what nobody uses, and sends pods away one by one.
import { unitsOf } from '../../shared/meta/quantity.ts'
import type { Log } from '../log.ts'
import { EVICTED, type Refusal } from '../pods/leaving.ts'
import type { Runtime } from '../runtime/docker.ts'
import type { ImageCollector } from './image-collector.ts'
import { evictionMessage, isCritical, ranked } from './ranking.ts'
import { readSignals } from './signals.ts'
import { actedOn, conditionOf, crossed, type PressureCondition, resourceOf, type Signals, type Threshold } from './thresholds.ts'
import { usages, volumeSizes, writtenBy } from './usage.ts'

/** How often the machine is looked at, ms: kubelet's period. It reads six small files. */
const PERIOD = 10_000
/** After a pod has gone there may be others to go. */
const AFTERWARDS = 1000
/** How often images are looked at while the disk is full but not short, ms. */
const IMAGES_PERIOD = 300_000
/** After how many looks the local storage of pods with limits is measured. */
const STORAGE_EVERY = 6

export interface PressureOptions {
  runtime: Runtime
  images: ImageCollector
  /** What is kept of containers that are gone. */
  logs: { clear(): void }
  data: string
  log: Log
  thresholds: readonly Threshold[]
  /** How long containers may take to end that go for a soft threshold, s. */
  softGrace: number
  /** How long a condition stays when its cause has gone, ms. */
  transition: number
  /** Those that are to run here and have not ended. */
  pods(): any[]
  /** `grace`: what its containers have at most, s. */
  evict(pod: any, message: string, grace: number): Promise<void>
  /** The node's conditions are others now. */
  changed(): void
  event(reason: string, message: string): void
}

export class Pressure {
  readonly #o: PressureOptions
  /** Since when thresholds are crossed, ms. */
  readonly #since = new Map<Threshold, number>()
  readonly #lastMet = new Map<PressureCondition, number>()
  #conditions = new Set<PressureCondition>()
  #timer?: ReturnType<typeof setTimeout>
  #looks = 0
  #lastImages = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(o: PressureOptions) {
    this.#o = o
  }

  get conditions(): ReadonlySet<PressureCondition> {
    return this.#conditions
  }

  start(): void {
    void this.#look()
  }
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  /** Why a pod may not start here now; undefined when it may. */
  refusal(pod: any): Refusal | undefined {
    if (!this.#conditions.size || isCritical(pod)) return undefined
    const tolerates = (pod.spec.tolerations ?? []).some(
      (t: any) => (t.operator === 'Exists' && !t.key) || t.key === 'node.kubernetes.io/memory-pressure',
    )
    // Who has asked for memory has been counted already.
    const onlyMemory = this.#conditions.size === 1 && this.#conditions.has('MemoryPressure')
    if (onlyMemory && (pod.status?.qosClass !== 'BestEffort' || tolerates)) return undefined
    return { reason: EVICTED, message: `The node had condition: [${[...this.#conditions].join(' ')}]. ` }
  }

  async #look(): Promise<void> {
    let delay = PERIOD
    try {
      if (await this.#act()) delay = AFTERWARDS
    } catch (cause) {
      this.#o.log.error('the machine could not be looked at; trying again', cause)
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.#look(), delay)
  }

  async #signals(): Promise<Signals> {
    return readSignals(this.#o.data, (await this.#o.runtime.info()).DockerRootDir || this.#o.data)
  }

  /** Whether a pod had to go. */
  async #act(): Promise<boolean> {
    if (!this.#o.runtime.connected) return false
    let signals = await this.#signals()
    const short = crossed(this.#o.thresholds, signals)
    this.#note(short)
    let met = actedOn(short, this.#since, performance.now())
    if (met.some((t) => conditionOf(t.signal) === 'DiskPressure')) {
      // What nobody uses goes before what runs.
      await this.#o.runtime.removeEnded()
      this.#o.logs.clear()
      await this.#o.images.collect(Number.POSITIVE_INFINITY)
      signals = await this.#signals()
      met = actedOn(crossed(this.#o.thresholds, signals), this.#since, performance.now())
    } else await this.#collectImages(signals)
    const urgency = (t: Threshold) => Number(t.signal.startsWith('memory')) * 2 + Number(t.grace === undefined)
    const [first] = met.toSorted((a, b) => urgency(b) - urgency(a))
    const isEvicted = first ? await this.#evictFor(first, signals) : false
    if (this.#looks++ % STORAGE_EVERY === 0) await this.#enforceLimits()
    return isEvicted
  }

  #note(met: Threshold[]): void {
    const now = performance.now()
    for (const t of met) {
      const condition = conditionOf(t.signal)
      if (!this.#conditions.has(condition)) this.#o.event('EvictionThresholdMet', `Attempting to reclaim ${resourceOf(t.signal)}`)
      this.#lastMet.set(condition, now)
    }
    const conditions = new Set([...this.#lastMet].filter(([, at]) => now - at < this.#o.transition || at === now).map(([c]) => c))
    if (conditions.size === this.#conditions.size && [...conditions].every((c) => this.#conditions.has(c))) return
    this.#conditions = conditions
    this.#o.changed()
  }

  async #collectImages(signals: Signals): Promise<void> {
    const now = performance.now()
    if (now - this.#lastImages < IMAGES_PERIOD) return
    this.#lastImages = now
    const { available, capacity } = signals['imagefs.available']
    const { missing, found } = await this.#o.images.keepBelow(capacity - available, capacity)
    if (missing > found)
      this.#o.event(
        'FreeDiskSpaceFailed',
        `Failed to garbage collect required amount of images. Attempted to free ${missing} bytes, but only found ${found} bytes eligible to free.`,
      )
  }

  async #evictFor(threshold: Threshold, signals: Signals): Promise<boolean> {
    const resource = resourceOf(threshold.signal)
    const [first] = ranked(await usages(this.#o.runtime, this.#o.data, this.#o.pods(), resource), resource)
    if (!first) {
      this.#o.log.warn('the node is short, and nobody can be sent away', { signal: threshold.signal })
      return false
    }
    await this.#o.evict(first.pod, evictionMessage(first, threshold, signals), threshold.grace === undefined ? 0 : this.#o.softGrace)
    return true
  }

  /** Limits of local storage: of volumes, of containers, of pods. */
  async #enforceLimits(): Promise<void> {
    for (const pod of this.#o.pods()) {
      const message = await this.#storageExcess(pod)
      if (message) await this.#o.evict(pod, message, 0)
    }
  }

  async #storageExcess(pod: any): Promise<string | undefined> {
    const limitOf = (c: any): string | undefined => c.resources?.limits?.['ephemeral-storage']
    const limited = pod.spec.containers.filter(limitOf)
    const bounded = (pod.spec.volumes ?? []).filter((v: any) => v.emptyDir?.sizeLimit && v.emptyDir.medium !== 'Memory')
    if (!limited.length && !bounded.length) return undefined
    const volumes = await volumeSizes(this.#o.data, pod)
    for (const v of bounded)
      if ((volumes.get(v.name) ?? 0) > unitsOf(v.emptyDir.sizeLimit))
        return `Usage of EmptyDir volume ${JSON.stringify(v.name)} exceeds the limit ${JSON.stringify(v.emptyDir.sizeLimit)}. `
    if (!limited.length) return undefined
    let all = [...volumes.values()].reduce((a, b) => a + b, 0)
    for (const c of pod.spec.containers) {
      const o = this.#o.runtime.ofPod(pod.metadata.uid).find((x) => x.name === c.name && x.state === 'running')
      const used = o ? await writtenBy(this.#o.runtime, o) : 0
      const limit = limitOf(c)
      if (limit && used > unitsOf(limit)) return `Container ${c.name} exceeded its local ephemeral storage limit ${JSON.stringify(limit)}. `
      all += used
    }
    // A pod has a bound when each of its containers has one.
    const bound = limited.reduce((sum: number, c: any) => sum + unitsOf(limitOf(c)), 0)
    return limited.length === pod.spec.containers.length && all > bound
      ? `Pod ephemeral local storage usage exceeds the total limit of containers ${limited.map(limitOf).join(', ')}. `
      : undefined
  }
}
