// Probes of one pod's containers: run on their period, counted to their thresholds, answered by readiness, startup and liveness.
import { connect } from 'node:net'
import { grpcHealth } from './grpc-health.ts'
import { httpGet, portOf } from './http-get.ts'

export type ProbeKind = 'startup' | 'readiness' | 'liveness'
export interface ProbeTarget {
  podIP: string
  /** Runs a command in the container: its exit code and output. */
  exec(command: string[], timeoutMs: number): Promise<{ code: number; output: string }>
}

interface Outcome {
  ok: boolean
  message: string
}

async function http(action: any, container: any, podIP: string, timeoutMs: number): Promise<Outcome> {
  const code = await httpGet(action, { container, podIP, timeoutMs, userAgent: 'kube-probe/1.36' })
  return code >= 200 && code < 400 ? { ok: true, message: '' } : { ok: false, message: `HTTP probe failed with statuscode: ${code}` }
}

function tcp(port: number, host: string, timeout: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const s = connect({ host, port })
    const done = (o: Outcome) => {
      s.destroy()
      resolve(o)
    }
    s.setTimeout(timeout, () => done({ ok: false, message: `dial tcp ${host}:${port}: i/o timeout` }))
    s.on('connect', () => done({ ok: true, message: '' }))
    s.on('error', (cause) => done({ ok: false, message: `dial tcp ${host}:${port}: ${cause.message}` }))
  })
}

/** One run of a probe. */
async function runProbe(probe: any, container: any, target: ProbeTarget): Promise<Outcome> {
  const timeout = (probe.timeoutSeconds ?? 1) * 1000
  try {
    if (probe.httpGet) return await http(probe.httpGet, container, target.podIP, timeout)
    if (probe.tcpSocket) return await tcp(portOf(probe.tcpSocket.port, container), probe.tcpSocket.host || target.podIP, timeout)
    if (probe.exec) {
      const { code, output } = await target.exec(probe.exec.command, timeout)
      return code === 0 ? { ok: true, message: '' } : { ok: false, message: output.trim().slice(0, 1024) }
    }
    if (probe.grpc) {
      const why = await grpcHealth(target.podIP, probe.grpc.port, probe.grpc.service ?? '', timeout)
      return why === undefined ? { ok: true, message: '' } : { ok: false, message: why }
    }
    return { ok: false, message: 'the probe says neither exec, nor httpGet, tcpSocket or grpc' }
  } catch (cause) {
    return { ok: false, message: (cause as Error).message }
  }
}

export interface Verdict {
  reason: string
  grace?: number
}

/** How often a container's probe was run, by what came of it. */
export interface ProbeCount {
  container: string
  kind: ProbeKind
  successful: number
  failed: number
}

export interface ProbeEvents {
  /** The answer changed: the pod wants another look. */
  changed(): void
  failed(kind: ProbeKind, container: string, message: string): void
  /** Liveness or startup has given the container up; it has so long to go, s, where the probe says. */
  condemned(container: string, verdict: Verdict): void
}

interface Runner {
  stop(): void
}

const kinds: [ProbeKind, string][] = [
  ['startup', 'startupProbe'],
  ['readiness', 'readinessProbe'],
  ['liveness', 'livenessProbe'],
]

/** Probes of one running container; started when it starts and stopped when it ends. */
export class ContainerProbes {
  ready: boolean
  started: boolean
  readonly #runners: Runner[] = []
  readonly counts: ProbeCount[] = []
  readonly id: string

  constructor(id: string, container: any, target: ProbeTarget, events: ProbeEvents) {
    this.id = id
    this.ready = !container.readinessProbe
    this.started = !container.startupProbe
    for (const [kind, field] of kinds)
      if (container[field]) this.#runners.push(this.#run(kind, container[field], container, target, events))
  }

  #run(kind: ProbeKind, probe: any, container: any, target: ProbeTarget, events: ProbeEvents): Runner {
    const count: ProbeCount = { container: container.name, kind, successful: 0, failed: 0 }
    this.counts.push(count)
    let stopped = false
    let timer: ReturnType<typeof setTimeout>
    let passed = 0
    let failed = 0
    const period = (probe.periodSeconds ?? 10) * 1000
    const look = async () => {
      if (stopped) return
      // The others wait until the container has started up.
      const idle = kind !== 'startup' && !this.started
      if (!idle && !(kind === 'startup' && this.started)) {
        const o = await runProbe(probe, container, target)
        if (stopped) return
        count[o.ok ? 'successful' : 'failed']++
        if (o.ok) {
          passed++
          failed = 0
          if (passed >= (probe.successThreshold ?? 1)) this.#passed(kind, events)
        } else {
          failed++
          passed = 0
          events.failed(kind, container.name, o.message)
          if (failed >= (probe.failureThreshold ?? 3)) {
            failed = 0
            if (kind === 'readiness') this.#unready(events)
            else
              events.condemned(container.name, {
                reason: `Container ${container.name} failed ${kind} probe, will be restarted`,
                grace: probe.terminationGracePeriodSeconds,
              })
          }
        }
      }
      // A container that is not ready yet is asked more often at first: rollouts should not wait for a whole period.
      const wait =
        kind === 'readiness' && !this.ready && passed === 0 && failed < 3 && !idle
          ? Math.min(period, 1000)
          : kind !== 'startup' && idle
            ? Math.min(period, 200)
            : period
      timer = setTimeout(look, wait)
    }
    timer = setTimeout(look, Math.max((probe.initialDelaySeconds ?? 0) * 1000, 20))
    return {
      stop: () => {
        stopped = true
        clearTimeout(timer)
      },
    }
  }

  #passed(kind: ProbeKind, events: ProbeEvents): void {
    if (kind === 'startup' && !this.started) this.started = true
    else if (kind === 'readiness' && !this.ready) this.ready = true
    else return
    events.changed()
  }
  #unready(events: ProbeEvents): void {
    if (!this.ready) return
    this.ready = false
    events.changed()
  }
  stop(): void {
    for (const r of this.#runners) r.stop()
  }
}
