// cordon, uncordon and drain: nodes by name or selector.
import { changeAll } from './change.ts'
import { Failure, type Kube, kubeCommand } from './command.ts'
import { listAll } from './objects.ts'

const flags = {
  'dry-run': { type: 'string', default: 'none', alone: 'unchanged', about: 'Must be "none", "server", or "client".' },
  selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
} as const

/** Names of the nodes that the command means. */
export async function nodesOf(k: Kube): Promise<string[]> {
  const names = k.args.map((a) => a.replace(/^nodes?\//, ''))
  if (!names.length && !k.f.selector) throw new Failure(`USAGE: ${k.name} NODE [options]\nSee 'kedge ${k.name} -h' for help and examples`)
  if (names.length && k.f.selector) throw new Failure('cannot specify both a node name and a --selector option')
  if (names.length) return names
  const resource = await k.resources.find('nodes')
  return (await listAll(k, resource, undefined)).map((n) => n.metadata.name)
}

export const cordon = (name: 'cordon' | 'uncordon') =>
  kubeCommand(
    { name, usage: 'NODE [options]', about: name === 'cordon' ? 'Mark node as unschedulable.' : 'Mark node as schedulable.', flags },
    async (k) => {
      const names = await nodesOf(k)
      k.args = ['nodes', ...names]
      k.f.selector = ''
      return changeAll(k, (o) => setSchedulable(o, name === 'uncordon'))
    },
  )

/** What is said of it. */
export function setSchedulable(node: any, schedulable: boolean): string {
  const already = !node.spec.unschedulable === schedulable
  node.spec.unschedulable = schedulable ? undefined : true
  return `${already ? 'already ' : ''}${schedulable ? 'uncordoned' : 'cordoned'}`
}
