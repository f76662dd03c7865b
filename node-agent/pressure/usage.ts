// What pods have of a machine's memory, processes and disk. From cgroups and files; Docker is asked for layers only when the disk is short.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { exec } from '../network/commands.ts'
import type { Observed, Runtime } from '../runtime/docker.ts'
import { podFolder } from '../volumes/volumes.ts'
import type { PodUsage } from './ranking.ts'
import type { resourceOf } from './thresholds.ts'

const number = (file: string): number => Number(readFileSync(file, 'utf8')) || 0

/** The folder of a process's cgroup that counts this; the one hierarchy of version 2, or version 1's own. */
function cgroupFolder(pid: number, controller: 'memory' | 'pids'): { at: string; v2: boolean } | undefined {
  try {
    for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')) {
      const [, controllers, at] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
      if (at === undefined) continue
      if (controllers!.split(',').includes(controller)) return { at: path.join('/sys/fs/cgroup', controller, at), v2: false }
      const unified = path.join('/sys/fs/cgroup', at)
      if (controllers === '' && existsSync(path.join(unified, 'cgroup.controllers'))) return { at: unified, v2: true }
    }
  } catch {
    // It has just ended.
  }
  return undefined
}

/** Bytes that a process's container cannot do without: what it has, without files that the kernel may forget. */
function workingSet(pid: number): number {
  const group = cgroupFolder(pid, 'memory')
  if (!group) return 0
  try {
    const used = number(path.join(group.at, group.v2 ? 'memory.current' : 'memory.usage_in_bytes'))
    const stat = readFileSync(path.join(group.at, 'memory.stat'), 'utf8')
    const idle = Number(new RegExp(`^${group.v2 ? '' : 'total_'}inactive_file (\\d+)`, 'm').exec(stat)?.[1] ?? 0)
    return Math.max(0, used - idle)
  } catch {
    return 0
  }
}

function processes(pid: number): number {
  const group = cgroupFolder(pid, 'pids')
  try {
    return group ? number(path.join(group.at, 'pids.current')) : 0
  } catch {
    return 0
  }
}

/** Bytes (or inodes) of a folder, without what is mounted in it. */
async function folderSize(at: string, inodes: boolean): Promise<number> {
  if (!existsSync(at)) return 0
  const text = await exec('du', '-s', '-x', ...(inodes ? ['--inodes'] : ['--block-size=1']), at).catch(() => '0')
  return Number.parseInt(text, 10) || 0
}

const fileSize = (file: string): number => {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}

/** Bytes that a container has written beside its volumes: its layer and its logs. */
export async function writtenBy(runtime: Runtime, o: Observed): Promise<number> {
  const info = await runtime.inspectWithSize(o.id).catch(() => undefined)
  const log = info?.LogPath ?? ''
  const folder = path.dirname(log)
  const logs = log && existsSync(folder) ? readdirSync(folder).filter((f) => f.startsWith(path.basename(log))) : []
  return (info?.SizeRw ?? 0) + logs.reduce((sum, f) => sum + fileSize(path.join(folder, f)), 0)
}

/** The pod's volumes that live in its own folder, by name: bytes, or inodes. Volumes in memory are none of the disk's. */
export async function volumeSizes(data: string, pod: any, inodes = false): Promise<Map<string, number>> {
  const out = new Map<string, number>()
  for (const v of pod.spec.volumes ?? [])
    if (v.emptyDir && v.emptyDir.medium !== 'Memory')
      out.set(v.name, await folderSize(path.join(podFolder(data, pod.metadata.uid), 'volumes', v.name), inodes))
  return out
}

/** What each of the pods that run here has of a resource. */
export async function usages(
  runtime: Runtime,
  data: string,
  pods: readonly any[],
  resource: ReturnType<typeof resourceOf>,
): Promise<PodUsage[]> {
  const out: PodUsage[] = []
  for (const pod of pods) {
    const running = runtime.ofPod(pod.metadata.uid).filter((o) => !o.sandbox && o.state === 'running')
    if (!running.length) continue
    const containers = new Map<string, number>()
    for (const o of running)
      containers.set(
        o.name,
        resource === 'memory'
          ? workingSet(o.pid)
          : resource === 'pids'
            ? processes(o.pid)
            : resource === 'inodes'
              ? 0
              : await writtenBy(runtime, o),
      )
    const volumes =
      resource === 'ephemeral-storage' || resource === 'inodes' ? await volumeSizes(data, pod, resource === 'inodes') : new Map()
    out.push({ pod, containers, beside: [...volumes.values()].reduce((a, b) => a + b, 0) })
  }
  return out
}
