// kedge node: the node daemon in the foreground.
import { hostname } from 'node:os'
import { startDaemon } from '../../node-agent/daemon.ts'
import { stderrLog } from '../../node-agent/log.ts'
import { parseFlags } from '../flags.ts'
import { nodeCommands, runNodeCommand } from '../nodes.ts'

export async function run(args: string[]): Promise<number | undefined> {
  const [what, name] = args
  if (what !== undefined && nodeCommands.includes(what) && name !== '--help') return runNodeCommand(what, name)
  const parsed = parseFlags(
    'node',
    `Runs the node daemon: joins with a token once, then keeps this machine doing what the control plane wants.

And for the cluster that KUBECONFIG names:
  kedge node ls               list its machines
  kedge node cordon NAME      let no new pod start there
  kedge node uncordon NAME    let them again
  kedge node rm NAME          remove it: its key opens nothing any more`,
    {
      server: { type: 'string', value: 'URL', about: 'the control plane' },
      token: { type: 'string', value: 'TOKEN', about: 'a join token; needed once' },
      'ca-file': { type: 'string', value: 'FILE', about: "the server's CA; a join token usually carries its hash" },
      name: { type: 'string', value: 'NAME', about: "the node's name", default: hostname().toLowerCase() },
      'node-ip': { type: 'string', value: 'IP', about: 'the address that other nodes reach this one by' },
      data: { type: 'string', value: 'DIR', about: 'where keys, volumes and state live', default: '/var/lib/kedge' },
      'docker-socket': { type: 'string', value: 'PATH', about: "Docker's socket", default: '/var/run/docker.sock' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  const daemon = await startDaemon({
    data: v.data,
    name: v.name,
    dockerSocket: v['docker-socket'],
    log: stderrLog,
    ...(v.server ? { server: v.server } : {}),
    ...(v.token ? { token: v.token } : {}),
    ...(v['ca-file'] ? { caFile: v['ca-file'] } : {}),
    ...(v['node-ip'] ? { nodeIp: v['node-ip'] } : {}),
  })
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  await daemon.close()
  process.exit(0)
}
