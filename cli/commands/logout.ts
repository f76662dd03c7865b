// kedge logout: forgets the token of a host on this machine.
import { parseFlags } from '../flags.ts'
import { currentHost, forgetHost } from '../host.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'logout',
    'Forgets the token of a host on this machine. The token itself stays valid: revoke it with `kedge token rm`.',
    { server: { type: 'string', value: 'URL', about: 'the host (default: the one signed in to last)' } },
    args,
  )
  if (!parsed) return 0
  const server = parsed.values.server ? new URL(parsed.values.server).origin : currentHost().server
  if (!forgetHost(server)) throw new Error(`you are not signed in to ${server}`)
  process.stdout.write(`signed out of ${server}\n`)
  return 0
}
