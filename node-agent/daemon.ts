// The daemon: puts session, runtime, workers and network together. Containers outlive it; at a start it adopts what runs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, homedir, totalmem } from 'node:os'
import path from 'node:path'
import { LOG_COUNTERS } from '../shared/logs.ts'
import { apiServiceIp, FAMILIES, type Family, familyOf, ofFamily, rangesIn } from '../shared/meta/address.ts'
import { DESIRED, FAILED } from '../shared/meta/node-annotations.ts'
import { CONFIG_SOURCE, isMirror, isStatic } from '../shared/meta/static-pods.ts'
import { RouteTable } from '../shared/session/routes.ts'
import { AtRest } from './at-rest.ts'
import type { Daemon, DaemonOptions } from './daemon-options.ts'
import { KeptLogs } from './logs/kept-logs.ts'
import { filesOf } from './logs/log-files.ts'
import { LogReaders } from './logs/log-readers.ts'
import { ApiProxy } from './network/api-proxy.ts'
import { hostNetworking, ownNetworking } from './network/cni.ts'
import { PodDialers } from './network/dial.ts'
import { ClusterDns, DNS_SERVICE } from './network/dns/cluster-dns.ts'
import { hostResolver } from './network/dns/resolver-file.ts'
import { allowForwarding, forbidForwarding, hasIPv6 } from './network/forwarding.ts'
import { HostWatch } from './network/host-watch.ts'
import { Ingress, REFERRER } from './network/ingress/ingress.ts'
import { NetworkPolicies } from './network/policy/network-policies.ts'
import type { PolicedPod } from './network/policy/policy-rules.ts'
import { Routes } from './network/routes.ts'
import { type ProxySource, ServiceProxy } from './network/service-proxy.ts'
import { SlicesByService } from './network/slices.ts'
import { WIREGUARD_PORT, wireguardKeys } from './network/wireguard.ts'
import { annotateNode, NodeReporter, writeNodeStatus } from './node-status.ts'
import { instanceOf, ownAddresses } from './own-address.ts'
import type { WorkerContext } from './pods/context.ts'
import { Devices, readResources } from './pods/devices.ts'
import { EventRecorder } from './pods/events.ts'
import { Images } from './pods/images.ts'
import { EVICTED } from './pods/leaving.ts'
import { type Leftovers, removeAll, removeUnknown } from './pods/leftovers.ts'
import { MirrorPods } from './pods/mirror-pods.ts'
import type { SandboxOptions } from './pods/sandbox.ts'
import { StaticPods } from './pods/static-pods.ts'
import { StatusWriter } from './pods/status-writer.ts'
import { PodTokens } from './pods/tokens.ts'
import { PodWorker } from './pods/worker.ts'
import { ImageCollector } from './pressure/image-collector.ts'
import { Pressure } from './pressure/pressure.ts'
import { DEFAULT_HARD, parseThresholds } from './pressure/thresholds.ts'
import { Runtime } from './runtime/docker.ts'
import { PodCgroups } from './runtime/pod-cgroups.ts'
import { Service } from './service.ts'
import { createApi } from './session/api.ts'
import { type Identity, openIdentity } from './session/identity.ts'
import { DiskCopy, ObjectList, References } from './session/objects.ts'
import { Session } from './session/session.ts'
import { NodeShutdown } from './shutdown.ts'
import { Summary } from './stats/summary.ts'
import { PodStreams } from './streams/pod-streams.ts'
import { Upgrader } from './upgrade.ts'
import { CsiDrivers } from './volumes/csi/drivers.ts'
import { CsiVolumes } from './volumes/csi/volumes.ts'
import { LocalVolumes, volumesFolder } from './volumes/local-volumes.ts'
import { PodVolumes } from './volumes/volumes.ts'

const ZONE = 'topology.kubernetes.io/zone'

/** Whose ports are open; a sidecar's as well. */
const containersOf = ({ spec }: any): any[] => [...(spec.initContainers ?? []), ...spec.containers]

const policed = (ips: readonly string[], pod: any): PolicedPod[] =>
  ips.map((ip) => ({ ip, namespace: pod.metadata.namespace, labels: pod.metadata.labels ?? {}, containers: containersOf(pod) }))

