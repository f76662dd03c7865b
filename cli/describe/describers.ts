// kedge describe, kind by kind: the lines that kubectl prints, from the object and what belongs to it.

import { canonicalQuantity } from '../../shared/meta/quantity.ts'
import { printSelector } from '../../shared/meta/selector.ts'
import type { Client } from '../kube/client.ts'
import { containers, templateInto, tolerations, volumes } from './pod-template.ts'
import { compactRules } from './rules.ts'
import { annotations, labelsText, multiline, rfc1123z, since, sortedEntries, Writer } from './writer.ts'

const head = (w: Writer, o: any, namespaced = true): void => {
  w.line(0, `Name:\t${o.metadata.name}`)
  if (namespaced) w.line(0, `Namespace:\t${o.metadata.namespace}`)
}
const labelled = (w: Writer, o: any): void => {
  multiline(w, 0, 'Labels', o.metadata.labels)
  annotations(w, 0, o.metadata.annotations)
}
const none = '<none>'

/** Events about an object, the oldest first. */
async function eventsOf(client: Client, o: any): Promise<any[]> {
  const fields = [
    `involvedObject.name=${o.metadata.name}`,
    ...(o.metadata.namespace ? [`involvedObject.namespace=${o.metadata.namespace}`] : []),
    `involvedObject.uid=${o.metadata.uid}`,
  ].join(',')
  const ns = o.metadata.namespace ? `/namespaces/${o.metadata.namespace}` : ''
  const list = await client.get(`/api/v1${ns}/events?fieldSelector=${encodeURIComponent(fields)}&limit=500`).catch(() => ({ items: [] }))
  return list.items
}

function eventLines(w: Writer, list: any[]): void {
  if (!list.length) {
    w.line(0, `Events:\t${none}`)
    return
  }
  w.line(0, 'Events:')
  w.line(1, 'Type\tReason\tAge\tFrom\tMessage')
  w.line(1, '----\t------\t----\t----\t-------')
  const time = (e: any) => e.lastTimestamp ?? e.eventTime ?? e.firstTimestamp ?? ''
  for (const e of [...list].sort((a, b) => (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : 0))) {
    const count = e.series?.count ?? e.count ?? 1
    const first = since(e.firstTimestamp ?? e.eventTime)
    const age = count > 1 ? `${since(e.series?.lastObservedTime ?? e.lastTimestamp)} (x${count} over ${first})` : first
    w.line(1, `${e.type}\t${e.reason}\t${age}\t${e.source?.component || e.reportingComponent || ''}\t${String(e.message ?? '').trim()}`)
  }
}

const controlledBy = (w: Writer, o: any): void => {
  const owner = o.metadata.ownerReferences?.find((r: any) => r.controller)
  if (owner) w.line(0, `Controlled By:\t${owner.kind}/${owner.name}`)
}

function pod(w: Writer, o: any): void {
  const { spec, status = {} } = o
  head(w, o)
  if (spec.priority !== undefined) w.line(0, `Priority:\t${spec.priority}`)
  if (spec.priorityClassName) w.line(0, `Priority Class Name:\t${spec.priorityClassName}`)
  if (spec.runtimeClassName) w.line(0, `Runtime Class Name:\t${spec.runtimeClassName}`)
  if (spec.serviceAccountName) w.line(0, `Service Account:\t${spec.serviceAccountName}`)
  w.line(0, `Node:\t${spec.nodeName ? `${spec.nodeName}/${status.hostIP ?? ''}` : none}`)
  if (status.startTime) w.line(0, `Start Time:\t${rfc1123z(status.startTime)}`)
  labelled(w, o)
  if (o.metadata.deletionTimestamp) {
    w.line(0, `Status:\tTerminating (lasts ${since(o.metadata.deletionTimestamp)})`)
    w.line(0, `Termination Grace Period:\t${o.metadata.deletionGracePeriodSeconds}s`)
  } else w.line(0, `Status:\t${status.phase}`)
  if (status.reason) w.line(0, `Reason:\t${status.reason}`)
  if (status.message) w.line(0, `Message:\t${status.message}`)
  w.line(0, `IP:\t${status.podIP ?? ''}`)
  if (status.podIPs?.length) {
    w.line(0, 'IPs:')
    for (const ip of status.podIPs) w.line(1, `IP:\t${ip.ip}`)
  } else w.line(0, `IPs:\t${none}`)
  controlledBy(w, o)
  if (spec.initContainers?.length) containers(w, 'Init Containers', spec.initContainers, status.initContainerStatuses, o)
  containers(w, 'Containers', spec.containers, status.containerStatuses, o)
  if (status.conditions?.length) {
    w.line(0, 'Conditions:')
    w.line(1, 'Type\tStatus')
    for (const c of status.conditions) w.line(1, `${c.type} \t${c.status} `)
  }
  if (spec.volumes?.length) volumes(w, spec.volumes)
  else w.line(0, `Volumes:\t${none}`)
  w.line(0, `QoS Class:\t${status.qosClass ?? ''}`)
  w.line(0, `Node-Selectors:\t${labelsText(spec.nodeSelector)}`)
  tolerations(w, spec.tolerations)
}

