// Where log collectors look: links in /var/log/pods and /var/log/containers to the runtime's files.
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'

const PODS = '/var/log/pods'
const CONTAINERS = '/var/log/containers'

const folderOf = (pod: any) => `${PODS}/${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`

function link(target: string, at: string): void {
  try {
    mkdirSync(path.dirname(at), { recursive: true })
    rmSync(at, { force: true })
    symlinkSync(target, at)
  } catch {
    // Logs are still served through the API.
  }
}

/** Links one container's log; `file` is where the runtime writes it. */
export function linkLogs(pod: any, container: string, restarts: number, id: string, file: string | undefined): void {
  if (!file) return
  const at = `${folderOf(pod)}/${container}/${restarts}.log`
  link(file, at)
  link(at, `${CONTAINERS}/${pod.metadata.name}_${pod.metadata.namespace}_${container}-${id}.log`)
}

/** Takes all links of a pod away. */
export function unlinkLogs(pod: any): void {
  rmSync(folderOf(pod), { recursive: true, force: true })
  const prefix = `${pod.metadata.name}_${pod.metadata.namespace}_`
  try {
    for (const f of readdirSync(CONTAINERS)) if (f.startsWith(prefix)) rmSync(path.join(CONTAINERS, f), { force: true })
  } catch {
    // There were none.
  }
}
