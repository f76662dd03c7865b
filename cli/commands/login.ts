// kedge login: signs in to a Kedge host, as a person or with an API token, or opens an account there.
import { readFileSync } from 'node:fs'
import { parseFlags } from '../flags.ts'
import { useHost } from '../host.ts'
import { apiRequest } from '../request.ts'
import { signInWithBrowser, signInWithCode } from '../sign-in.ts'

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

const say = (text: string) => void process.stderr.write(`${text}\n`)

/** Which of the person's accounts to work in. */
function choose(accounts: { name: string }[], wanted: string | undefined, user: string): string {
  if (wanted) {
    if (accounts.some((a) => a.name === wanted)) return wanted
    throw new Error(`${user} is no member of the account ${JSON.stringify(wanted)}`)
  }
  if (accounts.length === 1) return accounts[0]!.name
  if (!accounts.length) throw new Error(`${user} belongs to no account here: ask a member to add you, or open one with --new-account NAME`)
  throw new Error(`${user} belongs to several accounts: say --account ${accounts.map((a) => a.name).join('|')}`)
}

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'login --server URL',
    'Signs in to a Kedge host: as a person, in the browser, where the host has a sign-in provider; else with an API token, which is asked for\nor read from standard input.',
    {
      server: { type: 'string', value: 'URL', about: 'the host, https://…' },
      account: { type: 'string', value: 'NAME', about: 'which account to work in, for members of several' },
      'new-account': { type: 'string', value: 'NAME', about: 'open this account; sign-up must be open, or --token the operator’s' },
      token: { type: 'string', value: 'TOKEN', about: 'an API token instead of a person (- reads it from standard input)' },
      device: { type: 'boolean', about: 'sign in with a code on another machine’s browser' },
      'no-browser': { type: 'boolean', about: 'print the address, and open no browser' },
      'ca-file': { type: 'string', value: 'FILE', about: 'the CA to trust, where the host is not under a public one' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  if (!v.server) throw new Error('--server is missing: the URL of the host')
  const server = new URL(v.server).origin
  const ca = v['ca-file'] ? { ca: readFileSync(v['ca-file'], 'utf8') } : {}
  const { oidc } = await apiRequest({ server, ...ca }, 'GET', '/v1/sign-in')

  if (oidc && !v.token) {
    const tokens = v.device ? await signInWithCode(oidc, say) : await signInWithBrowser(oidc, say, !v['no-browser'])
    const access = { server, token: tokens.idToken, ...ca }
    if (v['new-account']) await apiRequest(access, 'POST', '/v1/accounts', { name: v['new-account'] })
    const me = await apiRequest(access, 'GET', '/v1/whoami').catch((cause) => {
      throw cause.code === 401 ? new Error('the host does not accept this person: is the e-mail address verified at the provider?') : cause
    })
    const account = choose(me.accounts, v['new-account'] ?? v.account, me.user)
    useHost({ server, account, person: { issuer: oidc.issuer, clientId: oidc.clientId, ...tokens }, ...ca })
    process.stdout.write(`signed in to ${server} as ${me.user}: account ${account}\n`)
    return 0
  }
  if (v['new-account']) {
    const made = await apiRequest({ server, ...ca, ...(v.token ? { token: v.token } : {}) }, 'POST', '/v1/accounts', {
      name: v['new-account'],
    })
    useHost({ server, account: made.account.name, token: made.token.token, ...ca })
    process.stdout.write(`account ${made.account.name} opened; you are signed in as its owner\nnext: kedge cluster create NAME\n`)
    return 0
  }
  const token = v.token && v.token !== '-' ? v.token : await askSecret(`API token for ${server}: `)
  if (!token) throw new Error('no token was given')
  const me = await apiRequest({ server, token, ...ca }, 'GET', '/v1/whoami').catch((cause) => {
    throw cause.code === 401 ? new Error('the host does not know this token: it is mistyped, expired or revoked') : cause
  })
  useHost({ server, account: me.account.name, token, ...ca })
  process.stdout.write(`signed in to ${server}: account ${me.account.name}, token ${me.token.name} (${me.token.role})\n`)
  return 0
}
