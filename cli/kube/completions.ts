// What could come next on a command line: types, names, subcommands.
import { Client } from './client.ts'
import { connect } from './config.ts'
import { pathOf, Resources } from './resources.ts'

const subcommands: Record<string, string[]> = {
  rollout: ['history', 'pause', 'restart', 'resume', 'status', 'undo'],
  set: ['env', 'image', 'resources', 'selector', 'serviceaccount', 'subject'],
  auth: ['can-i', 'reconcile', 'whoami'],
  config: [
    'current-context',
    'get-contexts',
    'rename-context',
    'set-cluster',
    'set-context',
    'set-credentials',
    'unset',
    'use-context',
    'view',
  ],
  completion: ['bash', 'fish', 'powershell', 'zsh'],
}
const ofPods = ['logs', 'exec', 'attach', 'cp']
const ofTypes = ['get', 'describe', 'delete', 'edit', 'label', 'annotate', 'patch', 'scale', 'expose', 'wait', 'explain']
const ofNodes = ['cordon', 'uncordon', 'drain']

/** `before` are the words so far, the command first. */
export async function completions(before: string[]): Promise<string[]> {
  const [command, second] = before as [string, string?]
  if (subcommands[command] && !second) return subcommands[command]
  const connection = connect({})
  const client = new Client(connection)
  const resources = new Resources(client)
  const names = async (type: string) => {
    const r = await resources.find(type)
    return (await client.get(`${pathOf(r, r.namespaced ? connection.namespace : undefined)}?limit=200`)).items.map(
      (i: any) => i.metadata.name as string,
    )
  }
  if (ofNodes.includes(command)) return names('nodes')
  if (ofPods.includes(command)) return names('pods')
  if (!ofTypes.includes(command)) return []
  if (!second) return (await resources.preferred()).flatMap((r) => (r.verbs.length ? [r.plural] : []))
  return names(second)
}
