// What this machine and its pods have in use, in kubelet's form (k8s.io/kubelet/pkg/apis/stats/v1alpha1). Measured when somebody asks.
import type { Family } from '../../shared/exposition.ts'
import { timeString } from '../../shared/meta/object.ts'
import type { DnsCounters } from '../network/dns/server.ts'
import type { ProbeCount } from '../pods/probes.ts'
import type { Observed, Runtime } from '../runtime/docker.ts'
import type { PodVolumes } from '../volumes/volumes.ts'
import { type MemoryUse, memoryOf, processesOf, processorOf } from './cgroups.ts'
import { fileSystem, machineMemory, machineProcessor, machineStart, trafficOf } from './machine.ts'
import { type Counter, Meter, type Rates } from './meter.ts'

const NODE = 'node'

export interface SummarySource {
  node: string
  runtime: Runtime
  volumes: PodVolumes
  /** The pods that are to run here. */
  pods(): any[]
  /** A folder of the disk that pods' data are on. */
  data: string
  names(): DnsCounters | undefined
  /** Of what sends logs on. */
  forwarding(): Family[]
  probed(): { pod: any; counts: ProbeCount[] }[]
}

const isRunning = (o: Observed) => o.state === 'running' && o.pid > 0

/** What runs of a pod: its containers and its sandbox. */
export function runningOf(runtime: Runtime, pod: any): { containers: Observed[]; sandbox?: Observed } {
  const all = runtime.ofPod(pod.metadata.uid).filter(isRunning)
  const sandbox = all.find((o) => o.sandbox)
  return { containers: all.filter((o) => !o.sandbox), ...(sandbox ? { sandbox } : {}) }
}

export class Summary {
  readonly #s: SummarySource
  readonly #meter: Meter

  constructor(s: SummarySource) {
    this.#s = s
    this.#meter = new Meter(() => this.#counters())
  }

  #counters(): ReadonlyMap<string, Counter> {
    const out = new Map<string, Counter>([[NODE, { total: machineProcessor() }]])
    for (const o of this.#s.runtime.containers.values()) {
      const total = isRunning(o) ? processorOf(o.pid) : undefined
      if (total === undefined) continue
      const age = Date.now() - (Date.parse(o.startedAt ?? '') || Date.now())
      out.set(o.id, { total, since: performance.now() - age })
    }
    return out
  }

  /** `brief`: processors and memory alone, without a look at any disk. */
  async read(brief: boolean): Promise<object> {
    const rates = await this.#meter.measure()
    const now = Date.now()
    const time = timeString(now)
    const pods = []
    for (const pod of this.#s.pods()) {
      const { containers, sandbox } = runningOf(this.#s.runtime, pod)
      if (!containers.length) continue
      const uses = containers.map((o) => this.#container(o, rates, time))
      const all = [...containers, ...(sandbox ? [sandbox] : [])]
      const traffic = sandbox && !pod.spec.hostNetwork ? trafficOf(sandbox.pid) : []
      pods.push({
        podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
        startTime: pod.status?.startTime ?? time,
        containers: uses,
        cpu: processor(
          all.map((o) => o.id),
          rates,
          time,
        ),
        memory: memory(added(all.flatMap((o) => memoryOf(o.pid) ?? [])), time),
        process_stats: { process_count: all.reduce((n, o) => n + processesOf(o.pid), 0) },
        ...(brief
          ? {}
          : {
              ...(traffic.length ? { network: { time, ...traffic[0], interfaces: traffic } } : {}),
              volume: (await this.#s.volumes.usageOf(pod)).map((v) => ({ time, ...v })),
            }),
      })
    }
    const { available, ...used } = machineMemory()
    const disk = fileSystem(this.#s.data)
    const devices = trafficOf('self')
    return {
      node: {
        nodeName: this.#s.node,
        startTime: timeString(machineStart()),
        cpu: processor([NODE], rates, time),
        memory: { ...memory(used, time), availableBytes: available },
        // How long was measured: of use to who shows the rates.
        windowSeconds: rates.window / 1000,
        ...(brief
          ? {}
          : {
              ...(devices.length ? { network: { time, ...devices[0], interfaces: devices } } : {}),
              ...(disk ? { fs: { time, ...disk } } : {}),
            }),
      },
      pods,
    }
  }

  #container(o: Observed, rates: Rates, time: string) {
    const use = memoryOf(o.pid)
    return {
      name: o.name,
      startTime: o.startedAt ? timeString(Date.parse(o.startedAt)) : time,
      cpu: processor([o.id], rates, time),
      ...(use ? { memory: memory(use, time) } : {}),
    }
  }
}

/** What several have together; a rate only where all have one. */
function processor(names: readonly string[], rates: Rates, time: string) {
  const sum = (of: ReadonlyMap<string, number>) => names.reduce((n, name) => n + (of.get(name) ?? Number.NaN), 0)
  const [rate, total] = [sum(rates.of), sum(rates.totals)]
  return {
    time,
    ...(Number.isNaN(rate) ? {} : { usageNanoCores: Math.round(rate) }),
    ...(Number.isNaN(total) ? {} : { usageCoreNanoSeconds: Math.round(total) }),
  }
}

const memory = ({ usage, workingSet, rss, pageFaults, majorPageFaults }: MemoryUse, time: string) => ({
  time,
  usageBytes: usage,
  workingSetBytes: workingSet,
  rssBytes: rss,
  pageFaults,
  majorPageFaults,
})

export const added = (all: readonly MemoryUse[]): MemoryUse =>
  all.reduce(
    (a, b) => ({
      usage: a.usage + b.usage,
      workingSet: a.workingSet + b.workingSet,
      rss: a.rss + b.rss,
      pageFaults: a.pageFaults + b.pageFaults,
      majorPageFaults: a.majorPageFaults + b.majorPageFaults,
    }),
    { usage: 0, workingSet: 0, rss: 0, pageFaults: 0, majorPageFaults: 0 },
  )
