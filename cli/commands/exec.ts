// kedge exec: a command in a container.
import { err, Failure, kubeCommand } from '../kube/command.ts'
import { containerOf, podsOf, streamFlags } from '../kube/pods.ts'
import { stream } from '../kube/streams.ts'

export const run = kubeCommand(
  {
    name: 'exec',
    usage: '(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...] [options]',
    about: 'Execute a command in a container.',
    flags: streamFlags,
  },
  async (k) => {
    const { f } = k
    const [word, ...command] = k.args
    if (!word || k.dash === 0) throw new Failure('pod, type/name or --filename must be specified')
    if (!command.length) throw new Failure('you must specify at least one command for the container')
    const [pod] = await podsOf(k, word)
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed')
      throw new Failure(`cannot exec into a container in a completed pod; current phase is ${pod.status.phase}`)
    const container = containerOf(pod, f.container, f.quiet ? () => {} : err)
    const tty = f.tty && !!process.stdin.isTTY
    if (f.tty && !tty) err('Unable to use a TTY - input is not a terminal or the right kind of file\n')
    const q = new URLSearchParams({
      container,
      stdout: 'true',
      ...(tty ? { tty: 'true' } : { stderr: 'true' }),
      ...(f.stdin ? { stdin: 'true' } : {}),
    })
    for (const c of command) q.append('command', c)
    const code = await stream(
      k.client,
      `/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods/${encodeURIComponent(pod.metadata.name)}/exec?${q}`,
      {
        ...(f.stdin ? { stdin: process.stdin } : {}),
        stdout: (b) => void process.stdout.write(b),
        stderr: (b) => void process.stderr.write(b),
        tty,
      },
    )
    return code
  },
)
