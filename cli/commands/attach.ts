// kedge attach: to a process that runs already.
import { setTimeout as sleep } from 'node:timers/promises'
import { err, Failure, type Kube, kubeCommand } from '../kube/command.ts'
import { containerOf, podsOf, streamFlags } from '../kube/pods.ts'
import { stream } from '../kube/streams.ts'

type State = 'running' | 'ended' | undefined

const podState = (pod: any): State =>
  pod.status?.phase === 'Running' ? 'running' : ['Succeeded', 'Failed'].includes(pod.status?.phase) ? 'ended' : undefined

interface AttachOptions {
  container?: string
  stdin: boolean
  tty: boolean
  quiet: boolean
  timeout: number
  /** How far it is, where the pod's phase does not tell. */
  started?: (pod: any) => State
}

/** Attaches when it runs; its exit code, or that of what ended before. */
export async function attachTo(k: Kube, name: string, o: AttachOptions): Promise<number> {
  const at = `/api/v1/namespaces/${encodeURIComponent(k.namespace)}/pods/${encodeURIComponent(name)}`
  let pod: any
  let state: State
  for (const end = Date.now() + o.timeout; ; await sleep(200)) {
    pod = await k.client.get(at)
    state = (o.started ?? podState)(pod)
    if (state) break
    if (Date.now() > end) throw new Failure('timed out waiting for the condition')
  }
  const container = containerOf(pod, o.container ?? '', o.quiet ? () => {} : err)
  const exitCode = (p: any): number => p.status?.containerStatuses?.find((s: any) => s.name === container)?.state?.terminated?.exitCode ?? 0
  if (state === 'running') {
    const tty = o.tty && !!process.stdin.isTTY
    if (o.stdin && tty && !o.quiet) err("If you don't see a command prompt, try pressing enter.\n")
    const q = new URLSearchParams({
      container,
      stdout: 'true',
      ...(tty ? { tty: 'true' } : { stderr: 'true' }),
      ...(o.stdin ? { stdin: 'true' } : {}),
    })
    try {
      await stream(k.client, `${at}/attach?${q}`, {
        ...(o.stdin ? { stdin: process.stdin } : {}),
        stdout: (b) => void process.stdout.write(b),
        stderr: (b) => void process.stderr.write(b),
        tty,
      })
      return 0
    } catch (cause) {
      err(`warning: couldn't attach to pod/${name}, falling back to streaming logs: ${(cause as Error).message}\n`)
    }
  }
  // It was faster than we: what it said is in its log.
  const log = await k.client.stream(`${at}/log?follow=true&container=${encodeURIComponent(container)}`)
  for await (const part of log) process.stdout.write(part as Buffer)
  return exitCode(await k.client.get(at))
}

export const run = kubeCommand(
  {
    name: 'attach',
    usage: '(POD | TYPE/NAME) -c CONTAINER [options]',
    about: 'Attach to a process that is already running inside an existing container.',
    flags: streamFlags,
  },
  async (k) => {
    if (!k.args.length) throw new Failure('at least 1 argument is required for attach')
    const [pod] = await podsOf(k, k.args[0]!)
    return attachTo(k, pod.metadata.name, {
      container: k.f.container,
      stdin: k.f.stdin,
      tty: k.f.tty,
      quiet: k.f.quiet,
      timeout: k.f['pod-running-timeout'],
    })
  },
)
