// The Pod Security Standards: what the baseline and restricted levels forbid a pod, version by version.
import { dictionary } from '../meta/dictionary.ts'
// Names, order and words follow k8s.io/pod-security-admission of Kubernetes 1.36.

/** What a check found: the reason in a few words, and who does what. */
export interface Violation {
  reason: string
  detail: string
}

export type Level = 'privileged' | 'baseline' | 'restricted'

interface PodLike {
  metadata?: { annotations?: Record<string, string> }
  spec?: any
}

interface Check {
  id: string
  level: 'baseline' | 'restricted'
  /** Minor version of Kubernetes from which on it is made. */
  since?: number
  /** The baseline check that this one is stricter than; only one of them speaks. */
  overrides?: string
  run: (pod: PodLike, minor: number) => Violation | undefined
}

const plural = (one: string, many: string, n: number): string => (n === 1 ? one : many)
const quoted = (names: Iterable<string>): string => [...names].map((n) => JSON.stringify(n)).join(', ')
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort()
const containersNamed = (names: string[]): string => `${plural('container', 'containers', names.length)} ${quoted(names)}`

const containersOf = (spec: any): any[] => [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]
const namesWhere = (pod: PodLike, bad: (c: any) => boolean): string[] =>
  containersOf(pod.spec)
    .filter(bad)
    .map((c) => c.name)

/** Who set something forbidden: the pod itself, and the containers by name. */
const setters = (podToo: boolean, containers: string[]): string =>
  [...(podToo ? ['pod'] : []), ...(containers.length ? [containersNamed(containers)] : [])].join(' and ')

const windows = (pod: PodLike, minor: number): boolean => minor >= 25 && pod.spec.os?.name === 'windows'
const inUserNamespace = (pod: PodLike, minor: number): boolean => minor >= 35 && pod.spec.hostUsers === false

const DEFAULT_CAPABILITIES = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(' '),
)
const RESTRICTED_VOLUMES = 'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(' ')
const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t']
/** Sysctls that stay in the pod's own namespaces, and since when they count as safe. */
const SYSCTLS: Record<string, number> = dictionary({
  'kernel.shm_rmid_forced': 0,
  'net.ipv4.ip_local_port_range': 0,
  'net.ipv4.tcp_syncookies': 0,
  'net.ipv4.ping_group_range': 0,
  'net.ipv4.ip_unprivileged_port_start': 0,
  'net.ipv4.ip_local_reserved_ports': 27,
  'net.ipv4.tcp_keepalive_time': 29,
  'net.ipv4.tcp_fin_timeout': 29,
  'net.ipv4.tcp_keepalive_intvl': 29,
  'net.ipv4.tcp_keepalive_probes': 29,
  'net.ipv4.tcp_rmem': 32,
  'net.ipv4.tcp_wmem': 32,
})

const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/'
const SECCOMP_POD_ANNOTATION = 'seccomp.security.alpha.kubernetes.io/pod'
const SECCOMP_CONTAINER_ANNOTATION = 'container.seccomp.security.alpha.kubernetes.io/'

const profileAllowed = (p: any): boolean => p.type === 'RuntimeDefault' || p.type === 'Localhost'
const seccompAnnotationAllowed = (v: string): boolean => v === 'runtime/default' || v === 'docker/default' || v.startsWith('localhost/')
const appArmorAnnotationAllowed = (v: string): boolean => !v || v === 'runtime/default' || v.startsWith('localhost/')

