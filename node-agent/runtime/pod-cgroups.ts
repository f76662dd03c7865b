// A cgroup for each pod, below one for each class of service, as kubelet has them: a pod as a whole gets what its containers asked for together and no more
// than they may have, and those that asked for nothing share what the others leave. Docker makes the folders, with its first container there.
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import path from 'node:path'
import { qosClass } from '../../shared/kinds/pod-defaults.ts'
import { podAmounts } from '../../shared/kinds/pod-resources.ts'
import type { Log } from '../log.ts'
import { exec } from '../network/commands.ts'

const MOUNT = '/sys/fs/cgroup'
const TOP = 'kubepods'
const PERIOD = 100_000
const [LEAST_SHARES, MOST_SHARES] = [2, 262_144]
const LEAST_QUOTA = 1000
/** How often, and how far apart (ms), it is tried to take away a cgroup whose processes are ending. */
const [TRIES, PAUSE] = [20, 50]

export type CgroupDriver = 'cgroupfs' | 'systemd'

/** A pod's cgroup, as Docker is told of it and as the kernel shows it. */
export interface PodCgroup {
  parent: string
  /** Below where a hierarchy is mounted. */
  folder: string
}

type Tier = 'guaranteed' | 'burstable' | 'besteffort'
const TIERS: readonly Tier[] = ['guaranteed', 'burstable', 'besteffort']
export const tierOf = (pod: any): Tier => qosClass(pod.spec).toLowerCase() as Tier

/** `root` is a cgroup that all of it lies in; only where cgroups are plain folders. */
export function podCgroup(uid: string, tier: Tier, driver: CgroupDriver, root = ''): PodCgroup {
  const names = [TOP, ...(tier === 'guaranteed' ? [] : [tier]), `pod${uid}`]
  if (driver === 'cgroupfs') {
    const folder = path.posix.join('/', root, ...names)
    return { parent: folder, folder }
  }
  // A slice's name tells where it lies, so that no dash may be in a part of it.
  const parts = names.map((n) => n.replaceAll('-', '_'))
  const slices = parts.map((_, i) => `${parts.slice(0, i + 1).join('-')}.slice`)
  return { parent: slices.at(-1)!, folder: `/${slices.join('/')}` }
}

export interface PodBounds {
  shares: number
  /** Microseconds of a period; undefined where a container is without a limit. */
  quota?: number
  /** Bytes, likewise. */
  memory?: number
}

const sharesOf = (milli: number) => Math.min(MOST_SHARES, Math.max(LEAST_SHARES, Math.floor((milli * 1024) / 1000)))

export function podBounds(pod: any): PodBounds {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  const limits = podAmounts(pod.spec, 'limits')
  const isBounded = (name: 'cpu' | 'memory') => !!pod.spec.resources?.limits?.[name] || all.every((c: any) => c.resources?.limits?.[name])
  return {
    shares: sharesOf(podAmounts(pod.spec, 'requests').cpu ?? 0),
    ...(limits.cpu && isBounded('cpu') ? { quota: Math.max(LEAST_QUOTA, limits.cpu * (PERIOD / 1000)) } : {}),
    ...(limits.memory && isBounded('memory') ? { memory: limits.memory } : {}),
  }
}

/** What is written where: file, by controller, to value. Version 2 counts weights from 1 to 10,000. */
export function boundFiles({ shares, quota, memory }: PodBounds, version: 1 | 2): [controller: string, file: string, value: string][] {
  return version === 1
    ? [
        ['cpu', 'cpu.shares', String(shares)],
        ['cpu', 'cpu.cfs_quota_us', String(quota ?? -1)],
        ['memory', 'memory.limit_in_bytes', String(memory ?? -1)],
      ]
    : [
        ['cpu', 'cpu.weight', String(weightOf(shares))],
        ['cpu', 'cpu.max', `${quota ?? 'max'} ${PERIOD}`],
        ['memory', 'memory.max', String(memory ?? 'max')],
      ]
}
const weightOf = (shares: number) => 1 + Math.floor(((shares - 2) * 9999) / 262_142)

/**
 * Takes a cgroup away with those below it; false while somebody is in one. Nobody should be any more: a runtime that was killed may have lost a process, or
 * left its cgroup behind.
 */
