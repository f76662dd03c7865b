// How full a file system of another machine is. Asked by a process of its own: whoever asks a server that is away is held up for as long as it is.
import { setTimeout as after } from 'node:timers/promises'
import { exec } from '../network/commands.ts'
import { type DiskUse, diskUse } from '../stats/machine.ts'

const PATIENCE = 2000
/** By their paths: nobody is asked twice at a time. */
const asked = new Map<string, Promise<DiskUse | undefined>>()

async function ask(at: string): Promise<DiskUse> {
  // In the words of statfs, so that it need not be told which is which.
  const form = '{"bavail":%a,"blocks":%b,"bfree":%f,"ffree":%d,"files":%c,"bsize":%S}'
  return diskUse(JSON.parse(await exec('stat', '-f', '-c', form, at)))
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