const condition = (w: Writer, list: any[] | undefined): void => {
  if (!list?.length) return
  w.line(0, 'Conditions:')
  w.line(1, 'Type\tStatus\tReason')
  w.line(1, '----\t------\t------')
  for (const c of list) w.line(1, `${c.type} \t${c.status}\t${c.reason}`)
}

async function deployment(w: Writer, o: any, client: Client): Promise<void> {
  const { spec, status = {} } = o
  head(w, o)
  w.line(0, `CreationTimestamp:\t${rfc1123z(o.metadata.creationTimestamp)}`)
  labelled(w, o)
  w.line(0, `Selector:\t${printSelector(spec.selector)}`)
  w.line(
    0,
    `Replicas:\t${spec.replicas} desired | ${status.updatedReplicas ?? 0} updated | ${status.replicas ?? 0} total | ${status.availableReplicas ?? 0} available | ${status.unavailableReplicas ?? 0} unavailable`,
  )
  w.line(0, `StrategyType:\t${spec.strategy.type}`)
  w.line(0, `MinReadySeconds:\t${spec.minReadySeconds ?? 0}`)
  if (spec.strategy.rollingUpdate)
    w.line(
      0,
      `RollingUpdateStrategy:\t${spec.strategy.rollingUpdate.maxUnavailable} max unavailable, ${spec.strategy.rollingUpdate.maxSurge} max surge`,
    )
  w.line(0, 'Pod Template:')
  templateInto(w, spec.template)
  condition(w, status.conditions)
  const sets = (
    await client.get(
      `/apis/apps/v1/namespaces/${o.metadata.namespace}/replicasets?labelSelector=${encodeURIComponent(printSelector(spec.selector))}`,
    )
  ).items.filter((s: any) => s.metadata.ownerReferences?.some((r: any) => r.uid === o.metadata.uid))
  const text = (list: any[]) =>
    list.map((s) => `${s.metadata.name} (${s.status?.replicas ?? 0}/${s.spec.replicas} replicas created)`).join(', ') || none
  const revision = o.metadata.annotations?.['deployment.kubernetes.io/revision']
  const current = sets.filter((s: any) => s.metadata.annotations?.['deployment.kubernetes.io/revision'] === revision)
  const old = sets
    .filter((s: any) => !current.includes(s))
    .sort((a: any, b: any) =>
      a.metadata.creationTimestamp < b.metadata.creationTimestamp
        ? -1
        : a.metadata.creationTimestamp > b.metadata.creationTimestamp
          ? 1
          : a.metadata.name < b.metadata.name
            ? -1
            : 1,
    )
  if (!spec.paused || sets.length) {
    w.line(0, `OldReplicaSets:\t${text(old)}`)
    w.line(0, `NewReplicaSet:\t${text(current)}`)
  }
}

