// kedge move: sends the nodes of a cluster to the place where its archive was imported.
import { readFileSync } from 'node:fs'
import { parseFlags } from '../flags.ts'
import { currentAccess } from '../kubeconfig.ts'
import { apiRequest } from '../request.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'move --to URL',
    'Sends the nodes of the cluster that KUBECONFIG names to another place. The whole way:\n\n  kedge export --freeze --output FILE          here\n  kedge cluster import NAME FILE               at the new host, or: kedge import FILE --data DIR, kedge serve --data DIR\n  kedge move --to URL                          here again\n\nContainers run on all the while.',
    {
      to: { type: 'string', value: 'URL', about: 'the server of the cluster at its new place' },
      'ca-file': { type: 'string', value: 'FILE', about: 'the CA there, where it is not this one or a public one' },
      cancel: { type: 'boolean', about: 'stay: the cluster takes writes again' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  const access = currentAccess()
  if (v.cancel) {
    await apiRequest(access, 'DELETE', '/kedge/v1/moving')
    process.stdout.write('the cluster stays and takes writes\n')
    return 0
  }
  if (!v.to) throw new Error('--to is missing: the server of the cluster at its new place')
  const ca = v['ca-file'] ? { caCertificate: readFileSync(v['ca-file'], 'utf8') } : {}
  await apiRequest(access, 'PUT', '/kedge/v1/moving', { server: v.to, ...ca })
  process.stdout.write(`the nodes are sent to ${v.to}\n`)
  return 0
}
