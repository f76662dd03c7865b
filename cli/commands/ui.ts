// kedge ui: where the dashboard of the current cluster is, and what to sign in with.
import { parseFlags } from '../flags.ts'
import { currentAccess } from '../kubeconfig.ts'
import { openBrowser } from '../sign-in.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'ui',
    'Opens the dashboard of the cluster of the current context. It wants a token, or signs in at the provider where the cluster knows one.',
    {
      token: { type: 'boolean', about: 'print the token of the current context as well, to sign in with' },
      'no-browser': { type: 'boolean', about: 'print the address, and open no browser' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  const { server, token } = currentAccess()
  const url = `${server.replace(/\/$/, '')}/ui/`
  if (v.token && !token) throw new Error('the current context has no token: make one with `kubectl create token NAME`')
  process.stdout.write(`${url}\n${v.token ? `${token}\n` : ''}`)
  if (!v['no-browser'] && process.stdout.isTTY) openBrowser(url)
  return 0
}
