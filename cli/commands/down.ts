// kedge down: stops the cluster of this machine; --purge takes every trace of it away.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { startDaemon } from '../../node-agent/daemon.ts'
import { quietLog } from '../../node-agent/log.ts'
import { parseFlags } from '../flags.ts'
import { removeFromKubeconfig } from '../kubeconfig.ts'
import { defaultFolder, end } from '../processes.ts'

export async function run(args: string[]): Promise<number | undefined> {
  const parsed = parseFlags(
    'down',
    'Stops the control plane and the node daemon of this machine. Containers run on, and are adopted by the next `kedge up`.',
    {
      purge: { type: 'boolean', about: 'also remove containers, rules, routes, data and the kubeconfig context' },
      data: { type: 'string', value: 'DIR', about: 'where everything lives', default: defaultFolder() },
    },
    args,
  )
  if (!parsed) return 0
  const folder = path.resolve(parsed.values.data)
  const node = await end(folder, 'node')
  if (node) process.stdout.write('node daemon stopped\n')
  if (parsed.values.purge && existsSync(path.join(folder, 'node', 'identity.json'))) await purgeNode(folder)
  if (await end(folder, 'serve')) process.stdout.write('control plane stopped\n')
  if (!parsed.values.purge) {
    process.stdout.write('stopped; containers run on. `kedge up` resumes, `kedge down --purge` forgets\n')
    return 0
  }
  removeFromKubeconfig('kedge')
  stopDocker(folder)
  rmSync(folder, { recursive: true, force: true })
  process.stdout.write('purged\n')
  return 0
}

/** Containers, sandboxes, volumes, rules and routes of the node, without its daemon or the API. */
async function purgeNode(folder: string): Promise<void> {
  if (spawnSync('docker', ['info'], { stdio: 'ignore' }).status !== 0) {
    process.stdout.write('Docker does not answer: containers stay\n')
    return
  }
  const { purge } = await startDaemon({
    data: path.join(folder, 'node'),
    name: '',
    dockerSocket: '/var/run/docker.sock',
    log: quietLog,
    offline: true,
  })
  await purge()
  process.stdout.write('containers, rules and routes removed\n')
}

/** A Docker that `kedge up` started goes with it. */
function stopDocker(folder: string): void {
  const file = path.join(folder, 'dockerd.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8'))
  try {
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'dockerd') process.kill(pid, 'SIGTERM')
  } catch {
    // It ended by itself.
  }
}
