// A pod's sandbox: the pause container, its network by CNI and the files that every container of the pod shares. What was made is kept on disk, for adoption.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { familyOf } from '../../shared/meta/address.ts'
import { shapeOf } from '../network/bandwidth.ts'
import type { Connected, PodNetworking } from '../network/cni.ts'
import { hostResolver } from '../network/dns/resolver-file.ts'
import { containerName, podLabels } from '../runtime/container-options.ts'
import type { Observed, Runtime } from '../runtime/docker.ts'
import type { PodCgroups } from '../runtime/pod-cgroups.ts'
import { podFolder } from '../volumes/volumes.ts'

export interface Sandbox {
  id: string
  ip: string
  /** All its addresses, `ip` the first of them. */
  ips: string[]
  netns: string
  /** What connects it, where that wants to be told again. */
  made?: Connected['made']
  /** Which of Docker's runtimes runs it and its containers; the usual one where absent. */
  runtime?: string
  /** The cgroup that all of the pod is in. */
  cgroup?: string
  hosts?: string
  resolvConf?: string
}

export interface SandboxOptions {
  data: string
  /** This machine's addresses, its own family's first. */
  hostIPs: string[]
  networking: PodNetworking
  /** Where the cluster's names are known; undefined where nobody serves them. */
  clusterDns: () => string | undefined
  clusterDomain: string
  cgroups: PodCgroups
}

const HEADER =
  '# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n'

const fileOf = (o: SandboxOptions, uid: string) => path.join(podFolder(o.data, uid), 'sandbox.json')

/** The sandbox that was made for a pod, as remembered. */
export function rememberedSandbox(o: SandboxOptions, uid: string): Sandbox | undefined {
  try {
    const kept = JSON.parse(readFileSync(fileOf(o, uid), 'utf8'))
    // Older daemons knew one address.
    return { ...kept, ips: kept.ips ?? [kept.ip] }
  } catch {
    return undefined
  }
}

function hostsFile(pod: any, ips: readonly string[], domain: string): string {
  const name = pod.spec.hostname ?? pod.metadata.name
  const full = pod.spec.subdomain ? `${name}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${domain}\t` : ''
  const aliases = (pod.spec.hostAliases ?? []).map((a: any) => `${a.ip}\t${a.hostnames.join('\t')}\n`).join('')
  const own = ips.map((ip) => `${ip}\t${full}${name}\n`).join('')
  return `${HEADER}${own}${aliases ? `\n# Entries added by HostAliases.\n${aliases}` : ''}`
}

function resolvFile(pod: any, o: SandboxOptions): string {
  const config = pod.spec.dnsConfig ?? {}
  const policy = pod.spec.dnsPolicy
  const host = hostResolver()
  const dns = o.clusterDns()
  // Without a DNS service on this node, the host's own resolver serves.
  const cluster = dns && (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec.hostNetwork))
  const d = o.clusterDomain
  const servers = policy === 'None' ? [] : cluster ? [dns] : host.servers
  const search = policy === 'None' ? [] : cluster ? [`${pod.metadata.namespace}.svc.${d}`, `svc.${d}`, d, ...host.search] : host.search
  const options = policy === 'None' ? [] : cluster ? ['ndots:5'] : host.options
  const extra = (config.options ?? []).map((x: any) => (x.value !== undefined ? `${x.name}:${x.value}` : x.name))
  const names = [...new Set([...search, ...(config.searches ?? [])])]
  return [
    ...[...new Set([...servers, ...(config.nameservers ?? [])])].slice(0, 3).map((s) => `nameserver ${s}`),
    ...(names.length ? [`search ${names.join(' ')}`] : []),
    ...(options.length || extra.length ? [`options ${[...new Set([...options, ...extra])].join(' ')}`] : []),
    '',
  ].join('\n')
}