async function replicaSet(w: Writer, o: any, client: Client): Promise<void> {
  const { spec, status = {} } = o
  head(w, o)
  w.line(0, `Selector:\t${printSelector(spec.selector)}`)
  labelled(w, o)
  controlledBy(w, o)
  w.line(0, `Replicas:\t${status.replicas ?? 0} current / ${spec.replicas} desired`)
  const pods = (
    await client.get(`/api/v1/namespaces/${o.metadata.namespace}/pods?labelSelector=${encodeURIComponent(printSelector(spec.selector))}`)
  ).items
  const count = (phase: string) =>
    pods.filter((p: any) => p.status?.phase === phase && p.metadata.ownerReferences?.some((r: any) => r.uid === o.metadata.uid)).length
  w.line(
    0,
    `Pods Status:\t${count('Running')} Running / ${count('Pending')} Waiting / ${count('Succeeded')} Succeeded / ${count('Failed')} Failed`,
  )
  w.line(0, 'Pod Template:')
  templateInto(w, spec.template)
  condition(w, status.conditions)
}

async function service(w: Writer, o: any, client: Client): Promise<void> {
  const { spec } = o
  head(w, o)
  labelled(w, o)
  w.line(0, `Selector:\t${labelsText(spec.selector)}`)
  w.line(0, `Type:\t${spec.type}`)
  if (spec.ipFamilyPolicy) w.line(0, `IP Family Policy:\t${spec.ipFamilyPolicy}`)
  w.line(0, `IP Families:\t${spec.ipFamilies?.join(',') || none}`)
  w.line(0, `IP:\t${spec.clusterIP ?? ''}`)
  w.line(0, `IPs:\t${spec.clusterIPs?.join(',') || none}`)
  if (spec.externalIPs?.length) w.line(0, `External IPs:\t${spec.externalIPs.join(',')}`)
  if (spec.loadBalancerIP) w.line(0, `Desired LoadBalancer IP:\t${spec.loadBalancerIP}`)
  if (spec.externalName) w.line(0, `External Name:\t${spec.externalName}`)
  if (o.status?.loadBalancer?.ingress?.length)
    w.line(
      0,
      `LoadBalancer Ingress:\t${o.status.loadBalancer.ingress.map((i: any) => (i.ip ? `${i.ip}${i.ipMode ? ` (${i.ipMode})` : ''}` : i.hostname)).join(', ')}`,
    )
  const slices = (
    await client.get(
      `/apis/discovery.k8s.io/v1/namespaces/${o.metadata.namespace}/endpointslices?labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${o.metadata.name}`)}`,
    )
  ).items
  for (const p of spec.ports ?? []) {
    w.line(0, `Port:\t${p.name ?? '<unset>'}\t${p.port}/${p.protocol}`)
    w.line(0, `TargetPort:\t${p.targetPort}/${p.protocol}`)
    if (p.nodePort) w.line(0, `NodePort:\t${p.name ?? '<unset>'}\t${p.nodePort}/${p.protocol}`)
    const all = slices.flatMap((s: any) => {
      const port = s.ports?.find((x: any) => (x.name ?? '') === (p.name ?? ''))
      return port
        ? (s.endpoints ?? [])
            .filter((e: any) => e.conditions?.ready !== false)
            .flatMap((e: any) => e.addresses.map((a: string) => `${a}:${port.port}`))
        : []
    })
    w.line(
      0,
      `Endpoints:\t${all.length ? `${all.slice(0, 3).join(',')}${all.length > 3 ? ` + ${all.length - 3} more...` : ''}` : slices.length ? '' : none}`,
    )
  }
  w.line(0, `Session Affinity:\t${spec.sessionAffinity}`)
  if (spec.externalTrafficPolicy) w.line(0, `External Traffic Policy:\t${spec.externalTrafficPolicy}`)
  if (spec.internalTrafficPolicy) w.line(0, `Internal Traffic Policy:\t${spec.internalTrafficPolicy}`)
  if (spec.healthCheckNodePort) w.line(0, `HealthCheck NodePort:\t${spec.healthCheckNodePort}`)
}

/** Quantities in milli-units of cpu or in bytes. */
const scales: Record<string, number> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}
const amount = (text: string | undefined): number => {
  const m = /^([\d.]+)([a-zA-Z]*)$/.exec(text ?? '0')
  return m ? Number(m[1]) * (scales[m[2]!] ?? 1) : 0
}

async function node(w: Writer, o: any, client: Client): Promise<void> {
  const { spec = {}, status = {} } = o
  head(w, o, false)
  const roles = Object.keys(o.metadata.labels ?? {}).flatMap((k) => (k.startsWith('node-role.kubernetes.io/') ? [k.slice(24)] : []))
  w.line(0, `Roles:\t${roles.sort().join(',') || none}`)
  labelled(w, o)
  w.line(0, `CreationTimestamp:\t${rfc1123z(o.metadata.creationTimestamp)}`)
  if (spec.taints?.length)
    for (const [i, t] of [...spec.taints].sort((a: any, b: any) => (a.key < b.key ? -1 : 1)).entries())
      w.line(0, `${i ? '' : 'Taints:'}\t${t.key}${t.value ? `=${t.value}` : ''}:${t.effect}`)
  else w.line(0, `Taints:\t${none}`)
  w.line(0, `Unschedulable:\t${!!spec.unschedulable}`)
  const lease = await client
    .get(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${o.metadata.name}`)
    .catch((cause: any) => ({ cause }))
  if (lease.cause) w.line(0, 'Lease:').line(1, 'Failed to get lease: ' + lease.cause.message)
  else {
    w.line(0, 'Lease:')
    w.line(1, `HolderIdentity:\t${lease.spec?.holderIdentity ?? '<unset>'}`)
    w.line(1, `AcquireTime:\t${lease.spec?.acquireTime ? rfc1123z(lease.spec.acquireTime) : '<unset>'}`)
    w.line(1, `RenewTime:\t${lease.spec?.renewTime ? rfc1123z(lease.spec.renewTime) : '<unset>'}`)
  }
  if (status.conditions?.length) {
    w.line(0, 'Conditions:')
    w.line(1, 'Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage')
    w.line(1, '----\t------\t-----------------\t------------------\t------\t-------')
    for (const c of status.conditions)
      w.line(
        1,
        `${c.type} \t${c.status} \t${rfc1123z(c.lastHeartbeatTime)} \t${rfc1123z(c.lastTransitionTime)} \t${c.reason} \t${c.message}`,
      )
  }
  w.line(0, 'Addresses:')
  for (const a of status.addresses ?? []) w.line(1, `${a.type}:\t${a.address}`)
  for (const [title, values] of [
    ['Capacity', status.capacity],
    ['Allocatable', status.allocatable],
  ] as const) {
    if (!values) continue
    w.line(0, `${title}:`)
    for (const [k, v] of sortedEntries(values)) w.line(1, `${k}:\t${v}`)
  }
  const i = status.nodeInfo ?? {}
  w.line(0, 'System Info:')
  for (const [name, value] of [
    ['Machine ID', i.machineID],
    ['System UUID', i.systemUUID],
    ['Boot ID', i.bootID],
    ['Kernel Version', i.kernelVersion],
    ['OS Image', i.osImage],
    ['Operating System', i.operatingSystem],
    ['Architecture', i.architecture],
    ['Container Runtime Version', i.containerRuntimeVersion],
    ['Kubelet Version', i.kubeletVersion],
    ['Kube-Proxy Version', i.kubeProxyVersion],
  ])
    w.line(1, `${name}:\t${value ?? ''}`)
  if (spec.podCIDR) w.line(0, `PodCIDR:\t${spec.podCIDR}`)
  if (spec.podCIDRs?.length) w.line(0, `PodCIDRs:\t${spec.podCIDRs.join(',')}`)
  if (spec.providerID) w.line(0, `ProviderID:\t${spec.providerID}`)
  const pods = (
    await client.get(
      `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${o.metadata.name},status.phase!=Failed,status.phase!=Succeeded`)}`,
    )
  ).items
  const cpuAll = amount(status.allocatable?.cpu)
  const memoryAll = amount(status.allocatable?.memory)
  const of = (p: any, kind: string, name: string) =>
    (p.spec.containers ?? []).reduce((n: number, c: any) => n + amount(c.resources?.[kind]?.[name]), 0)
  const cpu = (n: number) => (n % 1 ? `${Math.round(n * 1000)}m` : String(n))
  const memory = (n: number) =>
    canonicalQuantity(n ? (n % 2 ** 20 ? (n % 2 ** 10 ? String(n) : `${n / 2 ** 10}Ki`) : `${n / 2 ** 20}Mi`) : '0')
  const share = (n: number, all: number) => `${all ? Math.trunc((n / all) * 100) : 0}%`
  w.line(0, `Non-terminated Pods:\t(${pods.length} in total)`)
  w.line(1, 'Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge')
  w.line(1, '---------\t----\t\t------------\t----------\t---------------\t-------------\t---')
  const totals = { cr: 0, cl: 0, mr: 0, ml: 0 }
  for (const p of pods) {
    const [cr, cl, mr, ml] = [of(p, 'requests', 'cpu'), of(p, 'limits', 'cpu'), of(p, 'requests', 'memory'), of(p, 'limits', 'memory')]
    totals.cr += cr
    totals.cl += cl
    totals.mr += mr
    totals.ml += ml
    w.line(
      1,
      `${p.metadata.namespace}\t${p.metadata.name}\t\t${cpu(cr)} (${share(cr, cpuAll)})\t${cpu(cl)} (${share(cl, cpuAll)})\t${memory(mr)} (${share(mr, memoryAll)})\t${memory(ml)} (${share(ml, memoryAll)})\t${since(p.metadata.creationTimestamp)}`,
    )
  }
  w.line(0, 'Allocated resources:')
  w.line(1, '(Total limits may be over 100 percent, i.e., overcommitted.)')
  w.line(1, 'Resource\tRequests\tLimits')
  w.line(1, '--------\t--------\t------')
  w.line(1, `cpu\t${cpu(totals.cr)} (${share(totals.cr, cpuAll)})\t${cpu(totals.cl)} (${share(totals.cl, cpuAll)})`)
  w.line(1, `memory\t${memory(totals.mr)} (${share(totals.mr, memoryAll)})\t${memory(totals.ml)} (${share(totals.ml, memoryAll)})`)
  w.line(1, 'ephemeral-storage\t0 (0%)\t0 (0%)')
}

function configMap(w: Writer, o: any): void {
  head(w, o)
  labelled(w, o)
  w.raw('\nData\n====\n')
  for (const [k, v] of sortedEntries(o.data)) {
    w.raw(`${k}:\n----\n`)
    w.raw(`${v}\n`)
    w.raw('\n')
  }
  w.raw('\nBinaryData\n====\n')
  for (const [k, v] of sortedEntries(o.binaryData)) w.raw(`${k}: ${Buffer.from(v, 'base64').length} bytes\n`)
  w.raw('\n')
}

function secret(w: Writer, o: any): void {
  head(w, o)
  labelled(w, o)
  w.raw(`\nType:\t${o.type}\n`)
  w.raw('\nData\n====\n')
  for (const [k, v] of sortedEntries(o.data)) {
    const bytes = Buffer.from(v, 'base64')
    if (k === 'token' && o.type === 'kubernetes.io/service-account-token') w.raw(`${k}:\t${bytes.toString()}\n`)
    else w.raw(`${k}:\t${bytes.length} bytes\n`)
  }
}

async function serviceAccount(w: Writer, o: any): Promise<void> {
  head(w, o)
  labelled(w, o)
  const names = (list: any[] | undefined) => list?.map((s) => s.name) ?? []
  for (const [title, list] of [
    ['Image pull secrets', names(o.imagePullSecrets)],
    ['Mountable secrets', names(o.secrets)],
    ['Tokens', []],
  ] as const) {
    if (!list.length) w.line(0, `${title}:\t${none}`)
    for (const [i, n] of list.entries()) w.line(0, `${i ? '' : `${title}:`}\t${n}`)
  }
}

async function namespace(w: Writer, o: any, client: Client): Promise<void> {
  head(w, o, false)
  labelled(w, o)
  w.line(0, `Status:\t${o.status?.phase ?? ''}`)
  if (o.status?.conditions?.length) {
    w.line(0, 'Conditions:')
    w.line(1, 'Type\tStatus\tLastTransitionTime\tReason\tMessage')
    w.line(1, '----\t------\t------------------\t------\t-------')
    for (const c of o.status.conditions) w.line(1, `${c.type}\t${c.status}\t${rfc1123z(c.lastTransitionTime)}\t${c.reason}\t${c.message}`)
  }
  // A server without these kinds has nothing to say of them.
  const at = `/api/v1/namespaces/${o.metadata.name}`
  const [quotas, limits] = await Promise.all(['resourcequotas', 'limitranges'].map((r) => client.get(`${at}/${r}`).catch(() => undefined)))
  if (quotas) {
    if (!quotas.items.length) w.raw('\nNo resource quota.\n')
    else {
      w.raw('\nResource Quotas\n')
      for (const q of quotas.items) {
        w.line(1, `Name:\t${q.metadata.name}`)
        w.line(1, 'Resource\tUsed\tHard')
        w.line(1, '--------\t---\t---')
        for (const [k, v] of sortedEntries(q.status?.hard)) w.line(1, `${k}\t${q.status.used?.[k] ?? '0'}\t${v}`)
      }
    }
  }
  if (limits && !limits.items.length) w.raw('\nNo LimitRange resource.\n')
}

const list = (v: string[] | undefined) => `[${(v ?? []).join(' ')}]`
function role(w: Writer, o: any): void {
  w.line(0, `Name:\t${o.metadata.name}`)
  labelled(w, o)
  w.line(0, 'PolicyRule:')
  w.line(1, 'Resources\tNon-Resource URLs\tResource Names\tVerbs')
  w.line(1, '---------\t-----------------\t--------------\t-----')
  for (const r of compactRules(o.rules ?? [])) w.line(1, `${r.resource}\t${list(r.urls)}\t${list(r.names)}\t${list(r.verbs)}`)
}

function binding(w: Writer, o: any): void {
  w.line(0, `Name:\t${o.metadata.name}`)
  labelled(w, o)
  w.line(0, 'Role:')
  w.line(1, `Kind:\t${o.roleRef.kind}`)
  w.line(1, `Name:\t${o.roleRef.name}`)
  w.line(0, 'Subjects:')
  w.line(1, 'Kind\tName\tNamespace')
  w.line(1, '----\t----\t---------')
  for (const s of o.subjects ?? []) w.line(1, `${s.kind}\t${s.name}\t${s.namespace ?? ''}`)
}

function endpoints(w: Writer, o: any): void {
  head(w, o)
  labelled(w, o)
  w.line(0, 'Subsets:')
  for (const s of o.subsets ?? []) {
    const ips = (l: any[] | undefined) => l?.map((a) => a.ip).join(',') || none
    w.line(1, `Addresses:\t${ips(s.addresses)}`)
    w.line(1, `NotReadyAddresses:\t${ips(s.notReadyAddresses)}`)
    if (s.ports?.length) {
      w.line(1, 'Ports:')
      w.line(2, 'Name\tPort\tProtocol')
      w.line(2, '----\t----\t--------')
      for (const p of s.ports) w.line(2, `${p.name || '<unset>'}\t${p.port}\t${p.protocol}`)
    }
    w.line(0)
  }
}

function endpointSlice(w: Writer, o: any): void {
  head(w, o)
  labelled(w, o)
  w.line(0, `AddressType:\t${o.addressType}`)
  if (!o.ports?.length) w.line(0, `Ports: ${'<unset>'}`)
  else {
    w.line(0, 'Ports:')
    w.line(1, 'Name\tPort\tProtocol')
    w.line(1, '----\t----\t--------')
    for (const p of o.ports) w.line(1, `${p.name || '<unset>'}\t${p.port ?? '<unset>'}\t${p.protocol}`)
  }
  if (!o.endpoints?.length) w.line(0, `Endpoints: ${none}`)
  else {
    w.line(0, 'Endpoints:')
    for (const e of o.endpoints) {
      w.line(1, `- Addresses:\t${e.addresses?.join(', ') ?? none}`)
      w.line(2, 'Conditions:')
      w.line(3, `Ready:\t${e.conditions?.ready ?? '<unset>'}`)
      w.line(2, `Hostname:\t${e.hostname ?? '<unset>'}`)
      if (e.targetRef) w.line(2, `TargetRef:\t${e.targetRef.kind}/${e.targetRef.name}`)
      w.line(2, `NodeName:\t${e.nodeName ?? '<unset>'}`)
      w.line(2, `Zone:\t${e.zone ?? '<unset>'}`)
    }
  }
}

/** `apiVersion` → `API Version`, as kubectl writes field names. */
const smart = (name: string): string => {
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
  const words = spaced
    .split(/[ _]/)
    .map((x) => (/^(api|uid|url|ip|dns|id|cpu|tls)$/i.test(x) ? x.toUpperCase() : x[0] ? x[0].toUpperCase() + x.slice(1) : x))
  return words.join(' ')
}
const skipped = new Set(['managedFields', 'name', 'namespace', 'labels', 'annotations'])

function fieldsOf(w: Writer, level: number, o: any, top: string): void {
  for (const [k, v] of sortedEntries(o)) {
    if (top === '' && ['metadata', 'apiVersion', 'kind'].includes(k)) {
      if (k === 'metadata') {
        w.line(level, 'Metadata:')
        fieldsOf(w, level + 1, Object.fromEntries(Object.entries(v).filter(([n]) => !skipped.has(n))), 'metadata')
      }
      continue
    }
    const title = smart(k)
    if (Array.isArray(v)) {
      w.line(level, `${title}:`)
      for (const item of v) {
        if (item && typeof item === 'object') fieldsOf(w, level + 1, item, k)
        else w.line(level + 1, String(item))
      }
    } else if (v && typeof v === 'object') {
      w.line(level, `${title}:`)
      fieldsOf(w, level + 1, v, k)
    } else w.line(level, `${title}:\t${v}`)
  }
}

function generic(w: Writer, o: any): void {
  w.line(0, `Name:\t${o.metadata.name}`)
  w.line(0, `Namespace:\t${o.metadata.namespace ?? ''}`)
  labelled(w, o)
  w.line(0, `API Version:\t${o.apiVersion}`)
  w.line(0, `Kind:\t${o.kind}`)
  fieldsOf(w, 0, o, '')
}

interface Describer {
  body: (w: Writer, o: any, client: Client) => void | Promise<void>
  events: boolean
}
const describers: Record<string, Describer> = {
  Pod: { body: pod, events: true },
  'Deployment.apps': { body: deployment, events: true },
  'ReplicaSet.apps': { body: replicaSet, events: true },
  Service: { body: service, events: true },
  Node: { body: node, events: true },
  ConfigMap: { body: configMap, events: true },
  Secret: { body: secret, events: false },
  ServiceAccount: { body: serviceAccount, events: true },
  Namespace: { body: namespace, events: false },
  'Role.rbac.authorization.k8s.io': { body: role, events: false },
  'ClusterRole.rbac.authorization.k8s.io': { body: role, events: false },
  'RoleBinding.rbac.authorization.k8s.io': { body: binding, events: false },
  'ClusterRoleBinding.rbac.authorization.k8s.io': { body: binding, events: false },
  Endpoints: { body: endpoints, events: true },
  'EndpointSlice.discovery.k8s.io': { body: endpointSlice, events: true },
}

export async function describe(client: Client, o: any, showEvents: boolean): Promise<string> {
  const group = o.apiVersion.includes('/') ? o.apiVersion.split('/')[0] : ''
  const d = describers[group ? `${o.kind}.${group}` : o.kind] ?? { body: generic, events: true }
  const w = new Writer()
  await d.body(w, o, client)
  if (d.events && showEvents) eventLines(w, await eventsOf(client, o))
  return w.toString()
}
