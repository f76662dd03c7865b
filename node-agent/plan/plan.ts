// From what a pod wants and what runs to the next steps. Pure: the worker carries them out and asks again.
import { boundsOf } from '../runtime/container-options.ts'
import type { Observed } from '../runtime/docker.ts'
import { type Bounds, resizeStep } from './resize.ts'

/** Seconds to wait after the n-th crash in a row: 10, 20, 40 … 300; forgotten after ten quiet minutes. */
const BACKOFF_FIRST = 10_000
const BACKOFF_MAX = 300_000
const BACKOFF_RESET = 600_000

type Step =
  | { do: 'start'; container: any; restarts: number }
  | { do: 'kill'; observed: Observed; reason: string; grace?: number }
  | { do: 'resize'; observed: Observed; bounds: Bounds }
  /** Nothing to do before this time (ms). */
  | { do: 'wait'; until: number; container: string; message: string }

export interface Plan {
  steps: Step[]
  /** Containers in back-off, for their status. */
  waiting: Map<string, { reason: string; message: string }>
  /** Every container has ended for good. */
  finished?: 'Succeeded' | 'Failed'
  initialized: boolean
}

export interface Backoff {
  /** Wait after the next crash, ms. */
  delay: number
}

/** The newest container of a name. */
export function newest(observed: Observed[], name: string): Observed | undefined {
  return observed.filter((o) => !o.sandbox && o.name === name).sort((a, b) => b.restarts - a.restarts || b.created - a.created)[0]
}

const ended = (o: Observed | undefined) => o?.state === 'exited'
const endedAt = (o: Observed) => Date.parse(o.finishedAt ?? '') || o.created

export const isSidecar = (c: any): boolean => c.restartPolicy === 'Always'

/** Whether an ended container starts again by the pod's policy. */
function shouldRestart(policy: string, o: Observed): boolean {
  return policy === 'Always' || (policy === 'OnFailure' && o.exitCode !== 0)
}

/** Registers a crash: may it start now, or when? */
function nextStart(backoffs: Map<string, Backoff>, name: string, o: Observed, now: number): number {
  const at = endedAt(o)
  // The clock was put back: when that was, nobody knows.
  if (at > now) return now
  const known = backoffs.get(name)
  const ran = at - (Date.parse(o.startedAt ?? '') || at)
  if (!known || ran > BACKOFF_RESET) return at
  return at + known.delay
}

export function afterStart(backoffs: Map<string, Backoff>, name: string, previous: Observed | undefined): void {
  if (!previous) return
  const ran = endedAt(previous) - (Date.parse(previous.startedAt ?? '') || endedAt(previous))
  const known = ran > BACKOFF_RESET ? undefined : backoffs.get(name)
  backoffs.set(name, { delay: known ? Math.min(known.delay * 2, BACKOFF_MAX) : BACKOFF_FIRST })
}

/** `unhealthy` names containers that a probe has condemned; `started` tells whether a sidecar has passed its startup. */
export function plan(
  pod: any,
  observed: Observed[],
  backoffs: Map<string, Backoff>,
  unhealthy: ReadonlyMap<string, { reason: string; grace?: number }>,
  started: (name: string) => boolean,
  now: number,
): Plan {
  const out: Plan = { steps: [], waiting: new Map(), initialized: false }
  const policy: string = pod.spec.restartPolicy ?? 'Always'

  const consider = (c: any, restart: boolean): 'running' | 'ended' | 'pending' => {
    const o = newest(observed, c.name)
    if (o?.state === 'running') {
      const verdict = unhealthy.get(c.name)
      const bounds = boundsOf(c)
      const resize = verdict ? undefined : resizeStep(c, o.bounds, bounds)
      if (verdict) out.steps.push({ do: 'kill', observed: o, ...verdict })
      else if (resize === 'update') out.steps.push({ do: 'resize', observed: o, bounds })
      else if (resize) out.steps.push({ do: 'kill', observed: o, reason: `Container ${c.name} resize requires restart` })
      return 'running'
    }
    if (o && ended(o) && !restart) return 'ended'
    const at = o && ended(o) ? nextStart(backoffs, c.name, o, now) : now
    if (at > now) {
      const message = `back-off ${Math.round((backoffs.get(c.name)?.delay ?? BACKOFF_FIRST) / 1000)}s restarting failed container=${c.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`
      out.waiting.set(c.name, { reason: 'CrashLoopBackOff', message })
      out.steps.push({ do: 'wait', until: at, container: c.name, message })
    } else out.steps.push({ do: 'start', container: c, restarts: o && o.state !== 'created' ? o.restarts + 1 : (o?.restarts ?? 0) })
    return 'pending'
  }

  // Whoever debugs a pod may look at its first steps too; what has ended stays so.
  for (const c of pod.spec.ephemeralContainers ?? []) {
    const o = newest(observed, c.name)
    if (!o || o.state === 'created') out.steps.push({ do: 'start', container: c, restarts: 0 })
  }

  // Init containers go one by one; sidecars among them stay.
  for (const c of pod.spec.initContainers ?? []) {
    const o = newest(observed, c.name)
    if (isSidecar(c)) {
      const state = consider(c, true)
      if (state !== 'running' || !started(c.name)) return out
      continue
    }
    if (o && ended(o) && o.exitCode === 0) continue
    // Once the pod's own containers have run, a vanished init container is not run again.
    if (!o && pod.spec.containers.some((a: any) => newest(observed, a.name))) continue
    if (o && ended(o) && policy === 'Never') {
      out.finished = 'Failed'
      return out
    }
    consider(c, true)
    return out
  }
  out.initialized = true

  let allEnded = true
  let failed = false
  for (const c of pod.spec.containers) {
    const o = newest(observed, c.name)
    const state = consider(c, !!o && ended(o) && shouldRestart(policy, o))
    if (state !== 'ended') allEnded = false
    else if (o!.exitCode !== 0) failed = true
  }
  if (allEnded) out.finished = failed ? 'Failed' : 'Succeeded'
  return out
}
