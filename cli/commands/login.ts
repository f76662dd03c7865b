// kedge login: signs in to a Kedge host with an API token, or opens an account there.
import { readFileSync } from 'node:fs'
import { parseFlags } from '../flags.ts'
import { rememberHost } from '../host.ts'
import { apiRequest } from '../request.ts'

/** The text that is piped in, or typed without being shown. */
async function askSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) return readFileSync(0, 'utf8').trim()
  process.stderr.write(question)
  process.stdin.setRawMode(true)
  process.stdin.resume()
  let text = ''
  try {
    for await (const chunk of process.stdin) {
      for (const c of String(chunk)) {
        if (c === '\r' || c === '\n') return text
        if (c === '\u0003') throw new Error('stopped')
        text = c === '\u007f' ? text.slice(0, -1) : text + c
      }
    }
    return text
  } finally {
    process.stdin.setRawMode(false)
    process.stdin.pause()
    process.stderr.write('\n')
  }
}

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'login --server URL',
    'Signs in to a Kedge host. The token is asked for, or read from standard input.',
    {
      server: { type: 'string', value: 'URL', about: 'the host, https://…' },
      token: { type: 'string', value: 'TOKEN', about: 'an API token (better asked for: arguments are seen by others)' },
      'new-account': {
        type: 'string',
        value: 'NAME',
        about: 'open this account instead; sign-up must be open, or the token the operator’s',
      },
      'ca-file': { type: 'string', value: 'FILE', about: 'the CA to trust, where the host is not under a public one' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  if (!v.server) throw new Error('--server is missing: the URL of the host')
  const server = new URL(v.server).origin
  const ca = v['ca-file'] ? { ca: readFileSync(v['ca-file'], 'utf8') } : {}
  if (v['new-account']) {
    const made = await apiRequest({ server, ...ca, ...(v.token ? { token: v.token } : {}) }, 'POST', '/v1/accounts', {
      name: v['new-account'],
    })
    rememberHost({ server, account: made.account.name, token: made.token.token, ...ca })
    process.stdout.write(`account ${made.account.name} opened; you are signed in as its owner\nnext: kedge cluster create NAME\n`)
    return 0
  }
  const token = v.token ?? (await askSecret(`API token for ${server}: `))
  if (!token) throw new Error('no token was given')
  const me = await apiRequest({ server, token, ...ca }, 'GET', '/v1/whoami').catch((cause) => {
    throw cause.code === 401 ? new Error('the host does not know this token: it is mistyped, expired or revoked') : cause
  })
  rememberHost({ server, account: me.account.name, token, ...ca })
  process.stdout.write(`signed in to ${server}: account ${me.account.name}, token ${me.token.name} (${me.token.role})\n`)
  return 0
}
