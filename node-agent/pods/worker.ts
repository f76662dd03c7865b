// One pod on this node, from its first sight to its last trace. A loop that is woken by whatever changes: looks, plans, takes steps, reports.
import path from 'node:path'
import { podIps } from '../../shared/meta/address.ts'
import { timeString } from '../../shared/meta/object.ts'
import { isStatic } from '../../shared/meta/static-pods.ts'
import { ConfigError } from '../plan/expand.ts'
import { afterStart, type Backoff, newest, plan } from '../plan/plan.ts'
import { podStatus } from '../plan/status.ts'
import type { Observed } from '../runtime/docker.ts'
import { run } from '../runtime/exec.ts'
import type { Referenced } from '../session/objects.ts'
import { RUNTIME_CLASSES, referencedBy } from '../volumes/content.ts'
import type { VolumeSources } from '../volumes/types.ts'
import { podFolder, type VolumePlaces } from '../volumes/volumes.ts'
import type { WorkerContext } from './context.ts'
import { runHook } from './hooks.ts'
import { ImageError } from './images.ts'
import { EVICTED, type Leave, type Refusal } from './leaving.ts'
import { unlinkLogs } from './log-links.ts'
import { PodProbes } from './pod-probes.ts'
import type { ProbeCount, ProbeKind, Verdict } from './probes.ts'
import { Resizing } from './resizing.ts'
import { createSandbox, rememberedSandbox, removeSandbox, type Sandbox } from './sandbox.ts'
import { imageWaits, machineSize, pulling, startContainer } from './start.ts'
import { type Stopping, stopContainers } from './stop.ts'
import { TerminationMessages } from './termination-messages.ts'

const ERROR_RETRY = 2000
const MAX_RETRY = 60_000
/** Between two attempts to renew a token, and the longest that one is relied upon, ms. */
const TOKEN_RETRY = 60_000
const MAX_TOKEN_AGE = 24 * 3600_000
const KEPT_DEAD = 1
const RESIZE_RETRY = 10_000
const MAX_POST_START = 300_000
/** How much longer than its grace it is waited for the end of a pod that is sent away, ms. */
const LEAVING_PATIENCE = 10_000

export class PodWorker {
  readonly uid: string
  #pod: any
  /** The API no longer has the pod. */
  #vanished = false
  readonly #c: WorkerContext
  readonly #backoffs = new Map<string, Backoff>()
  readonly #probes: PodProbes
  readonly #condemned = new Map<string, Verdict>()
  readonly #waiting = new Map<string, { reason: string; message?: string }>()
  readonly #lastWords: TerminationMessages
  #sandbox?: Sandbox
  /** The address at which network policies are known to hold. */
  #policed?: string
  #volumes?: VolumePlaces
  #finished?: 'Succeeded' | 'Failed'
  #ending?: { reason?: string; message?: string; disrupted?: string }
  /** However long the pod says that its containers may take to end, they have no more than this, s. */
  #most = Number.POSITIVE_INFINITY
  #startTime: string
  #running = false
  #dirty = false
  #timer?: ReturnType<typeof setTimeout>
  #wakeAt = Number.POSITIVE_INFINITY
  #errors = 0
  #sleepers: (() => void)[] = []
  #refresh = false
  #admitted = false
  readonly #resizing: Resizing
  #terminating = false
  /** The grace that was last asked for, and when it is over, ms. */
  #leaving?: { seconds: number; ends: number }
  #done = false

