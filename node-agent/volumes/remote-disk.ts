// How full a file system of another machine is. Asked by a process of its own: whoever asks a server that is away is held up for as long as it is.
import { setTimeout as after } from 'node:timers/promises'
import { exec } from '../network/commands.ts'
import type { DiskUse } from '../stats/machine.ts'

const PATIENCE = 2000
/** By their paths: nobody is asked twice at a time. */
const asked = new Map<string, Promise<DiskUse | undefined>>()

async function ask(at: string): Promise<DiskUse> {
  const text = await exec('stat', '-f', '-c', '%a %b %f %d %c %S', at)
  const [available, blocks, free, inodesFree, inodes, size] = text.trim().split(' ').map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return {
    availableBytes: available * size,
    capacityBytes: blocks * size,
    usedBytes: (blocks - free) * size,
    inodesFree,
    inodes,
    inodesUsed: inodes - inodesFree,
  }
}

/** Undefined where there is none, or no answer in two seconds. */
export function remoteDisk(at: string): Promise<DiskUse | undefined> {
  let asking = asked.get(at)
  if (!asking) {
    asking = ask(at)
      .catch(() => undefined)
      .finally(() => asked.delete(at))
    asked.set(at, asking)
  }
  return Promise.race([asking, after(PATIENCE, undefined, { ref: false })])
}
