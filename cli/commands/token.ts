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
  kedge token ls [--join]                    the account's API tokens, or the cluster's join tokens
  kedge token rm ID [--join]                 revoke one`

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `90`, `90s`, `15m`, `24h`, `30d` as seconds. */
function seconds(text: string): number {
  const m = /^(\d+)([smhd]?)$/.exec(text)
  if (!m || !Number(m[1])) throw new Error(`--ttl wants a time such as 15m, 24h or 30d, got ${JSON.stringify(text)}`)
  return Number(m[1]) * units[m[2] || 's']!
}

/** `key=value` */
function labelsOf(list: string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((l) => {
      const at = l.indexOf('=')
      if (at < 1) throw new Error(`--label wants KEY=VALUE, got ${JSON.stringify(l)}`)
      return [l.slice(0, at), l.slice(at + 1)]
    }),
  )
}

/** `key=value:Effect` or `key:Effect`, as kubectl taint has them. */
function taintsOf(list: string[]) {
  return list.map((t) => {
    const m = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(t)
    if (!m) throw new Error(`--taint wants KEY=VALUE:EFFECT, got ${JSON.stringify(t)}`)
    return { key: m[1]!, ...(m[2] ? { value: m[2] } : {}), effect: m[3]! }
  })
}

/** What to paste on a machine. A server under a private CA brings it along: nothing is fetched without trust. */
function installCommand(origin: string, ca: string | undefined, token: string): string {
  const run = `${origin}/install.sh | sudo sh -s -- --token ${token}`
  if (!ca) return `curl -fsSL ${run}`
  return `echo ${Buffer.from(ca).toString('base64')} | base64 -d >/tmp/kedge-ca.crt && curl -fsSL --cacert /tmp/kedge-ca.crt ${run}`
}

async function createJoinToken(v: Record<string, any>): Promise<void> {
  const access = currentAccess()
  const { token } = await apiRequest(access, 'POST', '/kedge/v1/tokens', {
    uses: Number(v.uses),
    seconds: seconds(v.ttl ?? '24h'),
    labels: labelsOf(v.label ?? []),
    taints: taintsOf(v.taint ?? []),
    ...(v['node-name'] ? { nodeName: v['node-name'] } : {}),
  })
  const hash = access.ca ? createHash('sha256').update(new X509Certificate(access.ca).raw).digest('hex') : ''
  const url = new URL(access.server)
  const cluster = /^\/clusters\/([^/]+)/.exec(url.pathname)?.[1]
  const whole = [token, ...(hash || cluster ? [hash] : []), ...(cluster ? [cluster] : [])].join('.')
  process.stderr.write(`On the machine:\n  ${installCommand(url.origin, access.ca, whole)}\n\n`)
  process.stdout.write(`${whole}\n`)
}

async function listJoinTokens(): Promise<void> {
  const { items } = await apiRequest(currentAccess(), 'GET', '/kedge/v1/tokens')
  const rows = items.map((t: any) => [
    t.id,
    String(t.uses ?? 'any'),
    age(t.created),
    t.expires ?? 'never',
    t.nodeName ?? '*',
    Object.entries(t.labels ?? {})
      .map(([k, l]) => `${k}=${l}`)
      .join(','),
    (t.taints ?? []).map((x: any) => `${x.key}${x.value ? `=${x.value}` : ''}:${x.effect}`).join(','),
  ])
  process.stdout.write(printTable(['id', 'uses left', 'age', 'expires', 'nodes', 'labels', 'taints'], rows))
}

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'token SUBCOMMAND',
    about,
    {
      join: { type: 'boolean', about: 'a token that lets a machine join as a node' },
      uses: { type: 'string', value: 'N', about: 'with --join: how many machines may join with it', default: '1' },
      ttl: { type: 'string', value: 'TIME', about: 'how long it holds: 15m, 24h, 30d (default 24h with --join, else for ever)' },
      label: { type: 'string', value: 'KEY=VALUE', about: 'with --join: a label of every node that joins with it', multiple: true },
      taint: { type: 'string', value: 'KEY=VALUE:EFFECT', about: 'with --join: a taint of every such node', multiple: true },
      'node-name': { type: 'string', value: 'PATTERN', about: 'with --join: what nodes may be called, as web-*' },
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
      if (v.join) await createJoinToken(v)
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
      if (v.join) {
        await listJoinTokens()
        return 0
      }
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
      if (v.join) await apiRequest(currentAccess(), 'DELETE', `/kedge/v1/tokens/${encodeURIComponent(id)}`)
      else await hostRequest(currentHost(), 'DELETE', `/tokens/${encodeURIComponent(id)}`)
      process.stdout.write(`token ${id} revoked\n`)
      return 0
    default:
      throw new Error('usage: kedge token create|ls|rm (see kedge token --help)')
  }
}