  constructor(pod: any, c: WorkerContext) {
    this.uid = pod.metadata.uid
    this.#pod = pod
    this.#c = c
    this.#resizing = new Resizing(pod)
    this.#probes = new PodProbes({
      exec: (id, command, timeout) => run(c.runtime, id, command, timeout),
      changed: () => this.wake(),
      failed: (kind: ProbeKind, name, message) =>
        this.#event('Warning', 'Unhealthy', `${kind[0]!.toUpperCase()}${kind.slice(1)} probe failed: ${message}`, name),
      condemned: (name, verdict) => {
        this.#condemned.set(name, verdict)
        this.wake()
      },
    })
    this.#startTime = pod.status?.startTime ?? timeString(Date.now())
    if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') {
      this.#finished = pod.status.phase
      this.#ending = { reason: pod.status.reason, message: pod.status.message }
      // The last daemon may not have lived to see it gone.
      if (pod.status.reason === EVICTED) this.#most = 0
    }
    this.#lastWords = new TerminationMessages(path.join(podFolder(c.sandbox.data, this.uid), 'containers'), c.runtime, () => this.wake())
    c.hold(this.uid, referencedBy(pod))
  }

  get pod(): any {
    return this.#pod
  }
  /** What is promised to it here. */
  get promised(): { cpu: number; memory: number } {
    return this.ending ? { cpu: 0, memory: 0 } : this.#resizing.promised(this.#pod)
  }
  /** Whether it waits for room. */
  get isWaiting(): boolean {
    return this.#resizing.isWaiting
  }
  /** Its own addresses; none before it has them, and none on the host's network. */
  get ips(): readonly string[] {
    return this.#sandbox && !this.#pod.spec.hostNetwork ? this.#sandbox.ips : []
  }

  update(pod: any): void {
    const labels = JSON.stringify([this.#pod.metadata.labels, this.#pod.metadata.annotations])
    this.#pod = pod
    if (labels !== JSON.stringify([pod.metadata.labels, pod.metadata.annotations])) this.#refresh = true
    this.wake()
  }
  /** Whether it has ended, well or not, or is on its way out. */
  get ending(): boolean {
    return !!this.#finished || !!this.#pod.metadata.deletionTimestamp || this.#vanished
  }
  /** The node cannot bear it any longer: it ends, and stays to say why. Resolves when it no longer runs. */
  async leave({ reason, message, grace }: Leave): Promise<void> {
    if (this.ending) return
    this.#finished = 'Failed'
    this.#ending = { reason, message, disrupted: message }
    this.#most = grace
    this.#event('Warning', reason, message)
    this.wake()
    // A pause ends early when something happens to the pod: the clock counts, not the pauses.
    const until = performance.now() + grace * 1000 + LEAVING_PATIENCE
    while (performance.now() < until && this.#observed().some((o) => !o.sandbox && o.state === 'running')) await this.#pause(100)
  }
  /** It is not wanted any more, and nobody but this node has a say in it. */
  end(): void {
    if (this.#pod.metadata.deletionTimestamp) return
    const deletionGracePeriodSeconds = this.#pod.spec.terminationGracePeriodSeconds ?? 30
    this.#pod = { ...this.#pod, metadata: { ...this.#pod.metadata, deletionTimestamp: timeString(Date.now()), deletionGracePeriodSeconds } }
    this.wake()
  }
  vanish(): void {
    this.#vanished = true
    this.wake()
  }
  /** Something that the pod refers to has changed, or that its volumes need. */
  contentChanged(): void {
    this.#refresh = true
    this.wake()
  }

  wake(): void {
    for (const s of this.#sleepers.splice(0)) s()
    this.#dirty = true
    if (this.#running || this.#done) return
    this.#running = true
    void this.#loop()
  }

  #wakeIn(ms: number): void {
    const at = performance.now() + ms
    if (at >= this.#wakeAt) return
    this.#wakeAt = at
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.wake()
    }, ms)
  }

  /** Until something happens to the pod, or the time is up. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms)
      const sleepers = this.#sleepers
      function done() {
        clearTimeout(timer)
        const at = sleepers.indexOf(done)
        if (at >= 0) sleepers.splice(at, 1)
        resolve()
      }
      sleepers.push(done)
    })
  }

  async #loop(): Promise<void> {
    while (this.#dirty && !this.#done) {
      this.#dirty = false
      try {
        if (this.#vanished || this.#pod.metadata.deletionTimestamp) await this.#terminate()
        else await this.#sync()
        this.#errors = 0
      } catch (cause) {
        this.#errors++
        this.#c.log.error('a pod could not be synced; trying again', cause, { pod: this.#name() })
        this.#wakeIn(Math.min(ERROR_RETRY * 2 ** Math.min(this.#errors - 1, 6), MAX_RETRY))
      }
    }
    this.#running = false
  }

  #name = () => `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`
  #event(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void {
    const list =
      ['initContainers', 'ephemeralContainers'].find((l) => this.#pod.spec[l]?.some((c: any) => c.name === container)) ?? 'containers'
    this.#c.events.record(
      {
        kind: 'Pod',
        object: this.#pod,
        ...(container ? { fieldPath: `spec.${list}{${container}}` } : {}),
      },
      type,
      reason,
      message,
    )
  }
  #observed = () => this.#c.runtime.ofPod(this.uid)

  #sources(): VolumeSources {
    const { namespace } = this.#pod.metadata
    return {
      object: (resource, name) => this.#c.object(resource, namespace, name),
      volume: (claim) => this.#volumeOf(claim),
      get: (resource, ns, name) => this.#held(resource, ns, name),
      image: async (reference, policy) =>
        this.#c.images.ensure(reference, policy, await pulling(this.#c, this.#pod, (...e) => this.#event(...e))),
      token: (audience, seconds) => this.#c.token(this.#pod, audience, seconds),
      addresses: { podIPs: this.#sandbox?.ips ?? [], hostIPs: this.#c.sandbox.hostIPs },
      node: machineSize(),
    }
  }

  /** What its volumes turned out to need, as references. */
  readonly #found = new Set<string>()
  async #held(resource: Referenced, namespace: string, name: string): Promise<any> {
    this.#found.add(`${resource}/${namespace}/${name}`)
    this.#c.hold(this.uid, new Set([...referencedBy(this.#pod), ...this.#found]))
    return this.#c.object(resource, namespace, name)
  }

  /** Which volume it is, only the claim knows. */
  async #volumeOf(claim: string): Promise<any> {
    const found = await this.#c.object('persistentvolumeclaims', this.#pod.metadata.namespace, claim)
    if (!found) throw new ConfigError(`persistentvolumeclaim ${JSON.stringify(claim)} not found`)
    const name: string | undefined = found.spec.volumeName
    if (!name || found.status?.phase !== 'Bound') throw new ConfigError(`PVC is not bound: ${claim}`)
    const volume = await this.#held('persistentvolumes', '', name)
    if (!volume) throw new ConfigError(`persistentvolume ${JSON.stringify(name)} not found`)
    return volume
  }

  async #sync(): Promise<void> {
    const { runtime } = this.#c
    if (!runtime.connected) {
      this.#wakeIn(ERROR_RETRY)
      return
    }
    if (this.#finished) {
      // What still runs: sidecars, or all at a deadline.
      await this.#stopAll(Math.min(this.#grace(), this.#most))
      // Whoever waits for its end need not wait for what is cleared away after it.
      this.#report()
      await this.#tearDownSandbox()
      this.#report()
      // The disk may be what there was too little of.
      if (this.#ending?.reason === EVICTED) await this.#c.volumes.remove(this.uid)
      return
    }
    if (this.#deadline()) return this.#sync()
    if (!this.#admitted) {
      const refusal = this.#c.refusal(this.#pod)
      if (refusal && !this.#observed().length) return this.#refuse(refusal)
      this.#admitted = true
    }
    this.#resizing.decide(this.#pod, () => this.#c.room(this.uid))
    this.#report()
    if (!(await this.#setUp())) return
    this.#keepProbes()
    for (;;) {
      const pod = this.#resizing.asGranted(this.#pod)
      const p = plan(pod, this.#observed(), this.#backoffs, this.#condemned, (n) => this.#probesOf(n)?.started ?? true, Date.now())
      for (const [name, w] of p.waiting) this.#waiting.set(name, w)
      if (!p.steps.some((s) => s.do === 'resize')) this.#resizing.settled()
      if (p.finished) {
        this.#finished = p.finished
        this.#dirty = true
        return
      }
      let acted = false
      let alone = false
      for (const s of p.steps) {
        if (s.do === 'wait') {
          this.#event(
            'Warning',
            'BackOff',
            `Back-off restarting failed container ${s.container} in pod ${this.#pod.metadata.name}_${this.#pod.metadata.namespace}(${this.uid})`,
            s.container,
          )
          this.#wakeIn(s.until - Date.now() + 1)
        } else if (s.do === 'kill') {
          this.#condemned.delete(s.observed.name)
          this.#event('Normal', 'Killing', s.reason, s.observed.name)
          await this.#stop([s.observed], s.grace ?? this.#grace())
          acted = true
        } else if (s.do === 'resize') {
          if (!(await this.#resizing.apply(runtime, s.observed, s.bounds))) this.#wakeIn(RESIZE_RETRY)
        } else if (await this.#start(s.container, s.restarts)) acted = true
        else alone = true
      }
      this.#keepProbes()
      this.#report()
      if (!acted || alone || this.#dirty) break
    }
    await this.#removeDead()
  }

  /** activeDeadlineSeconds: true when it has just ended the pod. */
  #deadline(): boolean {
    const limit = this.#pod.spec.activeDeadlineSeconds
    if (!limit) return false
    const left = Date.parse(this.#startTime) + limit * 1000 - Date.now()
    if (left > 0) {
      this.#wakeIn(left + 1)
      return false
    }
    this.#finished = 'Failed'
    this.#ending = { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' }
    this.#event('Normal', 'DeadlineExceeded', 'Pod was active on the node longer than the specified deadline')
    return true
  }

  /** It has not begun, and cannot here. */
  #refuse({ reason, message }: Refusal): void {
    this.#finished = 'Failed'
    this.#ending = { reason, message: `Pod was rejected: ${message}` }
    this.#event('Warning', reason, message)
    this.#report()
  }

  /** Volumes and sandbox; false while something is missing. */
  async #setUp(): Promise<boolean> {
    const alive = this.#observed().find((o) => o.sandbox && o.state === 'running')
    if (!alive || !this.#sandbox) {
      this.#sandbox = undefined
      const remembered = rememberedSandbox(this.#c.sandbox, this.uid)
      if (alive && remembered?.id === alive.id) {
        this.#sandbox = remembered
        this.#c.addressChanged()
      }
    }
    try {
      if (!this.#volumes) this.#volumes = await this.#c.volumes.setUp(this.#pod, this.#sources())
      if (!this.#sandbox) await this.#newSandbox()
      await this.#c.sandbox.cgroups.keep(this.#resizing.asGranted(this.#pod))
      if (this.ips.length && this.#policed !== this.ips.join()) {
        await this.#c.policed(this.#pod, this.ips)
        this.#policed = this.ips.join()
      }
      const hasTokens = this.#pod.spec.volumes?.some((v: any) => v.projected?.sources?.some((s: any) => s.serviceAccountToken))
      if (this.#refresh || (hasTokens && this.#c.tokensDue(this.uid) <= performance.now())) {
        if (this.#refresh) this.#volumes = await this.#c.volumes.setUp(this.#pod, this.#sources())
        else await this.#c.volumes.refresh(this.#pod, this.#sources())
        this.#refresh = false
      }
      if (hasTokens) this.#wakeIn(Math.min(Math.max(this.#c.tokensDue(this.uid) - performance.now(), TOKEN_RETRY), MAX_TOKEN_AGE))
      return true
    } catch (cause) {
      if (cause instanceof ImageError) {
        const { retry, ...waits } = imageWaits(this.#c, this.#pod, cause)
        for (const { name } of [...(this.#pod.spec.initContainers ?? []), ...this.#pod.spec.containers]) this.#waiting.set(name, waits)
        this.#report()
        this.#wakeIn(retry)
        return false
      }
      const missing = cause instanceof ConfigError
      const running = this.#observed().some((o) => !o.sandbox && o.state === 'running')
      this.#event(
        'Warning',
        missing ? 'FailedMount' : 'FailedCreatePodSandBox',
        missing ? `MountVolume.SetUp failed: ${(cause as Error).message}` : `Failed to create pod sandbox: ${(cause as Error).message}`,
      )
      if (!missing) this.#c.log.error('a sandbox could not be made; trying again', cause, { pod: this.#name() })
      this.#wakeIn(Math.min(ERROR_RETRY * 2 ** Math.min(this.#errors++, 5), MAX_RETRY))
      // What runs goes on with what it has.
      return running && !!this.#sandbox && !!this.#volumes
    }
  }

  /** What runs pods of its runtime class. */
  async #handler(): Promise<string | undefined> {
    const name: string | undefined = this.#pod.spec.runtimeClassName
    if (!name) return undefined
    const found = await this.#c.object(RUNTIME_CLASSES, '', name)
    if (!found) throw new Error(`RuntimeClass ${JSON.stringify(name)} not found`)
    return found.handler
  }

  async #newSandbox(): Promise<void> {
    this.#policed = undefined
    const { runtime } = this.#c
    const old = this.#observed()
    // A sandbox that died takes its containers with it: they cannot join another.
    for (const o of old) if (!o.sandbox && o.state === 'running') await this.#stop([o], 0)
    const attempt = old.filter((o) => o.sandbox).length ? Date.now() % 100_000 : 0
    if (old.some((o) => o.sandbox)) {
      this.#event('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
      await removeSandbox(runtime, this.uid, old, this.#c.sandbox, !!this.#pod.spec.hostNetwork)
    }
    try {
      this.#sandbox = await createSandbox(runtime, this.#pod, attempt, this.#c.sandbox, await this.#handler())
    } catch (cause) {
      await removeSandbox(runtime, this.uid, this.#observed(), this.#c.sandbox, !!this.#pod.spec.hostNetwork).catch(() => {})
      throw cause
    }
    this.#c.addressChanged()
    this.#refresh ||= this.#pod.spec.volumes?.some((v: any) => v.downwardAPI) ?? false
  }

  /** Starts one container; false when it could not (its status then says why). */
  async #start(container: any, restarts: number): Promise<boolean> {
    const { name } = container
    const previous = newest(this.#observed(), name)
    const waits = await startContainer(
      {
        context: this.#c,
        pod: this.#pod,
        sandbox: this.#sandbox!,
        volumes: this.#volumes!,
        observed: this.#observed,
        event: (type, reason, message, of) => this.#event(type, reason, message, of),
        created: () => afterStart(this.#backoffs, name, previous),
        running: () => this.#waiting.delete(name),
        postStart: (hook, of, id) => this.#hook(hook, of, id, MAX_POST_START),
        stop: (o) => this.#stop([o], this.#grace()),
      },
      container,
      restarts,
    )
    if (!waits) return true
    this.#waiting.set(name, { reason: waits.reason, message: waits.message })
    this.#wakeIn(waits.retry)
    return false
  }

  #hook = (hook: any, container: any, id: string, timeout: number) =>
    runHook(this.#c.runtime, hook, { container, id, podIP: this.#sandbox!.ip, timeout })

  /** Of the containers that run. */
  get probeCounts(): ProbeCount[] {
    return this.#probes.counts
  }
  #probesOf = (name: string) => this.#probes.of(name, this.#observed())
  #keepProbes = () => this.#probes.keep(this.#pod, this.#observed(), this.#sandbox!.ip)

  #grace = (): number => this.#pod.spec.terminationGracePeriodSeconds ?? 30

  #stop(list: Observed[], graceSeconds: number, deadline?: () => number): Promise<void> {
    const by: Stopping = {
      runtime: this.#c.runtime,
      pod: this.#pod,
      hook: this.#hook,
      pause: (ms) => this.#pause(ms),
      failed: (message, container) => this.#event('Warning', 'FailedPreStopHook', message, container),
    }
    return stopContainers(by, list, graceSeconds, deadline)
  }

  async #stopAll(grace: number, deadline?: () => number): Promise<void> {
    const running = this.#observed().filter((o) => !o.sandbox && o.state === 'running')
    for (const o of running) this.#event('Normal', 'Killing', `Stopping container ${o.name}`, o.name)
    await this.#stop(running, grace, deadline)
  }

  async #tearDownSandbox(): Promise<void> {
    this.#probes.stop()
    if (!this.#observed().some((o) => o.sandbox)) return
    await removeSandbox(this.#c.runtime, this.uid, this.#observed(), this.#c.sandbox, !!this.#pod.spec.hostNetwork)
    this.#sandbox = undefined
    this.#c.addressChanged()
  }

  /** Deleted: stop within the grace that is left, clear everything, then let the API forget the pod. */
  async #terminate(): Promise<void> {
    this.#terminating = true
    if (!this.#c.runtime.connected) {
      this.#wakeIn(ERROR_RETRY)
      return
    }
    const remembered = this.#sandbox ?? rememberedSandbox(this.#c.sandbox, this.uid)
    if (remembered) this.#sandbox = remembered
    this.#probes.stop()
    // Force deletion, or a shorter grace asked for later, cuts the wait. By this machine's clock alone: another's may be off.
    const deadline = () => (this.#vanished ? 0 : this.#graceEnds())
    const grace = this.#vanished ? 0 : (this.#pod.metadata.deletionGracePeriodSeconds ?? 30)
    this.#report()
    await this.#stopAll(grace, this.#vanished ? () => 0 : deadline)
    if (this.#observed().some((o) => !o.sandbox && o.state === 'running')) {
      this.#wakeIn(ERROR_RETRY)
      return
    }
    this.#report()
    await Promise.all([
      this.#tearDownSandbox(),
      ...this.#observed()
        .filter((o) => !o.sandbox)
        .map((o) => this.#c.runtime.remove(o.id)),
    ])
    await this.#c.volumes.remove(this.uid)
    await this.#c.sandbox.cgroups.remove(this.uid)
    unlinkLogs(this.#pod)
    clearTimeout(this.#timer)
    this.#done = true
    if (this.#vanished || isStatic(this.#pod)) this.#c.status.forget(this.uid)
    else this.#c.status.remove(this.#pod)
    this.#c.hold(this.uid, new Set())
    this.#c.finished(this.uid)
  }

  #graceEnds(): number {
    const seconds: number = this.#pod.metadata.deletionGracePeriodSeconds ?? 30
    const before = this.#leaving
    if (before?.seconds === seconds) return before.ends
    const ends = Math.min(before?.ends ?? Number.POSITIVE_INFINITY, performance.now() + seconds * 1000)
    this.#leaving = { seconds, ends }
    return ends
  }

  /** Of ended containers, the newest and one before it are kept, for logs. */
  async #removeDead(): Promise<void> {
    for (const c of [...this.#pod.spec.containers, ...(this.#pod.spec.initContainers ?? [])]) {
      const all = this.#observed()
        .filter((o) => !o.sandbox && o.name === c.name)
        .sort((a, b) => b.restarts - a.restarts || b.created - a.created)
      for (const o of all.slice(1 + KEPT_DEAD)) if (o.state !== 'running') await this.#c.runtime.remove(o.id)
    }
  }

  #report(): void {
    const observed = this.#observed()
    this.#lastWords.look(observed, [...this.#pod.spec.containers, ...(this.#pod.spec.initContainers ?? [])])
    const sandboxReady = observed.some((o) => o.sandbox && o.state === 'running') && !!this.#sandbox
    const allStopped = this.#terminating && !observed.some((o) => !o.sandbox && o.state === 'running')
    const status = podStatus({
      pod: this.#pod,
      observed,
      hostIPs: this.#c.sandbox.hostIPs,
      podIPs: this.#sandbox?.ips ?? podIps(this.#pod),
      sandboxReady,
      waiting: this.#waiting,
      ready: (c) => !allStopped && (this.#probesOf(c.name)?.ready ?? !c.readinessProbe),
      started: (c) => this.#probesOf(c.name)?.started ?? !c.startupProbe,
      ...(this.#finished ? { finished: this.#finished } : {}),
      ...this.#ending,
      ...this.#resizing.state,
      terminationMessages: this.#lastWords.texts,
      startTime: this.#startTime,
      now: timeString(Date.now()),
    })
    if (!this.#vanished) this.#c.status.set(this.#pod, status)
  }

  /** The daemon stops; the containers do not. */
  detach(): void {
    this.#done = true
    clearTimeout(this.#timer)
    this.#probes.stop()
  }
}
