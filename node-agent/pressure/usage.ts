// What pods have of a machine's memory, processes and disk, to rank them by. Docker is asked for layers only when the disk is short.
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Observed, Runtime } from '../runtime/docker.ts'
import { memoryOf, processesOf } from '../stats/cgroups.ts'
import { folderSize } from '../volumes/folder-size.ts'
import { podFolder } from '../volumes/volumes.ts'
import type { PodUsage } from './ranking.ts'
import type { resourceOf } from './thresholds.ts'

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
          ? (memoryOf(o.pid)?.workingSet ?? 0)
          : resource === 'pids'
            ? processesOf(o.pid)
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
