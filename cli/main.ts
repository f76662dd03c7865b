#!/usr/bin/env node
// The `kedge` command: finds the subcommand and gives it the rest. One file per command in commands/.
import { enableCompileCache, flushCompileCache } from 'node:module'
import { isSea } from 'node:sea'
import { globals } from './kube/flags.ts'
import { runPlugin } from './kube/plugins.ts'

/** ms */
const FLUSH_AFTER = 30_000

enableCompileCache?.()
// Who runs for long may be killed, and starts by what was compiled now.
if (!isSea()) setTimeout(() => flushCompileCache?.(), FLUSH_AFTER).unref()

type Command = { about: string; load: () => Promise<{ run(args: string[]): Promise<number | undefined> }> }

const sections: Record<string, Record<string, Command>> = {
  'Clusters and hosts': {
    up: { about: 'start a cluster on this machine and deploy a small example', load: () => import('./commands/up.ts') },
    down: { about: 'stop it; --purge forgets it', load: () => import('./commands/down.ts') },
    serve: { about: 'run the control plane', load: () => import('./commands/serve.ts') },
    'rotate-key': { about: 'a new key for the Secrets of a data folder', load: () => import('./commands/rotate-key.ts') },
    node: { about: 'run the node daemon; machines: ls, upgrade, doctor', load: () => import('./commands/node.ts') },
    login: { about: 'sign in to a Kedge host, or open an account there', load: () => import('./commands/login.ts') },
    logout: { about: 'forget the token of a host', load: () => import('./commands/logout.ts') },
    account: { about: 'the account you are signed in to: members, usage', load: () => import('./commands/account.ts') },
    cluster: { about: 'its clusters: create, ls, use, suspend, resume, rm', load: () => import('./commands/cluster.ts') },
    token: { about: 'join tokens of a cluster, API tokens of an account', load: () => import('./commands/token.ts') },
    kubeconfig: { about: 'print a kubeconfig for one of them, without a secret in it', load: () => import('./commands/kubeconfig.ts') },
    credential: { about: 'what such a kubeconfig has kubectl run', load: () => import('./commands/credential.ts') },
    grep: { about: 'search what pods have said, those that are gone too', load: () => import('./commands/grep.ts') },
    ui: { about: 'the dashboard of the current cluster', load: () => import('./commands/ui.ts') },
    why: { about: 'what holds something back, and what to do', load: () => import('./commands/why.ts') },
    hook: { about: 'deploy hooks: create, ls, logs, replay, test', load: () => import('./commands/hook.ts') },
    export: { about: 'a whole cluster as one file', load: () => import('./commands/export.ts') },
    import: { about: 'a data folder from such a file', load: () => import('./commands/import.ts') },
    move: { about: 'send the nodes to the place where it was imported', load: () => import('./commands/move.ts') },
  },
  'As kubectl does: look': {
    get: { about: 'display one or many resources', load: () => import('./commands/get.ts') },
    describe: { about: 'show details of resources', load: () => import('./commands/describe.ts') },
    logs: { about: 'print the logs of containers', load: () => import('./commands/logs.ts') },
    events: { about: 'list events', load: () => import('./commands/events.ts') },
    top: { about: 'what nodes and pods use', load: () => import('./commands/top.ts') },
    explain: { about: 'documentation of resources', load: () => import('./commands/explain.ts') },
    diff: { about: 'what an apply would change', load: () => import('./commands/diff.ts') },
    auth: { about: 'inspect authorization: can-i, whoami, reconcile', load: () => import('./commands/auth.ts') },
    'api-resources': { about: 'the resources that the server has', load: () => import('./commands/api-resources.ts') },
    'api-versions': { about: 'its API versions', load: () => import('./commands/api-versions.ts') },
    'cluster-info': { about: 'where it is', load: () => import('./commands/cluster-info.ts') },
    version: { about: 'of this command and of the server', load: () => import('./commands/version.ts') },
  },
  'As kubectl does: change': {
    apply: { about: 'apply a configuration by file, folder, URL or kustomization', load: () => import('./commands/apply.ts') },
    create: { about: 'create resources from files or flags', load: () => import('./commands/create.ts') },
    run: { about: 'run an image in a pod', load: () => import('./commands/run.ts') },
    expose: { about: 'a service in front of a workload', load: () => import('./commands/expose.ts') },
    set: { about: 'image, env, resources, serviceaccount, selector, subject', load: () => import('./commands/set.ts') },
    edit: { about: 'edit a resource in an editor', load: () => import('./commands/edit.ts') },
    patch: { about: 'update fields of a resource', load: () => import('./commands/patch.ts') },
    replace: { about: 'replace a resource by a file', load: () => import('./commands/replace.ts') },
    delete: { about: 'delete resources', load: () => import('./commands/delete.ts') },
    label: { about: 'update labels', load: () => import('./commands/label.ts') },
    annotate: { about: 'update annotations', load: () => import('./commands/annotate.ts') },
    rollout: { about: 'status, history, undo, restart, pause, resume', load: () => import('./commands/rollout.ts') },
    scale: { about: 'set how many', load: () => import('./commands/scale.ts') },
    autoscale: { about: 'have that decided by load', load: () => import('./commands/autoscale.ts') },
    certificate: { about: 'approve or deny signing requests', load: () => import('./commands/certificate.ts') },
    wait: { about: 'wait for a condition', load: () => import('./commands/wait.ts') },
    kustomize: { about: 'what a kustomization comes to', load: () => import('./commands/kustomize.ts') },
  },
  'As kubectl does: containers and nodes': {
    exec: { about: 'a command in a container', load: () => import('./commands/exec.ts') },
    attach: { about: 'attach to a running container', load: () => import('./commands/attach.ts') },
    debug: { about: 'a container beside those of a pod, a copy of it, or a pod on a node', load: () => import('./commands/debug.ts') },
    cp: { about: 'copy files to and from containers', load: () => import('./commands/cp.ts') },
    'port-forward': { about: 'local ports that lead into a pod', load: () => import('./commands/port-forward.ts') },
    proxy: { about: 'the API on a local port', load: () => import('./commands/proxy.ts') },
    cordon: { about: 'mark nodes as unschedulable', load: () => import('./commands/cordon.ts') },
    uncordon: { about: 'mark nodes as schedulable', load: () => import('./commands/uncordon.ts') },
    drain: { about: 'have the pods of a node go elsewhere', load: () => import('./commands/drain.ts') },
    taint: { about: 'update taints of nodes', load: () => import('./commands/taint.ts') },
  },
  Settings: {
    config: { about: 'kubeconfig files', load: () => import('./commands/config.ts') },
    completion: { about: 'completion for bash, zsh, fish, powershell', load: () => import('./commands/completion.ts') },
    plugin: { about: 'commands of your own', load: () => import('./commands/plugin.ts') },
    options: { about: 'flags that every command has', load: () => import('./commands/options.ts') },
  },
}
/** For our own processes. */
const inner: Record<string, Command> = { dial: { about: '', load: () => import('./commands/dial.ts') } }
const commands: Record<string, Command> = Object.assign({}, inner, ...Object.values(sections))

