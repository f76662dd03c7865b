// What kubelet exposes to Prometheus, with its names and labels: `/metrics/resource`, `/metrics/cadvisor`, `/metrics/probes`
// and `/metrics`. Read from the kernel when it is asked.
import { cpus, totalmem } from 'node:os'
import type { Family, Sample } from '../../shared/exposition.ts'
import type { Observed } from '../runtime/docker.ts'
import { type MemoryUse, memoryOf, processesOf, processorOf } from './cgroups.ts'
import { machineMemory, machineProcessor, trafficOf } from './machine.ts'
import { added, runningOf, type SummarySource } from './summary.ts'

const NS = 1e9

/** Samples by the names of their families, in the order in which these are given. */
class Families {
  readonly #all = new Map<string, Family & { samples: Sample[] }>()

  constructor(all: [name: string, type: Family['type'], help: string][]) {
    for (const [name, type, help] of all) this.#all.set(name, { name, type, help, samples: [] })
  }
  add(name: string, value: number | undefined, labels?: Record<string, string>, at?: number): void {
    if (value === undefined) return
    this.#all.get(name)!.samples.push({ value, ...(labels ? { labels } : {}), ...(at === undefined ? {} : { at }) })
  }
  get list(): Family[] {
    return [...this.#all.values()]
  }
}

interface Running {
  pod: any
  labels: { namespace: string; pod: string }
  containers: Observed[]
  sandbox?: Observed
  /** Containers and sandbox. */
  all: Observed[]
}

const running = (s: SummarySource): Running[] =>
  s.pods().flatMap((pod): Running[] => {
    const { containers, sandbox } = runningOf(s.runtime, pod)
    const labels = { namespace: pod.metadata.namespace, pod: pod.metadata.name }
    return containers.length
      ? [{ pod, labels, containers, ...(sandbox ? { sandbox } : {}), all: [...containers, ...(sandbox ? [sandbox] : [])] }]
      : []
  })

const startOf = (o: Observed) => Date.parse(o.startedAt ?? '') / 1000 || 0
const seconds = (pid: number) => (processorOf(pid) ?? 0) / NS
const memoryTogether = (all: readonly Observed[]): MemoryUse => added(all.flatMap((o) => memoryOf(o.pid) ?? []))

export function resourceMetrics(s: SummarySource): Family[] {
  const f = new Families([
    ['container_cpu_usage_seconds_total', 'counter', '[STABLE] Cumulative cpu time consumed by the container in core-seconds'],
    ['container_memory_working_set_bytes', 'gauge', '[STABLE] Current working set of the container in bytes'],
    ['container_start_time_seconds', 'gauge', '[STABLE] Start time of the container since unix epoch in seconds'],
    ['node_cpu_usage_seconds_total', 'counter', '[STABLE] Cumulative cpu time consumed by the node in core-seconds'],
    ['node_memory_working_set_bytes', 'gauge', '[STABLE] Current working set of the node in bytes'],
    ['pod_cpu_usage_seconds_total', 'counter', '[STABLE] Cumulative cpu time consumed by the pod in core-seconds'],
    ['pod_memory_working_set_bytes', 'gauge', '[STABLE] Current working set of the pod in bytes'],
    ['resource_scrape_error', 'gauge', '[STABLE] 1 if there was an error while getting container metrics, 0 otherwise'],
  ])
  const at = Date.now()
  for (const { labels, containers, all } of running(s)) {
    for (const o of containers) {
      const own = { container: o.name, ...labels }
      f.add('container_cpu_usage_seconds_total', seconds(o.pid), own, at)
      f.add('container_memory_working_set_bytes', memoryOf(o.pid)?.workingSet, own, at)
      f.add('container_start_time_seconds', startOf(o), own)
    }
    f.add(
      'pod_cpu_usage_seconds_total',
      all.reduce((n, o) => n + seconds(o.pid), 0),
      labels,
      at,
    )
    f.add('pod_memory_working_set_bytes', memoryTogether(all).workingSet, labels, at)
  }
  f.add('node_cpu_usage_seconds_total', machineProcessor() / NS, undefined, at)
  f.add('node_memory_working_set_bytes', machineMemory().workingSet, undefined, at)
  f.add('resource_scrape_error', 0)
  return f.list
}

/** As cAdvisor has them: of containers, of pods as a whole (an empty `container`), and of the machine (`id="/"`). */
export function cadvisorMetrics(s: SummarySource): Family[] {
  const f = new Families([
    ['container_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed in seconds.'],
    ['container_memory_usage_bytes', 'gauge', 'Current memory usage in bytes, including all memory regardless of when it was accessed'],
    ['container_memory_working_set_bytes', 'gauge', 'Current working set in bytes.'],
    ['container_memory_rss', 'gauge', 'Size of RSS in bytes.'],
    ['container_processes', 'gauge', 'Number of processes running inside the container.'],
    ['container_start_time_seconds', 'gauge', 'Start time of the container since unix epoch in seconds.'],
    ['container_network_receive_bytes_total', 'counter', 'Cumulative count of bytes received'],
    ['container_network_receive_errors_total', 'counter', 'Cumulative count of errors encountered while receiving'],
    ['container_network_transmit_bytes_total', 'counter', 'Cumulative count of bytes transmitted'],
    ['container_network_transmit_errors_total', 'counter', 'Cumulative count of errors encountered while transmitting'],
    ['machine_cpu_cores', 'gauge', 'Number of logical CPU cores.'],
    ['machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.'],
  ])
  const at = Date.now()
  const memory = (use: MemoryUse | undefined, labels: Record<string, string>) => {
    f.add('container_memory_usage_bytes', use?.usage, labels, at)
    f.add('container_memory_working_set_bytes', use?.workingSet, labels, at)
    f.add('container_memory_rss', use?.rss, labels, at)
  }
  for (const { pod, labels, containers, sandbox, all } of running(s)) {
    for (const o of containers) {
      const own = { container: o.name, id: o.id, image: o.image, name: o.id, ...labels }
      f.add('container_cpu_usage_seconds_total', seconds(o.pid), { ...own, cpu: 'total' }, at)
      memory(memoryOf(o.pid), own)
      f.add('container_processes', processesOf(o.pid), own, at)
      f.add('container_start_time_seconds', startOf(o), own, at)
    }
    const whole = { container: '', id: `/kubepods/pod${pod.metadata.uid}`, image: '', name: '', ...labels }
    f.add(
      'container_cpu_usage_seconds_total',
      all.reduce((n, o) => n + seconds(o.pid), 0),
      { ...whole, cpu: 'total' },
      at,
    )
    memory(memoryTogether(all), whole)
    if (sandbox && !pod.spec.hostNetwork) traffic(f, sandbox.pid, whole, at)
  }
  const machine = { container: '', id: '/', image: '', name: '', namespace: '', pod: '' }
  f.add('container_cpu_usage_seconds_total', machineProcessor() / NS, { ...machine, cpu: 'total' }, at)
  memory(machineMemory(), machine)
  traffic(f, 'self', machine, at)
  f.add('machine_cpu_cores', cpus().length)
  f.add('machine_memory_bytes', totalmem())
  return f.list
}

function traffic(f: Families, pid: number | 'self', labels: Record<string, string>, at: number): void {
  for (const t of trafficOf(pid)) {
    const own = { ...labels, interface: t.name }
    f.add('container_network_receive_bytes_total', t.rxBytes, own, at)
    f.add('container_network_receive_errors_total', t.rxErrors, own, at)
    f.add('container_network_transmit_bytes_total', t.txBytes, own, at)
    f.add('container_network_transmit_errors_total', t.txErrors, own, at)
  }
}

/** Codes of answers, by their numbers. */
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

/** Of the daemon itself, of the volumes of claims, and of the names that it serves, as CoreDNS has them. */
export async function ownMetrics(s: SummarySource): Promise<Family[]> {
  const volumes = ['available_bytes', 'capacity_bytes', 'used_bytes', 'inodes_free', 'inodes', 'inodes_used'] as const
  const f = new Families([
    ['kubelet_node_name', 'gauge', "[ALPHA] The node's name. The count is always 1."],
    ['kubelet_running_pods', 'gauge', '[BETA] Number of pods that have a running pod sandbox'],
    ['kubelet_running_containers', 'gauge', '[BETA] Number of containers currently running'],
    ...volumes.map((v): [string, 'gauge', string] => [
      `kubelet_volume_stats_${v}`,
      'gauge',
      `[ALPHA] ${v.replaceAll('_', ' ')} of the volume`,
    ]),
    ['coredns_dns_responses_total', 'counter', 'Counter of response status codes.'],
    ['coredns_cache_hits_total', 'counter', 'The count of answers of the cluster that were told as they were told before.'],
    ['coredns_forward_requests_total', 'counter', 'Counter of questions that are not for the cluster to answer.'],
    ['process_cpu_seconds_total', 'counter', 'Total user and system CPU time spent in seconds.'],
    ['process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.'],
    ['process_start_time_seconds', 'gauge', 'Start time of the process since unix epoch in seconds.'],
  ])
  f.add('kubelet_node_name', 1, { node: s.node })
  const containers = [...s.runtime.containers.values()]
  f.add('kubelet_running_pods', containers.filter((o) => o.sandbox && o.state === 'running').length)
  for (const state of ['created', 'running', 'exited'] as const)
    f.add('kubelet_running_containers', containers.filter((o) => !o.sandbox && o.state === state).length, { container_state: state })
  for (const { pod } of running(s))
    for (const v of await s.volumes.usageOf(pod, true)) {
      const labels = { namespace: v.pvcRef!.namespace, persistentvolumeclaim: v.pvcRef!.name }
      const values = [v.availableBytes, v.capacityBytes, v.usedBytes, v.inodesFree, v.inodes, v.inodesUsed]
      volumes.forEach((name, i) => {
        f.add(`kubelet_volume_stats_${name}`, values[i], labels)
      })
    }
  const names = s.names()
  for (const [code, n] of names?.answered ?? []) f.add('coredns_dns_responses_total', n, { rcode: RCODES[code] ?? String(code) })
  f.add('coredns_cache_hits_total', names?.known)
  f.add('coredns_forward_requests_total', names?.forwarded)
  const { user, system } = process.cpuUsage()
  f.add('process_cpu_seconds_total', (user + system) / 1e6)
  f.add('process_resident_memory_bytes', process.memoryUsage.rss())
  f.add('process_start_time_seconds', Date.now() / 1000 - process.uptime())
  return [...f.list, ...s.forwarding()]
}

const PROBES = { startup: 'Startup', readiness: 'Readiness', liveness: 'Liveness' } as const

/** Of the probes of containers that run, since they began. */
export function probeMetrics(s: SummarySource): Family[] {
  const f = new Families([
    ['prober_probe_total', 'counter', '[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.'],
  ])
  for (const { pod, counts } of s.probed())
    for (const { container, kind, ...results } of counts)
      for (const [result, n] of Object.entries(results)) {
        const { name, namespace, uid } = pod.metadata
        f.add('prober_probe_total', n, { container, namespace, pod: name, pod_uid: uid, probe_type: PROBES[kind], result })
      }
  return f.list
}
