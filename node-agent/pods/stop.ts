// How containers of a pod end: preStop, TERM, and after the grace KILL. All side by side, but that sidecars are told to go when those that they serve have
// gone: the containers, and the sidecars that came after them.
import { isSidecar } from '../plan/plan.ts'
import type { Observed, Runtime } from '../runtime/docker.ts'

/** What a sidecar has to end when those that it served took all of the grace, ms. */
const LAST_MOMENT = 2000
/** How long it is waited for what the kernel was told to kill, in tenths of a second. */
const MOST_AFTER_KILL = 50

export interface Stopping {
  runtime: Runtime
  pod: any
  /** Runs a hook within so many ms; a message when it failed. */
  hook(hook: any, container: any, id: string, timeout: number): Promise<string | undefined>
  /** Until something happens to the pod, or the time is up. */
  pause(ms: number): Promise<void>
  failed(message: string, container: string): void
}

/** `deadline` may come closer meanwhile; whoever is left then is killed. */
export async function stopContainers(
  by: Stopping,
  list: Observed[],
  graceSeconds: number,
  deadline: () => number = () => Number.POSITIVE_INFINITY,
): Promise<void> {
  const begun = performance.now()
  const limit = () => Math.min(begun + graceSeconds * 1000, deadline())
  const inits: any[] = by.pod.spec.initContainers ?? []
  const rank = (o: Observed) => {
    const at = inits.findIndex((c) => c.name === o.name && isSidecar(c))
    return at < 0 ? inits.length : at
  }
  const ended = new Map<Observed, Promise<void>>()
  for (const o of list.toSorted((x, y) => rank(y) - rank(x))) {
    const served = [...ended].filter(([x]) => rank(x) > rank(o)).map(([, gone]) => gone)
    ended.set(o, stopOne(by, o, limit, served))
  }
  await Promise.all(ended.values())
}

async function stopOne(by: Stopping, o: Observed, limit: () => number, served: Promise<void>[]): Promise<void> {
  const { runtime, pod, pause } = by
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((c: any) => c.name === o.name)
  const alive = () => runtime.containers.get(o.id)?.state === 'running'
  const hook = container?.lifecycle?.preStop
  if (hook && alive() && limit() > performance.now()) {
    const failed = await by.hook(hook, container, o.id, limit() - performance.now())
    if (failed) by.failed(failed, o.name)
  }
  let until = limit
  if (served.length && limit() > performance.now()) {
    let isTurn = false
    const turn = Promise.all(served).then(() => {
      isTurn = true
    })
    while (!isTurn && alive() && limit() > performance.now()) await Promise.race([turn, pause(Math.min(limit() - performance.now(), 1000))])
    const least = performance.now() + LAST_MOMENT
    until = () => Math.max(limit(), least)
  }
  if (alive() && until() > performance.now()) await runtime.kill(o.id, container?.lifecycle?.stopSignal ?? 'SIGTERM')
  while (alive() && until() > performance.now()) await pause(Math.min(until() - performance.now(), 1000))
  if (!alive()) return
  await runtime.kill(o.id, 'SIGKILL')
  for (let i = 0; alive() && i < MOST_AFTER_KILL; i++) {
    await pause(100)
    if (i % 10 === 9) await runtime.look(o.id)
  }
}
