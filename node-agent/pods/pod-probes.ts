// The probes of one pod: they run for the containers that run, and are forgotten with them.
import { newest } from '../plan/plan.ts'
import type { Observed } from '../runtime/docker.ts'
import { ContainerProbes, type ProbeCount, type ProbeEvents } from './probes.ts'

export interface PodProbesOptions extends ProbeEvents {
  /** Runs a command in a container: its exit code and output. */
  exec(id: string, command: string[], timeoutMs: number): Promise<{ code: number; output: string }>
}

export class PodProbes {
  readonly #o: PodProbesOptions
  /** By the container's id. */
  readonly #running = new Map<string, ContainerProbes>()

  constructor(o: PodProbesOptions) {
    this.#o = o
  }

  /** Those of the newest container of a name; undefined while none run for it. */
  of(name: string, observed: Observed[]): ContainerProbes | undefined {
    const o = newest(observed, name)
    return o && this.#running.get(o.id)
  }

  keep(pod: any, observed: Observed[], podIP: string): void {
    const probed: any[] = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter((c: any) => c.restartPolicy === 'Always')]
    const live = new Set<string>()
    for (const c of probed) {
      const o = newest(observed, c.name)
      if (o?.state !== 'running') continue
      live.add(o.id)
      if (this.#running.has(o.id)) continue
      const target = { podIP, exec: (command: string[], timeout: number) => this.#o.exec(o.id, command, timeout) }
      this.#running.set(o.id, new ContainerProbes(o.id, c, target, this.#o))
    }
    for (const [id, p] of this.#running)
      if (!live.has(id)) {
        p.stop()
        this.#running.delete(id)
      }
  }

  get counts(): ProbeCount[] {
    return [...this.#running.values()].flatMap((p) => p.counts)
  }

  stop(): void {
    for (const p of this.#running.values()) p.stop()
    this.#running.clear()
  }
}