function usage(): string {
  const lines = Object.entries(sections).map(
    ([title, list]) =>
      `${title}:\n${Object.entries(list)
        .map(([name, c]) => `  ${name.padEnd(15)}${c.about}`)
        .join('\n')}`,
  )
  return `kedge: Kubernetes without servers to keep\n\nUsage: kedge COMMAND [flags]\n\n${lines.join('\n\n')}\n\nUse "kedge COMMAND --help" for its flags.\n`
}

/** The command's place among the words: flags with values may stand before it. */
function split(argv: string[]): { name?: string; rest: string[] } {
  for (let i = 0; i < argv.length; i++) {
    const a = argv[i]!
    if (!a.startsWith('-')) return { name: a, rest: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    if (a === '--help' || a === '-h') return { name: 'help', rest: [] }
    const flag = globals[a.replace(/^--/, '')] ?? Object.values(globals).find((f) => f.short && a === `-${f.short}`)
    if (flag && flag.type !== 'bool' && !a.includes('=')) i++
  }
  return { rest: argv }
}

/** Words that could come next, one a line. */
async function complete(words: string[]): Promise<number> {
  const last = words.at(-1) ?? ''
  const before = words.slice(0, -1).filter((w) => !w.startsWith('-'))
  let found: string[] = []
  if (!before.length) found = Object.keys(commands).filter((c) => !inner[c])
  else {
    const { completions } = await import('./kube/completions.ts')
    found = await completions(before).catch(() => [])
  }
  for (const f of found.filter((x) => x.startsWith(last)).sort()) process.stdout.write(`${f}\n`)
  return 0
}

async function main(argv: string[]): Promise<number | undefined> {
  if (argv[0] === '__complete') return complete(argv.slice(1))
  const { name, rest } = split(argv)
  if (name === 'help' && rest[0] && commands[rest[0]]) return main([rest[0], '--help'])
  if (!name || name === 'help') {
    process.stdout.write(usage())
    return 0
  }
  if (!commands[name]) {
    const code = runPlugin(argv)
    if (code !== undefined) return code
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