function appArmor(pod: PodLike): Violation | undefined {
  const own = pod.spec.securityContext?.appArmorProfile
  const badPod = own && !profileAllowed(own)
  const isBad = (c: any) => c.securityContext?.appArmorProfile && !profileAllowed(c.securityContext.appArmorProfile)
  const bad = containersOf(pod.spec).filter(isBad)
  const annotations = Object.entries(pod.metadata?.annotations ?? {})
    .filter(([k, v]) => k.startsWith(APPARMOR_ANNOTATION) && !appArmorAnnotationAllowed(v))
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .sort()
  const types = sorted([...(badPod ? [own.type] : []), ...bad.map((c) => c.securityContext.appArmorProfile.type)])
  const values = [...types, ...annotations]
  if (!values.length) return undefined
  const who = [
    setters(
      badPod,
      bad.map((c) => c.name),
    ),
    ...(annotations.length ? [plural('annotation', 'annotations', annotations.length)] : []),
  ]
  return {
    reason: plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', values.length),
    detail: `${who.filter(Boolean).join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  }
}

function seccompSetters(pod: PodLike): Violation | undefined {
  const own = pod.spec.securityContext?.seccompProfile
  const badPod = own && !profileAllowed(own)
  const bad = containersOf(pod.spec).filter((c) => c.securityContext?.seccompProfile && !profileAllowed(c.securityContext.seccompProfile))
  if (!badPod && !bad.length) return undefined
  const values = sorted([...(badPod ? [own.type] : []), ...bad.map((c) => c.securityContext.seccompProfile.type)])
  const who = setters(
    badPod,
    bad.map((c) => c.name),
  )
  return { reason: 'seccompProfile', detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(values)}` }
}

function seccompAnnotations(pod: PodLike): Violation | undefined {
  const all = pod.metadata?.annotations ?? {}
  const keys = [SECCOMP_POD_ANNOTATION, ...containersOf(pod.spec).map((c) => SECCOMP_CONTAINER_ANNOTATION + c.name)]
  const bad = sorted(
    keys.filter((k) => all[k] !== undefined && !seccompAnnotationAllowed(all[k])).map((k) => `${k}=${JSON.stringify(all[k])}`),
  )
  if (!bad.length) return undefined
  return { reason: 'seccompProfile', detail: `forbidden ${plural('annotation', 'annotations', bad.length)} ${bad.join(', ')}` }
}

