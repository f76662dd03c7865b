// kedge node ls, upgrade, rm: the machines of the cluster that KUBECONFIG names.

import { setTimeout as sleep } from 'node:timers/promises'
import { condition } from '../shared/meta/conditions.ts'
import { DESIRED, FAILED, MANAGED, ROUND } from '../shared/meta/node-annotations.ts'
import { kedgeVersionOf } from '../shared/version.ts'
import { type Access, currentAccess } from './kubeconfig.ts'
import { age, printTable } from './print/table.ts'
import { apiRequest } from './request.ts'

export const nodeCommands = ['ls', 'upgrade', 'rm']

const statusOf = (n: any): string => {
  const ready = condition(n, 'Ready')?.status
  return [ready === 'True' ? 'Ready' : 'NotReady', ...(n.spec?.unschedulable ? ['SchedulingDisabled'] : [])].join(',')
}
const addressOf = (n: any): string | undefined => n.status?.addresses?.find((a: any) => a.type === 'InternalIP')?.address

/** Runs one of `nodeCommands`. */
export async function runNodeCommand(what: string, name: string | undefined, flags: { version?: string } = {}): Promise<number> {
  const access = currentAccess()
  if (what === 'ls') {
    const { items } = await apiRequest(access, 'GET', '/api/v1/nodes')
    if (!items.length)
      process.stderr.write('No nodes yet: kedge token create --join, then kedge node --server URL --token TOKEN on a machine\n')
    else
      process.stdout.write(
        printTable(
          ['name', 'status', 'age', 'version', 'address', 'os'],
          items.map((n: any) => [
            n.metadata.name,
            statusOf(n),
            age(n.metadata.creationTimestamp),
            n.status?.nodeInfo?.kubeletVersion,
            addressOf(n),
            n.status?.nodeInfo?.osImage,
          ]),
        ),
      )
    return 0
  }
  if (what === 'upgrade') return upgrade(access, name, flags.version)
  if (!name) throw new Error(`usage: kedge node ${what} NAME`)
  if (what === 'rm') {
    await apiRequest(access, 'DELETE', `/kedge/v1/nodes/${encodeURIComponent(name)}`)
    process.stdout.write(`node ${name} removed: its key opens nothing any more, its pods are made anew elsewhere\n`)
    return 0
  }
  throw new Error(`unknown subcommand ${JSON.stringify(what)}: see kedge node --help`)
}

const POLL = 500
/** Longer than a node takes to try a version twice and go back. */
const PATIENCE = 300_000

const versionOf = (n: any): string | undefined => kedgeVersionOf(n.status?.nodeInfo?.kubeletVersion)

/** Has the daemons go to a version, all in turn or one alone, and tells how it goes until it is done. */
async function upgrade(access: Access, name: string | undefined, wanted: string | undefined): Promise<number> {
  const version = wanted ?? kedgeVersionOf((await apiRequest(access, 'GET', '/version')).gitVersion)
  if (!version) throw new Error('the control plane does not say its version: give --version')
  const list = async (): Promise<any[]> => {
    const { items } = await apiRequest(access, 'GET', '/api/v1/nodes')
    return name ? items.filter((n: any) => n.metadata.name === name) : items
  }
  const merge = { 'content-type': 'application/merge-patch+json' }
  const annotate = (node: string, annotations: Record<string, string | null>) =>
    apiRequest(access, 'PATCH', `/api/v1/nodes/${encodeURIComponent(node)}`, { metadata: { annotations } }, merge)
  const before = await list()
  if (name && !before.length) throw new Error(`no node ${JSON.stringify(name)}: see kedge node ls`)
  const managed = before.filter((n) => n.metadata.annotations?.[MANAGED] === 'true')
  for (const n of before)
    if (!managed.includes(n)) process.stderr.write(`${n.metadata.name} is left alone: its daemon was not installed by install.sh\n`)
  // Asked for again, what failed before is tried again.
  for (const n of managed) if (n.metadata.annotations?.[FAILED]) await annotate(n.metadata.name, { [FAILED]: null })
  if (name) await annotate(name, { [DESIRED]: version })
  else await putRound(access, version)

  const done = new Set<string>()
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(POLL)) {
    const now = (await list()).filter((n) => managed.some((m) => m.metadata.name === n.metadata.name))
    for (const n of now) {
      const failure = n.metadata.annotations?.[FAILED]
      if (failure) throw new Error(`${n.metadata.name}: ${failure}\nthe other nodes stay as they are: kedge node upgrade tries again`)
      if (versionOf(n) !== version || !statusOf(n).startsWith('Ready') || done.has(n.metadata.name)) continue
      done.add(n.metadata.name)
      process.stdout.write(`${n.metadata.name} runs ${version}\n`)
    }
    if (done.size === now.length) return 0
  }
  throw new Error(`not all nodes run ${version} yet; it goes on: see kedge node ls`)
}

async function putRound(access: Access, version: string): Promise<void> {
  const at = `/api/v1/namespaces/${ROUND.namespace}/configmaps`
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: ROUND, data: { version } }
  await apiRequest(access, 'POST', at, object).catch(async (cause) => {
    if (cause.code !== 409) throw cause
    await apiRequest(access, 'PATCH', `${at}/${ROUND.name}`, { data: { version } }, { 'content-type': 'application/merge-patch+json' })
  })
}
