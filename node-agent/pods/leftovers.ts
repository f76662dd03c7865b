// What is left of pods that nobody knows any longer: containers, sandboxes, volumes, links to logs.
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import type { Log } from '../log.ts'
import type { Runtime } from '../runtime/docker.ts'
import type { PodVolumes } from '../volumes/volumes.ts'
import { unlinkLogs } from './log-links.ts'
import { removeSandbox, type SandboxOptions } from './sandbox.ts'

export interface Leftovers {
  runtime: Runtime
  /** The daemon's folder. */
  data: string
  volumes: PodVolumes
  sandbox: SandboxOptions
  log: Log
}

async function removePod({ runtime, volumes, sandbox, log }: Leftovers, uid: string): Promise<void> {
  const all = runtime.ofPod(uid)
  const { podNamespace: namespace, podName: name } = all[0]!
  log.info('removing containers of a pod that is gone', { pod: `${namespace}/${name}` })
  const told = (cause: unknown) => log.error('a container that was left over could not be removed', cause, { uid })
  await Promise.all(all.filter((c) => !c.sandbox).map((c) => runtime.remove(c.id).catch(told)))
  await removeSandbox(runtime, uid, all, sandbox, false).catch(told)
  await volumes.remove(uid)
  await sandbox.cgroups.remove(uid)
  unlinkLogs({ metadata: { namespace, name, uid } })
}

/** All but what belongs to the pods of these UIDs. */
export async function removeUnknown(of: Leftovers, known: ReadonlySet<string>): Promise<void> {
  for (const uid of of.runtime.podUids()) if (!known.has(uid)) await removePod(of, uid)
  const folder = path.join(of.data, 'pods')
  if (!existsSync(folder)) return
  for (const uid of readdirSync(folder)) if (!known.has(uid) && !of.runtime.ofPod(uid).length) await of.volumes.remove(uid)
}

/** Everything; what cannot be removed does not keep the rest. */
export async function removeAll(of: Leftovers): Promise<void> {
  for (const uid of of.runtime.podUids())
    await removePod(of, uid).catch((cause) => of.log.error('a pod could not be removed', cause, { uid }))
}
