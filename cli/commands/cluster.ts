// kedge cluster: the clusters of the account that one is signed in to.
import { createReadStream } from 'node:fs'
import { parseFlags } from '../flags.ts'
import { currentHost, type HostAccess, hostRequest } from '../host.ts'
import { addExecContext, contextName, removeContext } from '../kubeconfig.ts'
import { age, printTable } from '../print/table.ts'

const about = `Makes and looks after the clusters of the account you are signed in to.

  kedge cluster create NAME      make one, and point kubectl at it
  kedge cluster ls               list them
  kedge cluster use NAME         point kubectl at one
  kedge cluster import NAME FILE make one from what kedge export wrote
  kedge cluster suspend NAME     stop serving it; its data stays
  kedge cluster resume NAME      serve it again
  kedge cluster rm NAME          delete it with everything in it (asks for its name again, unless --yes)`

function pointAt(host: HostAccess, cluster: { name: string; server: string; caCertificate?: string }): void {
  const context = addExecContext({
    name: contextName(cluster.server),
    server: cluster.server,
    ...((host.ca ?? cluster.caCertificate) ? { ca: host.ca ?? cluster.caCertificate } : {}),
    args: ['credential', '--server', host.server],
  })
  process.stdout.write(`kubectl's context is ${context}\n`)
}

async function confirmed(name: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('this deletes everything in the cluster: say --yes')
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await lines.question(`This deletes everything in ${name}. Type its name to go on: `)).trim() === name
  } finally {
    lines.close()
  }
}

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags('cluster SUBCOMMAND', about, { yes: { type: 'boolean', about: 'with rm: do not ask' } }, args)
  if (!parsed) return 0
  const [what = 'ls', name] = parsed.positionals
  const host = currentHost()
  const at = () => {
    if (!name) throw new Error(`usage: kedge cluster ${what} NAME`)
    return `/clusters/${encodeURIComponent(name)}`
  }
  switch (what) {
    case 'ls':
    case 'list': {
      const { items } = await hostRequest(host, 'GET', '/clusters')
      if (!items.length) process.stderr.write('No clusters yet: kedge cluster create NAME\n')
      else
        process.stdout.write(
          printTable(
            ['name', 'state', 'age', 'server'],
            items.map((c: any) => [c.name, c.state, age(c.created), c.server]),
          ),
        )
      return 0
    }
    case 'create': {
      if (!name) throw new Error('usage: kedge cluster create NAME')
      const begun = performance.now()
      const made = await hostRequest(host, 'POST', '/clusters', { name })
      process.stdout.write(`cluster ${name} created in ${((performance.now() - begun) / 1000).toFixed(2)} s: ${made.server}\n`)
      pointAt(host, made)
      process.stdout.write('join a machine with the token that `kedge token create --join` prints\n')
      return 0
    }
    case 'import': {
      const [, , file] = parsed.positionals
      if (!name || !file) throw new Error('usage: kedge cluster import NAME FILE')
      const made = await hostRequest(host, 'POST', `${at()}/import`, createReadStream(file))
      process.stdout.write(`cluster ${name} made from ${file}: ${made.server}\n`)
      pointAt(host, made)
      return 0
    }
    case 'use':
      pointAt(host, await hostRequest(host, 'GET', at()))
      return 0
    case 'suspend':
    case 'resume': {
      const c = await hostRequest(host, 'POST', `${at()}/${what}`)
      process.stdout.write(`cluster ${name} is ${c.state}\n`)
      return 0
    }
    case 'rm':
    case 'delete': {
      const c = await hostRequest(host, 'GET', at())
      if (!parsed.values.yes && !(await confirmed(c.name))) {
        process.stderr.write('nothing was deleted\n')
        return 1
      }
      await hostRequest(host, 'DELETE', at())
      removeContext(contextName(c.server))
      process.stdout.write(`cluster ${name} deleted\n`)
      return 0
    }
    default:
      throw new Error(`unknown subcommand ${JSON.stringify(what)}: see kedge cluster --help`)
  }
}