function removeTree(at: string): boolean {
  if (!existsSync(at)) return true
  try {
    for (const e of readdirSync(at, { withFileTypes: true })) if (e.isDirectory()) removeTree(path.join(at, e.name))
    // A process of another namespace is shown as 0, which would be this one's own group.
    for (const pid of readFileSync(path.join(at, 'cgroup.procs'), 'utf8').split('\n').map(Number)) if (pid > 1) process.kill(pid, 'SIGKILL')
    rmdirSync(at)
    return true
  } catch {
    return !existsSync(at)
  }
}

export class PodCgroups {
  readonly #driver: () => Promise<CgroupDriver | undefined>
  readonly #root: string
  readonly #log: Log
  readonly #version: 1 | 2 = existsSync(path.join(MOUNT, 'cgroup.controllers')) ? 2 : 1
  /** Pods that have theirs: what was written last, and what they ask for, thousandths of a processor. */
  readonly #kept = new Map<string, { at: PodCgroup; text: string; milli: number; tier: Tier }>()
  /** What each tier has now. */
  readonly #tiers = new Map<string, string>()

  /** `driver` is Docker's; undefined where it has none of these. */
  constructor(driver: () => Promise<CgroupDriver | undefined>, root: string, log: Log) {
    this.#driver = driver
    this.#root = root
    this.#log = log
  }

  async of(pod: any): Promise<PodCgroup | undefined> {
    const driver = await this.#driver()
    return driver && podCgroup(pod.metadata.uid, tierOf(pod), driver, this.#root)
  }

  /** Bounds a pod that runs, and what it shares with others; cheap while nothing has changed. */
  async keep(pod: any): Promise<void> {
    const at = await this.of(pod)
    if (!at || !existsSync(this.#at('cpu', at.folder))) return
    const bounds = podBounds(pod)
    const text = JSON.stringify(bounds)
    const { uid } = pod.metadata
    if (this.#kept.get(uid)?.text === text) return
    for (const [controller, file, value] of boundFiles(bounds, this.#version)) this.#write(controller, at.folder, file, value)
    this.#kept.set(uid, { at, text, milli: podAmounts(pod.spec, 'requests').cpu ?? 0, tier: tierOf(pod) })
    this.#shareOut()
  }

  /** The pod's containers are gone. */
  async remove(uid: string): Promise<void> {
    const driver = await this.#driver()
    if (this.#kept.delete(uid)) this.#shareOut()
    if (!driver) return
    const hierarchies = this.#version === 2 ? [MOUNT] : readdirSync(MOUNT).map((c) => path.join(MOUNT, c))
    for (const { parent, folder } of TIERS.map((tier) => podCgroup(uid, tier, driver, this.#root))) {
      const there = hierarchies.map((h) => path.join(h, folder)).filter((f) => existsSync(f))
      if (there.length && driver === 'systemd') await exec('systemctl', 'stop', parent).catch(() => {})
      for (let i = 0; i < TRIES && there.some((f) => !removeTree(f)); i++) await new Promise((r) => setTimeout(r, PAUSE))
    }
  }

  /** Those that asked for nothing have next to nothing as a whole; those that asked for something, what they asked for together. */
  #shareOut(): void {
    let milli = 0
    const folders = new Map<string, string>()
    for (const k of this.#kept.values()) {
      const above = path.dirname(k.at.folder)
      folders.set(TOP, k.tier === 'guaranteed' ? above : path.dirname(above))
      folders.set(k.tier, above)
      if (k.tier === 'burstable') milli += k.milli
    }
    const set = (tier: string, shares: number) => {
      const folder = folders.get(tier)
      const text = `${folder} ${shares}`
      if (!folder || this.#tiers.get(tier) === text) return
      const [[controller, file, value]] = boundFiles({ shares }, this.#version) as [[string, string, string]]
      this.#write(controller, folder, file, value)
      this.#tiers.set(tier, text)
    }
    set(TOP, sharesOf(cpus().length * 1000))
    set('burstable', sharesOf(milli))
    set('besteffort', LEAST_SHARES)
  }

  #at = (controller: string, folder: string) => path.join(MOUNT, ...(this.#version === 1 ? [controller] : []), folder)

  #write(controller: string, folder: string, file: string, value: string): void {
    const at = path.join(this.#at(controller, folder), file)
    try {
      if (readFileSync(at, 'utf8').trim() !== value) writeFileSync(at, value)
    } catch (cause) {
      this.#log.warn('a cgroup could not be bounded', { file: at, value, cause: (cause as Error).message })
    }
  }
}
