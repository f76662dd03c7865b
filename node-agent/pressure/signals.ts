// What is left of the machine, from files alone: no process is started and Docker is not asked.
import { readFileSync, statfsSync } from 'node:fs'
import type { Signal, Signals } from './thresholds.ts'

const NONE: Signal = { available: 0, capacity: 0 }

const kilobytes = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024

/** What new work could have without swapping, as the kernel estimates it. */
function memory(): Signal {
  const text = readFileSync('/proc/meminfo', 'utf8')
  return { available: kilobytes(text, 'MemAvailable'), capacity: kilobytes(text, 'MemTotal') }
}

function disk(at: string): { bytes: Signal; inodes: Signal } {
  try {
    const s = statfsSync(at)
    return {
      bytes: { available: s.bavail * s.bsize, capacity: s.blocks * s.bsize },
      inodes: { available: s.ffree, capacity: s.files },
    }
  } catch {
    return { bytes: NONE, inodes: NONE }
  }
}

function pids(): Signal {
  const most = (file: string) => Number(readFileSync(`/proc/sys/kernel/${file}`, 'utf8'))
  const capacity = Math.min(most('pid_max'), most('threads-max'))
  const running = Number(/\/(\d+)/.exec(readFileSync('/proc/loadavg', 'utf8'))?.[1] ?? 0)
  return { available: capacity - running, capacity }
}

/** `node` is a folder of the disk that pods' data are on, `images` one of Docker's. */
export function readSignals(node: string, images: string): Signals {
  const [nodefs, imagefs] = [disk(node), disk(images)]
  return {
    'memory.available': memory(),
    'nodefs.available': nodefs.bytes,
    'nodefs.inodesFree': nodefs.inodes,
    'imagefs.available': imagefs.bytes,
    'imagefs.inodesFree': imagefs.inodes,
    'pid.available': pids(),
  }
}
