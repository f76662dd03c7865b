// kedge account: the account that one is signed in to, its members and its usage.
import { parseFlags } from '../flags.ts'
import { currentHost, hostRequest } from '../host.ts'
import { age, printTable } from '../print/table.ts'

const about = `Shows and changes the account you are signed in to.

  kedge account                      who you are and what the account may use
  kedge account usage                requests by day and cluster
  kedge account members              who belongs to it
  kedge account add USER --role R    add a member or change the role (view, edit, admin, owner)
  kedge account remove USER          remove a member`

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'account [SUBCOMMAND]',
    about,
    { role: { type: 'string', value: 'ROLE', about: 'with add', default: 'edit' } },
    args,
  )
  if (!parsed) return 0
  const [what = 'show', user] = parsed.positionals
  const host = currentHost()
  const member = () => {
    if (!user) throw new Error(`usage: kedge account ${what} USER`)
    return `/members/${encodeURIComponent(user)}`
  }
  switch (what) {
    case 'show': {
      const me = await hostRequest(host, 'GET', '/v1/whoami')
      const account = me.account ?? (await hostRequest(host, 'GET', ''))
      const scope = [me.token?.cluster && `cluster ${me.token.cluster}`, me.token?.namespace && `namespace ${me.token.namespace}`]
      const role = me.accounts.find((a: any) => a.name === host.account)?.role
      const who = me.user ? `User:     ${me.user} (${role})` : `Token:    ${me.token.name} (${[role, ...scope].filter(Boolean).join(', ')})`
      const limits = Object.entries(account.limits).map(([k, n]) => `${k} ${n}`)
      process.stdout.write(`Host:     ${host.server}\nAccount:  ${host.account}\n${who}\nLimits:   ${limits.join(', ')}\n`)
      return 0
    }
    case 'usage': {
      const { items } = await hostRequest(host, 'GET', '/usage')
      process.stdout.write(
        printTable(
          ['day', 'cluster', 'requests'],
          items.map((u: any) => [u.day, u.cluster, String(u.requests)]),
        ),
      )
      return 0
    }
    case 'members': {
      const { items } = await hostRequest(host, 'GET', '/members')
      process.stdout.write(
        printTable(
          ['user', 'role', 'age'],
          items.map((m: any) => [m.user, m.role, age(m.created)]),
        ),
      )
      return 0
    }
    case 'add':
      await hostRequest(host, 'PUT', member(), { role: parsed.values.role })
      process.stdout.write(`${user} is a member (${parsed.values.role})\n`)
      return 0
    case 'remove':
      await hostRequest(host, 'DELETE', member())
      process.stdout.write(`${user} is no member any more\n`)
      return 0
    default:
      throw new Error(`unknown subcommand ${JSON.stringify(what)}: see kedge account --help`)
  }
}
