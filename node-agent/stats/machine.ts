// What the whole machine has in use, from the kernel's own files.
import { readFileSync, statfsSync } from 'node:fs'

const TICK_NS = 10_000_000
const kilobytes = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024
const vmField = (text: string, name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0)

/** Nanoseconds of processors since the machine started, those that idled or waited aside. */
export function machineProcessor(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0, steal = 0] = /^cpu +(.*)$/m
    .exec(readFileSync('/proc/stat', 'utf8'))![1]!
    .split(' ')
    .map(Number)
  return (user + nice + system + irq + soft + steal) * TICK_NS
}

/** Bytes, as cAdvisor counts a machine's: without what the kernel keeps of files and could give back. */
export function machineMemory() {
  const text = readFileSync('/proc/meminfo', 'utf8')
  const vm = readFileSync('/proc/vmstat', 'utf8')
  const usage = kilobytes(text, 'MemTotal') - kilobytes(text, 'MemFree')
  return {
    available: kilobytes(text, 'MemAvailable'),
    usage,
    workingSet: Math.max(0, usage - kilobytes(text, 'Inactive\\(file\\)')),
    rss: kilobytes(text, 'AnonPages'),
    pageFaults: vmField(vm, 'pgfault'),
    majorPageFaults: vmField(vm, 'pgmajfault'),
  }
}

/** When the machine started, ms. */
export const machineStart = (): number => Number(/^btime (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0) * 1000

export interface Traffic {
  name: string
  rxBytes: number
  rxErrors: number
  txBytes: number
  txErrors: number
}

/** Devices of a process's network, loopback aside. */
export function trafficOf(pid: number | 'self'): Traffic[] {
  try {
    return [...readFileSync(`/proc/${pid}/net/dev`, 'utf8').matchAll(/^\s*(\S+):\s*(.*)$/gm)].flatMap(([, name, rest]) => {
      const n = rest!.trim().split(/\s+/).map(Number)
      return name === 'lo' ? [] : [{ name: name!, rxBytes: n[0]!, rxErrors: n[2]!, txBytes: n[8]!, txErrors: n[10]! }]
    })
  } catch {
    return []
  }
}

/** What a file system, or a volume, has and has in use. */
export interface DiskUse {
  availableBytes: number
  capacityBytes: number
  usedBytes: number
  inodesFree: number
  inodes: number
  inodesUsed: number
}

/** From what the kernel counts: blocks, and their size in bytes. */
export const diskUse = (s: Record<'bavail' | 'blocks' | 'bfree' | 'bsize' | 'ffree' | 'files', number>): DiskUse => ({
  availableBytes: s.bavail * s.bsize,
  capacityBytes: s.blocks * s.bsize,
  usedBytes: (s.blocks - s.bfree) * s.bsize,
  inodesFree: s.ffree,
  inodes: s.files,
  inodesUsed: s.files - s.ffree,
})

/** A file system; undefined where there is none. */
export function fileSystem(at: string): DiskUse | undefined {
  try {
    return diskUse(statfsSync(at))
  } catch {
    return undefined
  }
}
