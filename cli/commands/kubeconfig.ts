// kedge kubeconfig: a kubeconfig for a hosted cluster without a secret in it; kubectl asks `kedge credential` for the token.
import { parseFlags } from '../flags.ts'
import { currentHost, hostRequest } from '../host.ts'
import { contextName, execKubeconfig } from '../kubeconfig.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'kubeconfig CLUSTER',
    'Prints a kubeconfig for a cluster. No secret lies in it: kubectl asks this command for the token whenever it needs one.\n`kedge cluster use` writes the same into your own kubeconfig.',
    {},
    args,
  )
  if (!parsed) return 0
  const [name] = parsed.positionals
  if (!name) throw new Error('usage: kedge kubeconfig CLUSTER')
  const host = currentHost()
  const c = await hostRequest(host, 'GET', `/clusters/${encodeURIComponent(name)}`)
  const ca = host.ca ?? c.caCertificate
  process.stdout.write(
    execKubeconfig({ name: contextName(c.server), server: c.server, ...(ca ? { ca } : {}), args: ['credential', '--server', host.server] }),
  )
  return 0
}