/** Where a pod comes from is the node's to say, whatever its annotations are. */
const fromApi = (pod: any): any =>
  isStatic(pod) ? { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, [CONFIG_SOURCE]: 'api' } } } : pod

/** How much longer than its pods have the daemon may take when the machine goes down, s; and to tell of it, ms. */
const SHUTDOWN_MARGIN = 30
const SETTLING = 5000

const API_SERVICE = 'default/kubernetes'
const isApi = (namespace: string, name: string) => `${namespace}/${name}` === API_SERVICE

const apiSlice = ({ ip, port }: { ip: string; port: number }) => ({
  metadata: { namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
  addressType: familyOf(ip),
  endpoints: [{ addresses: [ip], conditions: { ready: true } }],
  ports: [{ name: 'https', port, protocol: 'TCP' }],
})

/** Joins if need be, and runs until it is closed. */
export async function startDaemon(o: DaemonOptions): Promise<Daemon> {
  const { log } = o
  mkdirSync(o.data, { recursive: true, mode: 0o700 })
  const identity: Identity = await openIdentity(o)
  const podRanges = rangesIn(identity.podCidr)
  const families = podRanges.map(familyOf)
  const hostIPs = o.nodeIps ?? (o.offline ? [] : await ownAddresses(identity.server, families))
  const api = createApi(identity)
  const runtime = new Runtime(o.dockerSocket, instanceOf(o.data), log)
  const workers = new Map<string, PodWorker>()
  const tokens = new PodTokens(api)
  // What a static pod has to say is said of its mirror.
  const status = new StatusWriter(api, log, (pod) => (isStatic(pod) ? mirrors.of(pod.metadata.uid) : pod))
  const events = new EventRecorder(api, identity.node, log)
  let ownRanges: readonly string[] = []
  const service = o.offline ? undefined : new Service(o.data, identity.node, identity.server, log)
  const upgrader = new Upgrader({
    identity,
    log,
    folder: o.offline ? undefined : o.installed,
    report: (failure) => annotateNode(api, identity.node, { [FAILED]: failure ?? null }),
    restart: () => o.restart?.(),
  })

  const dialers = new PodDialers(o.dialer ?? [], log)
  const ownPods = () => [...workers.values()].map((w) => w.pod)
  const rest = new AtRest()
  const keptLogs = new KeptLogs(o.data, o.logs ?? { age: 86_400_000, size: 2 ** 29 }, log)
  const labelsOf = (uid: string): Record<string, string> | undefined => {
    const worker = workers.get(uid)
    return worker && (worker.pod.metadata.labels ?? {})
  }
  const readers = new LogReaders({ data: o.data, node: identity.node, log, labelsOf, containers: () => runtime.containers.values() })
  if (!o.offline) await readers.open()
  runtime.removing = (c) => {
    readers.removing(c)
    keptLogs.keep(c, labelsOf(c.podUid) ?? {})
  }
  const logFiles = (namespace: string) => [
    ...keptLogs.files(namespace),
    ...ownPods()
      .filter((p) => p.metadata.namespace === namespace)
      .flatMap(({ metadata }) =>
        runtime.ofPod(metadata.uid).flatMap((c) =>
          (c.logPath && !c.sandbox ? filesOf(c.logPath) : []).map((file) => ({
            namespace,
            pod: metadata.name,
            uid: metadata.uid,
            labels: metadata.labels ?? {},
            container: c.name,
            restarts: c.restarts,
            file,
          })),
        ),
      ),
  ]
  const own = { summary: () => summary, source: () => measured, pods: ownPods, logFiles }
  const streams = new PodStreams({ runtime, dialers, own, log, runningAs: (uid) => mirrors.staticUid(uid) ?? uid })
  const session = new Session(
    identity,
    log,
    (request, stream) => void streams.serve(request, stream),
    (connected) => {
      service?.set({ connected, server: identity.server })
      if (connected) status.retryNow()
    },
  )

  const cgroupDriver = async () => {
    const { CgroupDriver: driver } = await runtime.info()
    return driver === 'cgroupfs' || driver === 'systemd' ? driver : undefined
  }
  const sandbox: SandboxOptions = {
    data: o.data,
    cgroups: new PodCgroups(cgroupDriver, o.cgroupRoot ?? '', log),
    hostIPs,
    clusterDomain: identity.clusterDomain,
    clusterDns: () => dns.address,
    networking:
      o.podNetwork === 'cni'
        ? hostNetworking(o.cniConfDir ?? '/etc/cni/net.d')
        : ownNetworking(
            () => {
              if (!ownRanges.length) throw new Error('this node has no pod range yet')
              return ownRanges
            },
            path.join(o.data, 'cni'),
          ),
  }
  const references = new References(session, (users) => {
    for (const uid of users) workers.get(uid)?.contentChanged()
    if (users.has(REFERRER)) ingress.secretChanged()
  })
  const localPods = () => [...workers.values()].flatMap(({ ips, pod }) => ips.map((ip) => ({ ip, containers: containersOf(pod) })))
  const proxyOf = (family: Family, serviceCidr: string) => {
    const nodePorts = o.nodePortAddresses?.filter((a) => familyOf(a) === family)
    const ranges = { podCidr: ofFamily(podRanges, family)!, serviceCidr, ...(nodePorts?.length ? { nodePorts } : {}) }
    return new ServiceProxy(ranges, proxySource, log)
  }
  const proxySource: ProxySource = {
    services: () => services.objects.keys(),
    // DNS is not in the table where this host serves it itself.
    service: (key) => {
      const found = services.objects.get(key)
      return found && found.spec.clusterIP !== dns.serving ? found : undefined
    },
    // Pods reach the API through this daemon.
    slicesOf: (key) => (key === API_SERVICE && apiProxy.endpoint ? [apiSlice(apiProxy.endpoint)] : byService.of(key)),
    localPods,
    here: () => ({ node: identity.node, zone: nodes.objects.get(identity.node)?.metadata.labels?.[ZONE] }),
  }
  const proxies = rangesIn(identity.serviceCidr).map((range) => proxyOf(familyOf(range), range))
  const apiProxy = new ApiProxy(identity, api, o.data, log, () => proxyChanged(API_SERVICE))
  const dns = new ClusterDns({
    domain: identity.clusterDomain,
    ranges: [...rangesIn(identity.serviceCidr), ...podRanges],
    data: o.data,
    log,
    ready: () => services.synced && slices.synced,
    changed: () => {
      proxyChanged(`${DNS_SERVICE.namespace}/${DNS_SERVICE.name}`)
      policies.changed()
    },
  })
  const policies = new NetworkPolicies({
    session,
    data: o.data,
    log,
    // What a host's own network gives is of whichever family it likes.
    families: o.podNetwork === 'cni' && hasIPv6() ? FAMILIES : families,
    pods: () => [...workers.values()].flatMap(({ ips, pod }) => policed(ips, pod)),
    dns: () => dns.serving,
  })
  // Until both are known, whatever the last daemon wrote stays: connections go on through a restart.
  const proxyKnowsAll = () => services.synced && slices.synced
  const proxyChanged = (service: string) => {
    if (proxyKnowsAll()) for (const p of proxies) p.changed(service)
  }
  const allProxiesChanged = () => {
    for (const p of proxies) p.allChanged()
  }
  const byService = new SlicesByService()
  const routeTable = new RouteTable()
  const wireguard = o.podNetwork === 'wireguard' && !o.offline ? wireguardKeys(path.join(o.data, 'wireguard.pem')) : undefined
  const ownWireguard = wireguard && {
    privateKey: wireguard.privateKey,
    port: Number(o.wireguardEndpoint?.split(':').at(-1) ?? WIREGUARD_PORT),
    file: path.join(o.data, 'wireguard.conf'),
    ...(o.wireguardEndpoint ? { endpoint: o.wireguardEndpoint } : {}),
  }
  const routes = new Routes(identity.node, routeTable, o.podNetwork ?? 'auto', log, ownWireguard)
  session.followRoutes(routeTable, () => routes.changed())
  const services = new ObjectList(session, 'services', {}, (key, old, now) => {
    dns.service(old, now)
    proxyChanged(key)
    ingress.changed(key)
    if (now && isApi(now.metadata.namespace, now.metadata.name)) apiProxy.serve(now.spec.clusterIP)
  })
  const slices = new ObjectList(session, 'endpointslices.discovery.k8s.io', {}, (_key, old, now) => {
    dns.slice(old, now)
    for (const key of byService.changed(old, now)) {
      proxyChanged(key)
      ingress.changed(key)
    }
  })
  const ingress = new Ingress({
    session,
    references,
    data: o.data,
    log,
    services,
    slices,
    byService,
    nameservers: () => (dns.address ? [dns.address] : hostResolver().servers),
    changed: () => reporter.report(),
  })
  new ObjectList(session, 'configmaps', DNS_SERVICE, (_key, _old, now) => dns.configMap(now))
  void Promise.all([services.ready(), slices.ready()]).then(allProxiesChanged)
  const forwarding = () => allowForwarding(identity, log)
  const host = new HostWatch([...proxies, policies, routes], () => void forwarding(), log)
  const rangeFile = path.join(o.data, 'pod-range')
  /** Who deletes a Node does not want it back: it is made anew when the daemon comes back, and not before. */
  let deleted = false
  const nodeChanged = (_key: string, old: any, now: any) => {
    if (old?.metadata.labels?.[ZONE] !== now?.metadata.labels?.[ZONE] && proxyKnowsAll()) allProxiesChanged()
    const ranges: string[] = now?.spec?.podCIDRs ?? []
    deleted = !now
    // Somebody may have taken this node for lost, or written what it knows better.
    if (nodes.synced) reporter.report()
    if (now) void upgrader.desired(now.metadata.annotations?.[DESIRED], now.metadata.annotations?.[FAILED])
    if (ranges.length && ranges.join() !== ownRanges.join()) {
      ownRanges = ranges
      writeFileSync(rangeFile, ranges.join())
      for (const w of workers.values()) w.wake()
    }
  }
  const nodes = new ObjectList(session, 'nodes', { name: identity.node }, nodeChanged, () => {
    deleted = false
    reporter.report()
  })
  const localVolumes = new LocalVolumes(o.data, api, log)
  new ObjectList(session, 'persistentvolumes', {}, (_key, _old, now) => now && localVolumes.changed(now))
  const counted = () => {
    if (counters.synced) readers.count([...counters.objects.values()]).catch((cause) => log.error('logs cannot be counted', cause))
  }
  const counters: ObjectList = new ObjectList(session, LOG_COUNTERS, {}, counted, counted)
  if (existsSync(rangeFile)) ownRanges = rangesIn(readFileSync(rangeFile, 'utf8').trim())

  const shutdown = new NodeShutdown(o.shutdownGrace ?? { all: 0, critical: 0 })
  const usual = { thresholds: parseThresholds(DEFAULT_HARD), softGrace: 0, transition: 300_000, images: { high: 85, low: 80 } }
  const bounds = o.pressure ?? usual
  const imageVolumes = () =>
    [...workers.values()].flatMap(({ pod }) => (pod.spec.volumes ?? []).flatMap((v: any) => v.image?.reference ?? []))
  const collector = new ImageCollector(runtime, o.data, bounds.images, imageVolumes, log)
  const pressure = new Pressure({
    ...bounds,
    runtime,
    images: collector,
    logs: keptLogs,
    data: o.data,
    log,
    pods: () => [...workers.values()].filter((w) => !w.ending).map((w) => w.pod),
    evict: async (pod, message, grace) => workers.get(pod.metadata.uid)?.leave({ reason: EVICTED, message, grace }),
    changed: () => reporter.report(),
    event: (reason, message) => {
      const node = nodes.objects.get(identity.node)
      if (node) events.record({ kind: 'Node', object: node }, 'Warning', reason, message)
    },
  })

  const devices = new Devices(await readResources(path.join(o.data, 'resources.yaml')), o.data, (uid) => {
    const w = workers.get(uid)
    return !!w && !(w.ending && !runtime.ofPod(uid).some((c) => !c.sandbox && c.state === 'running'))
  })
  const csi = new CsiDrivers(api, identity.node, log, () => {
    for (const w of workers.values()) w.wake()
  })
  const volumes = new PodVolumes(o.data, runtime, new CsiVolumes(csi, api, identity.node))
  const measured = {
    node: identity.node,
    runtime,
    volumes,
    pods: ownPods,
    data: o.data,
    names: () => dns.counters,
    forwarding: () => readers.families(),
    probed: () => [...workers.values()].map((w) => ({ pod: w.pod, counts: w.probeCounts })),
  }
  const summary = new Summary(measured)
  const context: WorkerContext = {
    runtime,
    volumes,
    images: new Images(
      runtime,
      {
        credentials: [path.join(o.data, 'config.json'), path.join(homedir(), '.docker/config.json')],
        mirrors: path.join(o.data, 'registries.yaml'),
      },
      (ref) => collector.pulled(ref),
    ),
    devices,
    refusal: (pod) => shutdown.refusal() ?? pressure.refusal(pod) ?? devices.give(pod),
    status,
    events,
    log,
    sandbox,
    services: (ns) =>
      [...services.objects.values()].filter((s) => s.metadata.namespace === ns || isApi(s.metadata.namespace, s.metadata.name)),
    object: (resource, ns, name) => references.get(resource, ns, name),
    hold: (uid, wanted) => references.hold(uid, wanted),
    token: (pod, audience, seconds) => tokens.get(pod, audience, seconds),
    tokensDue: (uid) => tokens.due(uid),
    room: (uid) => {
      const used = { cpu: 0, memory: 0 }
      for (const w of workers.values()) {
        if (w.uid === uid) continue
        used.cpu += w.promised.cpu
        used.memory += w.promised.memory
      }
      return { capacity: { cpu: cpus().length * 1000, memory: totalmem() }, used }
    },
    finished: (uid) => {
      workers.delete(uid)
      tokens.forget(uid)
      roomChanged()
      runStatics()
    },
    addressChanged: () => {
      if (proxyKnowsAll()) for (const p of proxies) p.podsChanged()
      policies.changed()
    },
    policed: async (pod, ips) => {
      for (const p of policed(ips, pod)) await policies.covered(p)
    },
  }

  /** Pods that wait for room look again. */
  const roomChanged = () => {
    for (const w of workers.values()) if (w.isWaiting) w.wake()
  }
  const saved = new DiskCopy(path.join(o.data, 'state'), 'pods', log)
  const begin = (pod: any) => {
    const w = new PodWorker(pod, context)
    workers.set(pod.metadata.uid, w)
    readers.seen(runtime.ofPod(pod.metadata.uid))
    w.wake()
  }
  const mirrors = new MirrorPods(
    api,
    () => nodes.objects.get(identity.node),
    (uid) => workers.get(uid)?.wake(),
    log,
  )
  /** Pods of this machine's folder: what is no longer there ends, and what takes its place waits for that. */
  let statics: ReadonlyMap<string, any> = new Map()
  const runStatics = () => {
    const wanted = new Set([...statics.values()].map((p) => p.metadata.uid))
    const held = new Set<string>()
    for (const w of workers.values()) {
      if (!isStatic(w.pod) || wanted.has(w.uid)) continue
      held.add(`${w.pod.metadata.namespace}/${w.pod.metadata.name}`)
      w.end()
    }
    for (const [key, pod] of statics) if (!held.has(key) && !workers.has(pod.metadata.uid)) begin(pod)
    mirrors.want(statics)
  }
  const staticPods = new StaticPods(o.staticPods ?? path.join(o.data, 'manifests'), identity.node, log, (all) => {
    statics = all
    runStatics()
  })
  const podChanged = (key: string, old: any, seen: any) => {
    if (isMirror(seen ?? old)) return mirrors.seen(key, seen)
    const now = seen && fromApi(seen)
    saved.save(() => [...workers.values()].map((w) => w.pod).filter((p) => !isStatic(p)))
    if (old && old.metadata.uid !== now?.metadata.uid) workers.get(old.metadata.uid)?.vanish()
    if (!now) return
    const known = workers.get(now.metadata.uid)
    if (known) {
      const isRelabelled = JSON.stringify(known.pod.metadata.labels) !== JSON.stringify(now.metadata.labels)
      known.update(now)
      if (isRelabelled) policies.changed()
      roomChanged()
    } else if (!(now.metadata.deletionTimestamp && gone.has(now.metadata.uid))) {
      begin(now)
    }
  }
  // A pod that has ended here may be seen once more before the API has forgotten it.
  const gone = new Set<string>()
  const pods = new ObjectList(session, 'pods', {}, podChanged, () => mirrors.known())

  const reporter = new NodeReporter(async () => {
    if (deleted) return
    const problem = !runtime.connected ? 'container runtime is down' : (sandbox.networking.problem() ?? shutdown.problem)
    const version = runtime.connected ? (await runtime.docker.version()).Version : ''
    await writeNodeStatus(
      api,
      {
        name: identity.node,
        ips: hostIPs,
        runtimeVersion: version,
        managed: upgrader.managed,
        ...(ingress.state ? { ingress: ingress.state } : {}),
        ...(wireguard ? { wireguard: [wireguard.publicKey, ...(o.wireguardEndpoint ? [o.wireguardEndpoint] : [])].join(' ') } : {}),
        volumes: volumesFolder(o.data),
        resources: devices.amounts,
        pressure: pressure.conditions,
      },
      { ok: !problem, message: problem ?? 'kubelet is posting ready status' },
      nodes.objects.get(identity.node),
    )
    service?.set({ ready: !problem, message: problem ?? 'the node is Ready' })
    if (!problem) upgrader.ready()
  }, log)

  const leftovers: Leftovers = { runtime, data: o.data, volumes, sandbox, log }
  async function removeStrays(): Promise<void> {
    // Only when the API has said which pods there are.
    await pods.ready()
    if (runtime.connected) await removeUnknown(leftovers, new Set(workers.keys()))
  }

  runtime.on('changed', (uid) => {
    workers.get(uid)?.wake()
    readers.seen(runtime.ofPod(uid))
    rest.stirred()
  })
  runtime.on('reset', () => {
    if (o.offline) return
    readers.seen(runtime.containers.values())
    for (const w of workers.values()) w.wake()
    void forwarding()
    reporter.report()
    void removeStrays().catch((cause) => log.error('strays could not be removed', cause))
  })
  if (!o.offline) await forwarding()
  // What ran before goes on by the saved state until the API answers.
  for (const pod of saved.load()) pods.objects.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod)
  if (o.offline) await runtime.start()
  else {
    for (const pod of pods.objects.values()) workers.set(pod.metadata.uid, new PodWorker(pod, context))
    dns.start()
    host.start()
    csi.start()
    readers.start()
    await staticPods.start()
    session.start()
    void runtime.start()
    pressure.start()
  }
  service?.started()
  log.info('node daemon started', { node: identity.node, server: identity.server, address: hostIPs.join() })

  const close = async () => {
    service?.close()
    reporter.close()
    pressure.close()
    staticPods.close()
    mirrors.close()
    localVolumes.close()
    csi.close()
    host.close()
    keptLogs.close()
    rest.close()
    for (const p of proxies) p.close()
    policies.close()
    await Promise.all([readers.close(), apiProxy.close(), dns.close(), ingress.close()])
    for (const w of workers.values()) w.detach()
    session.close()
    dialers.close()
    runtime.close()
  }
  return {
    close,
    shutDown: async () => {
      const seconds = shutdown.begin()
      if (!seconds) return
      log.info('the machine goes down: its pods end')
      service?.needs(seconds + SHUTDOWN_MARGIN)
      reporter.report()
      await shutdown.end([...workers.values()])
      await status.settled(SETTLING)
    },
    purge: async () => {
      await close()
      await removeAll(leftovers)
      await apiProxy.remove(apiServiceIp(identity.serviceCidr))
      await dns.remove()
      await ingress.remove()
      for (const p of proxies) await p.remove()
      await policies.remove()
      await routes.remove()
      await forbidForwarding(identity)
    },
  }
}
