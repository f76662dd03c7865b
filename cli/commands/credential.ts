// kedge credential: what kubectl runs to learn the token of a hosted cluster (an exec plugin, client.authentication.k8s.io/v1).
import { parseFlags } from '../flags.ts'
import { bearerOf, currentHost } from '../host.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'credential --server URL',
    'Prints the credential that kubectl asks for. Kubeconfigs name this command; there is no need to run it by hand.',
    { server: { type: 'string', value: 'URL', about: 'the host' } },
    args,
  )
  if (!parsed) return 0
  const { token, expires } = await bearerOf(currentHost(parsed.values.server))
  const status = { token, ...(expires ? { expirationTimestamp: new Date(expires).toISOString() } : {}) }
  process.stdout.write(`${JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status })}\n`)
  return 0
}