function seLinux(pod: PodLike, minor: number): Violation | undefined {
  const allowed = minor >= 31 ? [...SELINUX_TYPES, 'container_engine_t'] : SELINUX_TYPES
  const isBad = (o: any): boolean => !!o && (!allowed.includes(o.type ?? '') || !!o.user || !!o.role)
  const badPod = isBad(pod.spec.securityContext?.seLinuxOptions)
  const bad = containersOf(pod.spec).filter((c) => isBad(c.securityContext?.seLinuxOptions))
  if (!badPod && !bad.length) return undefined
  const options = [...(badPod ? [pod.spec.securityContext] : []), ...bad.map((c) => c.securityContext)].map((s) => s.seLinuxOptions)
  const types = sorted(options.map((o) => o.type ?? '').filter((t) => !allowed.includes(t)))
  const what = [
    ...(types.length ? [`${plural('type', 'types', types.length)} ${quoted(types)}`] : []),
    ...(options.some((o) => o.user) ? ['user may not be set'] : []),
    ...(options.some((o) => o.role) ? ['role may not be set'] : []),
  ]
  const who = setters(
    badPod,
    bad.map((c) => c.name),
  )
  return { reason: 'seLinuxOptions', detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}` }
}

function procMount(pod: PodLike): Violation | undefined {
  const bad = containersOf(pod.spec).filter((c) => (c.securityContext?.procMount ?? 'Default') !== 'Default')
  if (!bad.length) return undefined
  const values = sorted(bad.map((c) => c.securityContext.procMount))
  return {
    reason: 'procMount',
    detail: `${containersNamed(bad.map((c) => c.name))} must not set securityContext.procMount to ${quoted(values)}`,
  }
}

/** Hosts that a probe or hook names by itself: the kubelet would dial them from the node. */
function handlerHosts(c: any): string[] {
  const handlers = [c.livenessProbe, c.readinessProbe, c.startupProbe, c.lifecycle?.postStart, c.lifecycle?.preStop]
  return handlers.flatMap((h) => [h?.httpGet?.host, h?.tcpSocket?.host]).filter(Boolean)
}

const checks: readonly Check[] = [
  { id: 'appArmorProfile', level: 'baseline', run: appArmor },
  {
    id: 'capabilities_baseline',
    level: 'baseline',
    run: (pod) => {
      const beyond = (c: any): string[] => (c.securityContext?.capabilities?.add ?? []).filter((x: string) => !DEFAULT_CAPABILITIES.has(x))
      const bad = containersOf(pod.spec).filter((c) => beyond(c).length)
      if (!bad.length) return undefined
      return {
        reason: 'non-default capabilities',
        detail: `${containersNamed(bad.map((c) => c.name))} must not include ${quoted(sorted(bad.flatMap(beyond)))} in securityContext.capabilities.add`,
      }
    },
  },
  {
    id: 'hostNamespaces',
    level: 'baseline',
    run: (pod) => {
      const used = ['hostNetwork', 'hostPID', 'hostIPC'].filter((f) => pod.spec[f]).map((f) => `${f}=true`)
      return used.length ? { reason: 'host namespaces', detail: used.join(', ') } : undefined
    },
  },
  {
    id: 'hostPathVolumes',
    level: 'baseline',
    run: (pod) => {
      const names = (pod.spec.volumes ?? []).filter((v: any) => v.hostPath).map((v: any) => v.name)
      if (!names.length) return undefined
      return { reason: 'hostPath volumes', detail: `${plural('volume', 'volumes', names.length)} ${quoted(names)}` }
    },
  },
  {
    id: 'hostPorts',
    level: 'baseline',
    run: (pod) => {
      const ports = (c: any): string[] => (c.ports ?? []).filter((p: any) => p.hostPort).map((p: any) => String(p.hostPort))
      const bad = containersOf(pod.spec).filter((c) => ports(c).length)
      if (!bad.length) return undefined
      const all = sorted(bad.flatMap(ports))
      return {
        reason: 'hostPort',
        detail: `${containersNamed(bad.map((c) => c.name))} ${plural('uses', 'use', bad.length)} ${plural('hostPort', 'hostPorts', all.length)} ${all.join(', ')}`,
      }
    },
  },
  {
    id: 'hostProbesAndHostLifecycle',
    level: 'baseline',
    since: 34,
    run: (pod) => {
      const bad = containersOf(pod.spec).filter((c) => handlerHosts(c).length)
      if (!bad.length) return undefined
      const hosts = sorted(bad.flatMap(handlerHosts))
      return {
        reason: 'probe or lifecycle host',
        detail: `${containersNamed(sorted(bad.map((c) => c.name)))} ${plural('uses', 'use', bad.length)} ${plural('probe or lifecycle host', 'probe or lifecycle hosts', hosts.length)} ${quoted(hosts)}`,
      }
    },
  },
  {
    id: 'privileged',
    level: 'baseline',
    run: (pod) => {
      const names = namesWhere(pod, (c) => c.securityContext?.privileged)
      if (!names.length) return undefined
      return { reason: 'privileged', detail: `${containersNamed(names)} must not set securityContext.privileged=true` }
    },
  },
  { id: 'procMount', level: 'baseline', run: (pod, minor) => (inUserNamespace(pod, minor) ? undefined : procMount(pod)) },
  { id: 'seLinuxOptions', level: 'baseline', run: seLinux },
  {
    id: 'seccompProfile_baseline',
    level: 'baseline',
    run: (pod, minor) => (minor >= 19 ? seccompSetters(pod) : seccompAnnotations(pod)),
  },
  {
    id: 'sysctls',
    level: 'baseline',
    run: (pod, minor) => {
      const names = (pod.spec.securityContext?.sysctls ?? []).map((s: any) => s.name).filter((n: string) => !((SYSCTLS[n] ?? 1e9) <= minor))
      return names.length ? { reason: 'forbidden sysctls', detail: names.join(', ') } : undefined
    },
  },
  {
    id: 'windowsHostProcess',
    level: 'baseline',
    run: (pod) => {
      const isBad = (x: any): boolean => !!x.securityContext?.windowsOptions?.hostProcess
      const names = namesWhere(pod, isBad)
      if (!isBad(pod.spec) && !names.length) return undefined
      return {
        reason: 'hostProcess',
        detail: `${setters(isBad(pod.spec), names)} must not set securityContext.windowsOptions.hostProcess=true`,
      }
    },
  },
  {
    id: 'allowPrivilegeEscalation',
    level: 'restricted',
    since: 8,
    run: (pod, minor) => {
      const names = windows(pod, minor) ? [] : namesWhere(pod, (c) => c.securityContext?.allowPrivilegeEscalation !== false)
      if (!names.length) return undefined
      return {
        reason: 'allowPrivilegeEscalation != false',
        detail: `${containersNamed(names)} must set securityContext.allowPrivilegeEscalation=false`,
      }
    },
  },
  {
    id: 'capabilities_restricted',
    level: 'restricted',
    since: 22,
    overrides: 'capabilities_baseline',
    run: (pod, minor) => {
      if (windows(pod, minor)) return undefined
      const keeping = namesWhere(pod, (c) => !c.securityContext?.capabilities?.drop?.includes('ALL'))
      const beyond = (c: any): string[] => (c.securityContext?.capabilities?.add ?? []).filter((x: string) => x !== 'NET_BIND_SERVICE')
      const adding = containersOf(pod.spec).filter((c) => beyond(c).length)
      if (!keeping.length && !adding.length) return undefined
      const details = [
        ...(keeping.length ? [`${containersNamed(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
        ...(adding.length
          ? [
              `${containersNamed(adding.map((c) => c.name))} must not include ${quoted(sorted(adding.flatMap(beyond)))} in securityContext.capabilities.add`,
            ]
          : []),
      ]
      return { reason: 'unrestricted capabilities', detail: details.join('; ') }
    },
  },
  { id: 'procMount_restricted', level: 'restricted', since: 35, overrides: 'procMount', run: procMount },
  {
    id: 'restrictedVolumes',
    level: 'restricted',
    overrides: 'hostPathVolumes',
    run: (pod) => {
      const bad = (pod.spec.volumes ?? []).filter((v: any) => !RESTRICTED_VOLUMES.some((t) => v[t]))
      if (!bad.length) return undefined
      const types = sorted(bad.map((v: any) => Object.keys(v).find((k) => k !== 'name') ?? 'unknown'))
      const names = bad.map((v: any) => v.name)
      return {
        reason: 'restricted volume types',
        detail: `${plural('volume', 'volumes', bad.length)} ${quoted(names)} ${plural('uses', 'use', bad.length)} ${plural('restricted volume type', 'restricted volume types', types.length)} ${quoted(types)}`,
      }
    },
  },
  {
    id: 'runAsNonRoot',
    level: 'restricted',
    run: (pod, minor) => {
      if (inUserNamespace(pod, minor)) return undefined
      const own = pod.spec.securityContext?.runAsNonRoot
      const saysNo = namesWhere(pod, (c) => c.securityContext?.runAsNonRoot === false)
      if (own === false || saysNo.length)
        return {
          reason: 'runAsNonRoot != true',
          detail: `${setters(own === false, saysNo)} must not set securityContext.runAsNonRoot=false`,
        }
      const silent = own ? [] : namesWhere(pod, (c) => (c.securityContext?.runAsNonRoot ?? undefined) === undefined)
      if (!silent.length) return undefined
      return { reason: 'runAsNonRoot != true', detail: `pod or ${containersNamed(silent)} must set securityContext.runAsNonRoot=true` }
    },
  },
  {
    id: 'runAsUser',
    level: 'restricted',
    since: 23,
    run: (pod, minor) => {
      if (inUserNamespace(pod, minor)) return undefined
      const own = pod.spec.securityContext?.runAsUser === 0
      const names = namesWhere(pod, (c) => c.securityContext?.runAsUser === 0)
      return own || names.length ? { reason: 'runAsUser=0', detail: `${setters(own, names)} must not set runAsUser=0` } : undefined
    },
  },
  {
    id: 'seccompProfile_restricted',
    level: 'restricted',
    since: 19,
    overrides: 'seccompProfile_baseline',
    run: (pod, minor) => {
      if (windows(pod, minor)) return undefined
      const bad = seccompSetters(pod)
      if (bad || pod.spec.securityContext?.seccompProfile) return bad
      const silent = namesWhere(pod, (c) => !c.securityContext?.seccompProfile)
      if (!silent.length) return undefined
      return {
        reason: 'seccompProfile',
        detail: `pod or ${containersNamed(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      }
    },
  },
]

/** What is wrong with the pod at a level, as of Kubernetes 1.`minor`. */
export function violations(level: Level, minor: number, pod: PodLike): Violation[] {
  if (level === 'privileged') return []
  const there = checks.filter((c) => (c.since ?? 0) <= minor && (level === 'restricted' || c.level === 'baseline'))
  const overridden = new Set(there.map((c) => c.overrides))
  return there.filter((c) => !overridden.has(c.id)).flatMap((c) => c.run(pod, minor) ?? [])
}
