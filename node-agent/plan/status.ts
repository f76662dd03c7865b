// The pod status that kubelet would write for what runs. Pure: conditions keep their times from the status before.
import { qosClass } from '../../shared/kinds/pod-defaults.ts'
import { boundsOf } from '../runtime/container-options.ts'
import type { Observed } from '../runtime/docker.ts'
import { isSidecar, newest } from './plan.ts'
import { type Granted, type ResizePending, resizeStep } from './resize.ts'

export interface StatusInput {
  pod: any
  observed: Observed[]
  hostIPs: readonly string[]
  /** None where it has no network yet. */
  podIPs: readonly string[]
  sandboxReady: boolean
  /** Why a container has not started, by name. */
  waiting: ReadonlyMap<string, { reason: string; message?: string }>
  /** Results of readiness probes; a container without one is ready when it runs. */
  ready: (container: any) => boolean
  started: (container: any) => boolean
  finished?: 'Succeeded' | 'Failed'
  /** Overrides for pods that ended by deadline or eviction. */
  reason?: string
  message?: string
  /** The node itself sent it away, for this reason. */
  disrupted?: string
  /** What containers have been granted, what they wait for, and what went wrong with it. */
  granted: Granted
  pending?: ResizePending
  resizeFault?: string
  terminationMessages: ReadonlyMap<string, string>
  startTime: string
  now: string
}

const seconds = (t: string | undefined) => (t ? `${t.slice(0, 19)}Z` : undefined)

function terminatedReason(o: Observed): string {
  if (o.oomKilled && o.exitCode === 137) return 'OOMKilled'
  if (o.exitCode === 0) return 'Completed'
  if (o.error && !o.startedAt) return 'ContainerCannotRun'
  return 'Error'
}

function terminated(o: Observed, message: string | undefined) {
  return {
    exitCode: o.exitCode ?? 0,
    reason: terminatedReason(o),
    ...(message || (o.error && !o.startedAt) ? { message: message ?? o.error } : {}),
    startedAt: seconds(o.startedAt) ?? null,
    finishedAt: seconds(o.finishedAt) ?? null,
    containerID: `docker://${o.id}`,
  }
}

function containerStatus(input: StatusInput, c: any, init: boolean) {
  const all = input.observed.filter((o) => !o.sandbox && o.name === c.name).sort((a, b) => b.restarts - a.restarts || b.created - a.created)
  const o = newest(input.observed, c.name)
  const waiting = input.waiting.get(c.name)
  const message = (x: Observed) => input.terminationMessages.get(x.id)
  const { initContainerStatuses = [], containerStatuses = [] } = input.pod.status ?? {}
  const before = (init ? initContainerStatuses : containerStatuses).find((s: any) => s.name === c.name)
  // What an ended pod had to say stays when its containers have been cleared away.
  if (!o && input.finished && before) return before
  let state: any
  let last: any = {}
  const previous = all.find((x) => x !== o && x.state === 'exited')
  if (o?.state === 'running') {
    state = { running: { startedAt: seconds(o.startedAt) } }
    if (previous) last = { terminated: terminated(previous, message(previous)) }
  } else if (o?.state === 'exited') {
    const t = { terminated: terminated(o, message(o)) }
    if (waiting) {
      state = { waiting: { reason: waiting.reason, ...(waiting.message ? { message: waiting.message } : {}) } }
      last = t
    } else {
      state = t
      if (previous) last = { terminated: terminated(previous, message(previous)) }
    }
  } else {
    const first =
      (input.pod.spec.initContainers?.length ?? 0) > 0 && !init
        ? 'PodInitializing'
        : init && input.pod.spec.initContainers?.[0] !== c
          ? 'PodInitializing'
          : 'ContainerCreating'
    state = { waiting: waiting ? { reason: waiting.reason, ...(waiting.message ? { message: waiting.message } : {}) } : { reason: first } }
    if (before?.lastState) last = before.lastState
  }
  const running = o?.state === 'running'
  const started = running && input.started(c)
  const plainInit = init && !isSidecar(c)
  const granted = input.granted.get(c.name)
  // What it has at this moment: what was granted, once its bounds are those.
  const isApplied = running && granted && !resizeStep(c, o.bounds, boundsOf({ ...c, resources: granted }))
  const resources = isApplied ? granted : (before?.resources ?? granted)
  return {
    name: c.name,
    state,
    lastState: last,
    ready: plainInit ? o?.state === 'exited' && o.exitCode === 0 : running && started && input.ready(c),
    restartCount: o ? o.restarts : (before?.restartCount ?? 0),
    image: c.image,
    imageID: o ? `docker://${o.imageId}` : '',
    ...(o ? { containerID: `docker://${o.id}` } : {}),
    started: plainInit ? false : started,
    ...(granted?.requests ? { allocatedResources: granted.requests } : {}),
    ...(running && (resources?.requests || resources?.limits) ? { resources } : {}),
  }
}

