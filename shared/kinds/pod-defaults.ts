// Defaults of pod specs, alone and inside templates (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go).

/** The tag decides: `latest` or none pulls always. */
function defaultPullPolicy(image: string | undefined): 'Always' | 'IfNotPresent' {
  if (!image) return 'IfNotPresent'
  if (image.includes('@')) return 'IfNotPresent'
  const name = image.slice(image.lastIndexOf('/') + 1)
  const tag = name.includes(':') ? name.slice(name.indexOf(':') + 1) : 'latest'
  return tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function defaultHttpGet(action: any) {
  if (!action) return
  action.path ||= '/'
  action.scheme ||= 'HTTP'
}

function defaultProbe(probe: any) {
  if (!probe) return
  defaultHttpGet(probe.httpGet)
  if (probe.grpc) probe.grpc.service ??= ''
  probe.timeoutSeconds ||= 1
  probe.periodSeconds ||= 10
  probe.successThreshold ||= 1
  probe.failureThreshold ||= 3
}

function defaultContainer(c: any, hostNetwork: boolean) {
  for (const p of c.ports ?? []) {
    p.protocol ||= 'TCP'
    if (hostNetwork && !p.hostPort) p.hostPort = p.containerPort
  }
  for (const e of c.env ?? []) if (e.valueFrom?.fieldRef) e.valueFrom.fieldRef.apiVersion ||= 'v1'
  c.resources ??= {}
  const { limits } = c.resources
  if (limits) {
    c.resources.requests ??= {}
    for (const key of Object.keys(limits)) c.resources.requests[key] ??= limits[key]
  }
  for (const probe of [c.livenessProbe, c.readinessProbe, c.startupProbe]) defaultProbe(probe)
  for (const hook of [c.lifecycle?.postStart, c.lifecycle?.preStop]) defaultHttpGet(hook?.httpGet)
  c.terminationMessagePath ||= '/dev/termination-log'
  c.terminationMessagePolicy ||= 'File'
  c.imagePullPolicy ||= defaultPullPolicy(c.image)
}

const fileSources = ['configMap', 'secret', 'downwardAPI', 'projected']

function defaultVolume(v: any) {
  const sources = Object.keys(v).filter((k) => k !== 'name')
  if (!sources.length) v.emptyDir = {}
  for (const s of fileSources) if (v[s]) v[s].defaultMode ??= 420
  if (v.hostPath) v.hostPath.type ??= ''
  if (v.iscsi) v.iscsi.iscsiInterface ||= 'default'
  for (const s of v.projected?.sources ?? []) if (s.serviceAccountToken) s.serviceAccountToken.expirationSeconds ??= 3600
  const fieldRefs = [...(v.downwardAPI?.items ?? []), ...(v.projected?.sources ?? []).flatMap((s: any) => s.downwardAPI?.items ?? [])]
  for (const item of fieldRefs) {
    if (item.fieldRef) item.fieldRef.apiVersion ||= 'v1'
    if (item.resourceFieldRef) item.resourceFieldRef.divisor ??= '0'
  }
}

/** Fills a pod spec in place. */
export function defaultPodSpec(spec: any): void {
  spec.volumes?.forEach(defaultVolume)
  for (const list of [spec.initContainers, spec.containers, spec.ephemeralContainers])
    for (const c of list ?? []) defaultContainer(c, !!spec.hostNetwork)
  spec.restartPolicy ||= 'Always'
  spec.terminationGracePeriodSeconds ??= 30
  spec.dnsPolicy ||= 'ClusterFirst'
  if (spec.serviceAccountName || spec.serviceAccount) {
    spec.serviceAccountName ||= spec.serviceAccount
    spec.serviceAccount = spec.serviceAccountName
  }
  spec.securityContext ??= {}
  spec.schedulerName ||= 'default-scheduler'
  for (const c of spec.containers ?? [])
    for (const e of c.env ?? []) if (e.valueFrom?.resourceFieldRef) e.valueFrom.resourceFieldRef.divisor ??= '0'
  // Go writes false booleans of hostNetwork, hostPID and hostIPC not at all.
  for (const flag of ['hostNetwork', 'hostPID', 'hostIPC']) if (spec[flag] === false) delete spec[flag]
}

type Resources = { requests?: Record<string, string>; limits?: Record<string, string> }

/** Guaranteed, Burstable or BestEffort by the cpu and memory of every container. */
export function qosClass(spec: any): string {
  const containers: { resources?: Resources }[] = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
  const named = (r: Record<string, string> | undefined) => ['cpu', 'memory'].filter((k) => r?.[k] && r[k] !== '0')
  if (!containers.some((c) => named(c.resources?.requests).length || named(c.resources?.limits).length)) return 'BestEffort'
  const guaranteed = containers.every((c) => {
    const { requests, limits } = c.resources ?? {}
    return named(limits).length === 2 && ['cpu', 'memory'].every((k) => requests?.[k] === undefined || requests[k] === limits![k])
  })
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
