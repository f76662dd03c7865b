// kedge node ls, cordon, uncordon, rm: the machines of the cluster that KUBECONFIG names.
import { currentAccess } from './kubeconfig.ts'
import { age, printTable } from './print/table.ts'
import { apiRequest } from './request.ts'

export const nodeCommands = ['ls', 'cordon', 'uncordon', 'rm']

const statusOf = (n: any): string => {
  const ready = n.status?.conditions?.find((c: any) => c.type === 'Ready')?.status
  return [ready === 'True' ? 'Ready' : 'NotReady', ...(n.spec?.unschedulable ? ['SchedulingDisabled'] : [])].join(',')
}
const addressOf = (n: any): string | undefined => n.status?.addresses?.find((a: any) => a.type === 'InternalIP')?.address

/** Runs one of `nodeCommands`. */
export async function runNodeCommand(what: string, name: string | undefined): Promise<number> {
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
  if (!name) throw new Error(`usage: kedge node ${what} NAME`)
  const at = `/api/v1/nodes/${encodeURIComponent(name)}`
  if (what === 'rm') {
    await apiRequest(access, 'DELETE', `/kedge/v1/nodes/${encodeURIComponent(name)}`)
    process.stdout.write(`node ${name} removed: its key opens nothing any more, its pods are made anew elsewhere\n`)
    return 0
  }
  const node = await apiRequest(access, 'GET', at)
  const wanted = what === 'cordon'
  const already = !!node.spec?.unschedulable === wanted
  if (!already) await apiRequest(access, 'PUT', at, { ...node, spec: { ...node.spec, unschedulable: wanted || undefined } })
  process.stdout.write(`node ${name} ${already ? 'was' : 'is'} ${wanted ? 'cordoned' : 'uncordoned'}${already ? ' already' : ''}\n`)
  return 0
}