const setCondition =
  (old: any[] | undefined, now: string, generation: number | undefined) =>
  (type: string, status: boolean, reason?: string, message?: string) => {
    const before = old?.find((c) => c.type === type)
    const text = status ? 'True' : 'False'
    return {
      type,
      status: text,
      ...(generation !== undefined ? { observedGeneration: generation } : {}),
      lastProbeTime: null,
      lastTransitionTime: before?.status === text ? before.lastTransitionTime : now,
      ...(status ? {} : { ...(reason ? { reason } : {}), ...(message ? { message } : {}) }),
    }
  }

/** The whole status to write. */
export function podStatus(input: StatusInput): any {
  const { pod, finished } = input
  const inits = (pod.spec.initContainers ?? []).map((c: any) => containerStatus(input, c, true))
  const containers = pod.spec.containers.map((c: any) => containerStatus(input, c, false))
  const initialized = (pod.spec.initContainers ?? []).every((c: any, i: number) =>
    isSidecar(c) ? inits[i].started : inits[i].ready || containers.some((s: any) => s.containerID),
  )
  const anyStarted = containers.some((s: any) => s.state.running || s.state.terminated || s.lastState.terminated)
  const phase = finished ?? (initialized && anyStarted ? 'Running' : 'Pending')
  const unready = containers.filter((s: any) => !s.ready).map((s: any) => s.name)
  const list = (names: string[]) => `[${names.join(' ')}]`
  const missing = inits.filter((s: any, i: number) => !s.ready && !isSidecar(pod.spec.initContainers[i])).map((s: any) => s.name)
  const set = setCondition(pod.status?.conditions, input.now, pod.metadata.generation)
  const gates: string[] = (pod.spec.readinessGates ?? []).map((g: any) => g.conditionType)
  const unmet = gates.filter((g) => pod.status?.conditions?.find((c: any) => c.type === g)?.status !== 'True')
  const done = finished === 'Succeeded'
  const reason = finished ? (done ? 'PodCompleted' : 'PodFailed') : 'ContainersNotReady'
  const message = finished ? undefined : `containers with unready status: ${list(unready)}`
  const ready = !unready.length && !finished
  const before = (type: string) => pod.status?.conditions?.find((c: any) => c.type === type)
  const problem = (type: string, reason: string, message: string) => ({
    type,
    status: 'True',
    reason,
    message,
    ...(pod.metadata.generation !== undefined ? { observedGeneration: pod.metadata.generation } : {}),
    lastProbeTime: null,
    lastTransitionTime: before(type)?.lastTransitionTime ?? input.now,
  })
  const own = new Set([
    'PodResizePending',
    'PodResizeInProgress',
    'PodReadyToStartContainers',
    'Initialized',
    'Ready',
    'ContainersReady',
    'PodScheduled',
  ])
  const scheduled = before('PodScheduled')
  const disrupted = input.disrupted && problem('DisruptionTarget', 'TerminationByKubelet', input.disrupted)
  if (disrupted) own.add('DisruptionTarget')
  const conditions = [
    set('PodReadyToStartContainers', input.sandboxReady),
    done || initialized
      ? set('Initialized', true)
      : set('Initialized', false, 'ContainersNotInitialized', `containers with incomplete status: ${list(missing)}`),
    ready && unmet.length
      ? set(
          'Ready',
          false,
          'ReadinessGatesNotReady',
          `the status of pod readiness gate ${JSON.stringify(unmet[0])} is not "True", but False`,
        )
      : set('Ready', ready, reason, message),
    set('ContainersReady', ready, reason, message),
    scheduled ?? set('PodScheduled', true),
    ...(disrupted ? [disrupted] : []),
    ...(input.pending ? [problem('PodResizePending', input.pending.reason, input.pending.message)] : []),
    ...(input.resizeFault ? [problem('PodResizeInProgress', 'Error', input.resizeFault)] : []),
    ...(pod.status?.conditions ?? []).filter((c: any) => !own.has(c.type)),
  ]
  return {
    phase,
    ...(pod.metadata.generation !== undefined ? { observedGeneration: pod.metadata.generation } : {}),
    conditions,
    ...(input.reason ? { reason: input.reason } : {}),
    ...(input.message ? { message: input.message } : {}),
    hostIP: input.hostIPs[0] ?? '',
    hostIPs: input.hostIPs.map((ip) => ({ ip })),
    ...(input.podIPs.length ? { podIP: input.podIPs[0], podIPs: input.podIPs.map((ip) => ({ ip })) } : {}),
    startTime: input.startTime,
    ...(inits.length ? { initContainerStatuses: inits } : {}),
    containerStatuses: containers,
    ...(pod.spec.ephemeralContainers?.length
      ? {
          ephemeralContainerStatuses: pod.spec.ephemeralContainers.map((c: any) => {
            const { started: _, ...status } = containerStatus(input, c, false)
            return { ...status, ready: false }
          }),
        }
      : {}),
    qosClass: pod.status?.qosClass ?? qosClass(pod.spec),
  }
}
