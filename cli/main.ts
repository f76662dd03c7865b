#!/usr/bin/env node
// The `kedge` command: finds the subcommand and gives it the rest. One file per command in commands/.
import { enableCompileCache } from 'node:module'

enableCompileCache?.()

const commands: Record<string, { about: string; load: () => Promise<{ run(args: string[]): Promise<number | undefined> }> }> = {
  up: { about: 'start a cluster on this machine and deploy a small example', load: () => import('./commands/up.ts') },
  down: { about: 'stop it; --purge forgets it', load: () => import('./commands/down.ts') },
  serve: { about: 'run the control plane', load: () => import('./commands/serve.ts') },
  node: { about: 'run the node daemon', load: () => import('./commands/node.ts') },
  token: { about: 'join tokens of a cluster, API tokens of an account', load: () => import('./commands/token.ts') },
  login: { about: 'sign in to a Kedge host, or open an account there', load: () => import('./commands/login.ts') },
  logout: { about: 'forget the token of a host', load: () => import('./commands/logout.ts') },
  account: { about: 'the account you are signed in to: members, usage', load: () => import('./commands/account.ts') },
  cluster: { about: 'its clusters: create, ls, use, suspend, resume, rm', load: () => import('./commands/cluster.ts') },
  hook: { about: 'deploy hooks: create, ls, logs, replay, test', load: () => import('./commands/hook.ts') },
  export: { about: 'a whole cluster as one file', load: () => import('./commands/export.ts') },
  import: { about: 'a data folder from such a file', load: () => import('./commands/import.ts') },
  move: { about: 'send the nodes to the place where it was imported', load: () => import('./commands/move.ts') },
  kubeconfig: { about: 'print a kubeconfig for one of them, without a secret in it', load: () => import('./commands/kubeconfig.ts') },
  credential: { about: 'what such a kubeconfig has kubectl run', load: () => import('./commands/credential.ts') },
  version: { about: 'print the version', load: () => import('./commands/version.ts') },
}

function usage(): string {
  const lines = Object.entries(commands).map(([name, c]) => `  ${name.padEnd(12)}${c.about}`)
  return `kedge: Kubernetes without servers to keep\n\nUsage: kedge COMMAND [flags]\n\nCommands:\n${lines.join('\n')}\n\nUse "kedge COMMAND --help" for its flags. kubectl does the rest: the cluster is a real Kubernetes API.\n`
}

async function main([name, ...rest]: string[]): Promise<number | undefined> {
  if (!name || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage())
    return 0
  }
  if (!commands[name]) {
    process.stderr.write(`error: unknown command "${name}"\n\n${usage()}`)
    return 1
  }
  try {
    const command = await commands[name].load()
    return await command.run(rest)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    process.stderr.write(`error: ${message}\n`)
    if (process.env.KEDGE_DEBUG && cause instanceof Error) process.stderr.write(`${cause.stack}\n`)
    return 1
  }
}

void main(process.argv.slice(2)).then((code) => {
  if (code !== undefined) process.exitCode = code
})
