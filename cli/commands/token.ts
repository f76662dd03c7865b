// kedge token: join tokens of a cluster, and the API tokens of the account that one is signed in to.
import { createHash, X509Certificate } from 'node:crypto'
import { parseFlags } from '../flags.ts'
import { currentHost, hostRequest } from '../host.ts'
import { currentAccess } from '../kubeconfig.ts'
import { age, printTable } from '../print/table.ts'
import { apiRequest } from '../request.ts'

const about = `Makes, lists and revokes tokens.

  kedge token create --join                  a join token for the cluster that KUBECONFIG names, on the last line
  kedge token create --name N --role R       an API token of the account you are signed in to, on the last line
  kedge token ls                             the account's API tokens
  kedge token rm ID                          revoke one`

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `90`, `90s`, `15m`, `24h`, `30d` as seconds. */
function seconds(text: string): number {
  const m = /^(\d+)([smhd]?)$/.exec(text)
  if (!m || !Number(m[1])) throw new Error(`--ttl wants a time such as 15m, 24h or 30d, got ${JSON.stringify(text)}`)
  return Number(m[1]) * units[m[2] || 's']!
}

async function createJoinToken(uses: string, ttl: string | undefined): Promise<void> {
  const access = currentAccess()
  const { token } = await apiRequest(access, 'POST', '/kedge/v1/tokens', { uses: Number(uses), seconds: seconds(ttl ?? '24h') })
  const hash = access.ca ? `.${createHash('sha256').update(new X509Certificate(access.ca).raw).digest('hex')}` : ''
  process.stdout.write(`${token}${hash}\n`)
}

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'token SUBCOMMAND',
    about,
    {
      join: { type: 'boolean', about: 'a token that lets a machine join as a node' },
      uses: { type: 'string', value: 'N', about: 'with --join: how many machines may join with it', default: '1' },
      ttl: { type: 'string', value: 'TIME', about: 'how long it holds: 15m, 24h, 30d (default 24h with --join, else for ever)' },
      name: { type: 'string', value: 'NAME', about: 'what the token is for' },
      role: { type: 'string', value: 'ROLE', about: 'view, edit, admin or owner', default: 'edit' },
      cluster: { type: 'string', value: 'NAME', about: 'for this cluster alone' },
      namespace: { type: 'string', value: 'NAME', about: 'for this namespace of it alone' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v, positionals } = parsed
  const [what, id] = positionals
  switch (what) {
    case 'create': {
      if (v.join) await createJoinToken(v.uses, v.ttl)
      else {
        if (!v.name) throw new Error('--name is missing: what the token is for (or --join, for a machine)')
        const made = await hostRequest(currentHost(), 'POST', '/tokens', {
          name: v.name,
          role: v.role,
          ...(v.cluster ? { cluster: v.cluster } : {}),
          ...(v.namespace ? { namespace: v.namespace } : {}),
          ...(v.ttl ? { seconds: seconds(v.ttl) } : {}),
        })
        process.stderr.write('This is the only time that the token is shown:\n')
        process.stdout.write(`${made.token}\n`)
      }
      return 0
    }
    case 'ls':
    case 'list': {
      const { items } = await hostRequest(currentHost(), 'GET', '/tokens')
      process.stdout.write(
        printTable(
          ['id', 'name', 'role', 'scope', 'age', 'expires', 'last used'],
          items.map((t: any) => [
            t.id,
            t.name,
            t.role,
            [t.cluster, t.namespace].filter(Boolean).join('/') || 'account',
            age(t.created),
            t.expires ?? 'never',
            t.lastUsed ? `${age(t.lastUsed)} ago` : 'never',
          ]),
        ),
      )
      return 0
    }
    case 'rm':
    case 'revoke':
      if (!id) throw new Error('usage: kedge token rm ID (see kedge token ls)')
      await hostRequest(currentHost(), 'DELETE', `/tokens/${encodeURIComponent(id)}`)
      process.stdout.write(`token ${id} revoked\n`)
      return 0
    default:
      throw new Error('usage: kedge token create|ls|rm (see kedge token --help)')
  }
}