/** Makes the sandbox of a pod, with a runtime where its class names one; what an earlier attempt left over is cleared first. */
export async function createSandbox(
  runtime: Runtime,
  pod: any,
  attempt: number,
  o: SandboxOptions,
  handler: string | undefined,
): Promise<Sandbox> {
  const { uid } = pod.metadata
  const folder = podFolder(o.data, uid)
  mkdirSync(folder, { recursive: true })
  const own = !pod.spec.hostNetwork
  // Before anything is made: an annotation may be wrong.
  const shape = own ? shapeOf(pod.metadata.annotations) : undefined
  const cgroup = (await o.cgroups.of(pod))?.parent
  const asked = (pod.spec.securityContext?.sysctls ?? []).map((s: any) => [s.name, s.value])
  const sysctls: Record<string, string> = own ? { ...o.networking.sysctls?.(), ...Object.fromEntries(asked) } : {}
  const id = await runtime.create(containerName(pod, 'POD', attempt), {
    ...runtime.pauseOptions(),
    Labels: podLabels(pod, 'POD', 'podsandbox'),
    ...(own ? { Hostname: (pod.spec.hostname ?? pod.metadata.name).slice(0, 63), NetworkDisabled: true } : {}),
    HostConfig: {
      ...(own ? {} : { NetworkMode: 'host' }),
      ...(handler ? { Runtime: handler } : {}),
      ...(cgroup ? { CgroupParent: cgroup } : {}),
      IpcMode: pod.spec.hostIPC ? 'host' : 'shareable',
      ...(pod.spec.hostPID ? { PidMode: 'host' } : {}),
      LogConfig: { Type: 'none', Config: {} },
      OomScoreAdj: 0,
      ...(Object.keys(sysctls).length ? { Sysctls: sysctls } : {}),
    },
  })
  const started = await runtime.startContainer(id)
  if (!started?.pid) throw new Error('the sandbox ended at once')
  const netns = `/proc/${started.pid}/ns/net`
  const connected: Connected = own ? await o.networking.add({ id, netns, pod: pod.metadata }, shape) : { ips: o.hostIPs }
  const { made } = connected
  // The machine's own family is the pod's.
  const isFirst = (ip: string) => familyOf(ip) === familyOf(o.hostIPs[0] ?? '')
  const ips = [...connected.ips.filter(isFirst), ...connected.ips.filter((ip) => !isFirst(ip))]
  const sandbox: Sandbox = {
    id,
    ip: ips[0]!,
    ips,
    netns,
    ...(handler ? { runtime: handler } : {}),
    ...(cgroup ? { cgroup } : {}),
    ...(made ? { made } : {}),
  }
  if (own) {
    sandbox.hosts = path.join(folder, 'hosts')
    sandbox.resolvConf = path.join(folder, 'resolv.conf')
    writeFileSync(sandbox.hosts, hostsFile(pod, ips, o.clusterDomain))
    writeFileSync(sandbox.resolvConf, resolvFile(pod, o))
  } else if (pod.spec.hostAliases?.length) {
    sandbox.hosts = path.join(folder, 'hosts')
    writeFileSync(sandbox.hosts, hostsFile(pod, ips, o.clusterDomain).replace(pod.metadata.name, hostname()))
  }
  // On the host's network the host's own file serves, unless the pod asks for another.
  if (!own && (['None', 'ClusterFirstWithHostNet'].includes(pod.spec.dnsPolicy) || pod.spec.dnsConfig)) {
    sandbox.resolvConf = path.join(folder, 'resolv.conf')
    writeFileSync(sandbox.resolvConf, resolvFile(pod, o))
  }
  writeFileSync(fileOf(o, uid), JSON.stringify(sandbox))
  return sandbox
}

/** Takes network and pause container away. */
export async function removeSandbox(
  runtime: Runtime,
  uid: string,
  observed: Observed[],
  o: SandboxOptions,
  hostNetwork: boolean,
): Promise<void> {
  const remembered = rememberedSandbox(o, uid)
  await Promise.all(
    observed
      .filter((c) => c.sandbox)
      .map(async (s) => {
        // The address goes back before its namespace does, so that nobody gets it twice.
        const was = remembered?.id === s.id ? remembered : undefined
        const attachment = {
          id: s.id,
          netns: s.pid ? `/proc/${s.pid}/ns/net` : '',
          pod: { namespace: s.podNamespace, name: s.podName, uid },
        }
        if (!hostNetwork) await o.networking.remove(attachment, was)
        await runtime.remove(s.id)
      }),
  )
  rmSync(fileOf(o, uid), { force: true })
}
