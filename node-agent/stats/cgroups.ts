// What a container has of the machine, from its cgroup's files: both versions of cgroups, and no process is started for it.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

const MOUNT = '/sys/fs/cgroup'

type Controller = 'memory' | 'pids' | 'cpuacct'

const numberIn = (file: string): number => Number(readFileSync(file, 'utf8')) || 0

/** A number of a file with a name and a number on each line. */
const fieldOf = (text: string, name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0)

/** The folder of a process's cgroup that counts this; the one hierarchy of version 2, or version 1's own. Undefined when it has just ended. */
function cgroupOf(pid: number, controller: Controller): { at: string; v2: boolean } | undefined {
  try {
    for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')) {
      const [, controllers, at] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
      if (at === undefined) continue
      if (controllers!.split(',').includes(controller)) return { at: path.join(MOUNT, controller, at), v2: false }
      const unified = path.join(MOUNT, at)
      if (controllers === '' && existsSync(path.join(unified, 'cgroup.controllers'))) return { at: unified, v2: true }
    }
  } catch {
    // It has just ended.
  }
  return undefined
}

/** What `read` makes of the cgroup; undefined when it is gone. */
function ofCgroup<T>(pid: number, controller: Controller, read: (at: string, v2: boolean) => T): T | undefined {
  const group = cgroupOf(pid, controller)
  try {
    return group && read(group.at, group.v2)
  } catch {
    return undefined
  }
}

export interface MemoryUse {
  /** Bytes: all that is charged, and of it what the kernel cannot take back at once. */
  usage: number
  workingSet: number
  rss: number
  pageFaults: number
  majorPageFaults: number
}

export const memoryOf = (pid: number): MemoryUse | undefined =>
  ofCgroup(pid, 'memory', (at, v2) => {
    const usage = numberIn(path.join(at, v2 ? 'memory.current' : 'memory.usage_in_bytes'))
    const stat = readFileSync(path.join(at, 'memory.stat'), 'utf8')
    const field = (name: string) => fieldOf(stat, v2 ? name : `total_${name}`)
    return {
      usage,
      workingSet: Math.max(0, usage - field('inactive_file')),
      rss: field(v2 ? 'anon' : 'rss'),
      pageFaults: field('pgfault'),
      majorPageFaults: field('pgmajfault'),
    }
  })

/** Nanoseconds of a processor since it began. */
export const processorOf = (pid: number): number | undefined =>
  ofCgroup(pid, 'cpuacct', (at, v2) =>
    v2 ? fieldOf(readFileSync(path.join(at, 'cpu.stat'), 'utf8'), 'usage_usec') * 1000 : numberIn(path.join(at, 'cpuacct.usage')),
  )

export const processesOf = (pid: number): number => ofCgroup(pid, 'pids', (at) => numberIn(path.join(at, 'pids.current'))) ?? 0
