// Containers, volumes and what else a pod template and a pod have in common.
import { annotations, labelsText, multiline, rfc1123z, sortedEntries, Writer } from './writer.ts'

const handler = (h: any): string => {
  if (h.exec) return `exec [${(h.exec.command ?? []).join(' ')}]`
  if (h.httpGet)
    return `http-get ${(h.httpGet.scheme ?? 'HTTP').toLowerCase()}://${h.httpGet.host ?? ''}:${h.httpGet.port}${h.httpGet.path ?? ''}`
  if (h.tcpSocket) return `tcp-socket ${h.tcpSocket.host ?? ''}:${h.tcpSocket.port}`
  if (h.grpc) return `grpc <pod>:${h.grpc.port} ${h.grpc.service ?? ''}`
  return 'unknown'
}
const probe = (p: any): string =>
  `${handler(p)} delay=${p.initialDelaySeconds ?? 0}s timeout=${p.timeoutSeconds ?? 0}s period=${p.periodSeconds ?? 0}s #success=${p.successThreshold ?? 0} #failure=${p.failureThreshold ?? 0}`

function state(w: Writer, name: string, s: any): void {
  if (s?.running) {
    w.line(2, `${name}:\tRunning`)
    w.line(3, `Started:\t${rfc1123z(s.running.startedAt)}`)
  } else if (s?.waiting) {
    w.line(2, `${name}:\tWaiting`)
    if (s.waiting.reason) w.line(3, `Reason:\t${s.waiting.reason}`)
  } else if (s?.terminated) {
    const t = s.terminated
    w.line(2, `${name}:\tTerminated`)
    if (t.reason) w.line(3, `Reason:\t${t.reason}`)
    if (t.message) w.line(3, `Message:\t${t.message}`)
    w.line(3, `Exit Code:\t${t.exitCode}`)
    if (t.signal) w.line(3, `Signal:\t${t.signal}`)
    w.line(3, `Started:\t${rfc1123z(t.startedAt)}`)
    w.line(3, `Finished:\t${rfc1123z(t.finishedAt)}`)
  } else w.line(2, `${name}:\tWaiting`)
}

function environment(w: Writer, c: any, pod: any, resolved: Record<string, string>): void {
  if (!c.env?.length) w.line(2, 'Environment:\t<none>')
  else {
    w.line(2, 'Environment:')
    for (const e of c.env) {
      const from = e.valueFrom
      if (!from)
        for (const [i, l] of String(e.value ?? '')
          .split('\n')
          .entries())
          w.line(3, i ? `\t${l}` : `${e.name}:\t${l}`)
      else if (from.fieldRef)
        w.line(
          3,
          `${e.name}:\t${pod ? (resolved[from.fieldRef.fieldPath] ?? '') : ''} (${from.fieldRef.apiVersion ?? 'v1'}:${from.fieldRef.fieldPath})`,
        )
      else if (from.resourceFieldRef)
        w.line(
          3,
          `${e.name}:\t${c.resources?.limits?.[from.resourceFieldRef.resource?.split('.').at(-1)] ?? 'node allocatable'} (${from.resourceFieldRef.resource})`,
        )
      else if (from.secretKeyRef)
        w.line(
          3,
          `${e.name}:\t<set to the key '${from.secretKeyRef.key}' in secret '${from.secretKeyRef.name}'>\tOptional: ${!!from.secretKeyRef.optional}`,
        )
      else if (from.configMapKeyRef)
        w.line(
          3,
          `${e.name}:\t<set to the key '${from.configMapKeyRef.key}' of config map '${from.configMapKeyRef.name}'>\tOptional: ${!!from.configMapKeyRef.optional}`,
        )
    }
  }
}

/** `Containers:` with everything of each. `pod` is given where there is one. */
export function containers(
  w: Writer,
  title: string,
  list: any[] | undefined,
  statuses: any[] | undefined,
  pod: any,
  inTemplate = false,
): void {
  w.line(0, `${inTemplate ? '  ' : ''}${title}:`)
  const resolved: Record<string, string> = {
    'metadata.name': pod?.metadata.name,
    'metadata.namespace': pod?.metadata.namespace,
    'metadata.uid': pod?.metadata.uid,
    'spec.nodeName': pod?.spec.nodeName ?? '',
    'spec.serviceAccountName': pod?.spec.serviceAccountName,
    'status.podIP': pod?.status?.podIP ?? '',
    'status.hostIP': pod?.status?.hostIP ?? '',
  }
  for (const c of list ?? []) {
    const s = statuses?.find((x) => x.name === c.name)
    w.line(1, `${inTemplate ? ' ' : ''}${c.name}:`)
    if (s) w.line(2, `Container ID:\t${s.containerID ?? ''}`)
    w.line(2, `Image:\t${c.image}`)
    if (s) w.line(2, `Image ID:\t${s.imageID ?? ''}`)
    const ports = (c.ports ?? []).map((p: any) => `${p.containerPort}/${p.protocol ?? 'TCP'}${''}`)
    const hosts = (c.ports ?? []).map((p: any) => `${p.hostPort ?? 0}/${p.protocol ?? 'TCP'}`)
    w.line(2, `${ports.length > 1 ? 'Ports' : 'Port'}:\t${ports.join(', ') || '<none>'}`)
    w.line(2, `${ports.length > 1 ? 'Host Ports' : 'Host Port'}:\t${hosts.join(', ') || '<none>'}`)
    for (const [name, words] of [
      ['Command', c.command],
      ['Args', c.args],
    ] as const)
      if (words?.length) {
        w.line(2, `${name}:`)
        for (const word of words) for (const l of String(word).split('\n')) w.line(3, l)
      }
    if (s) {
      state(w, 'State', s.state)
      if (s.lastState && Object.keys(s.lastState).length && s.lastState.terminated) state(w, 'Last State', s.lastState)
      w.line(2, `Ready:\t${s.ready ? 'True' : 'False'}`)
      w.line(2, `Restart Count:\t${s.restartCount}`)
    }
    for (const [name, values] of [
      ['Limits', c.resources?.limits],
      ['Requests', c.resources?.requests],
    ] as const) {
      const entries = sortedEntries(values)
      if (entries.length) w.line(2, `${name}:`)
      for (const [k, v] of entries) w.line(3, `${k}:\t${v}`)
    }
    if (c.livenessProbe) w.line(2, `Liveness:\t${probe(c.livenessProbe)}`)
    if (c.readinessProbe) w.line(2, `Readiness:\t${probe(c.readinessProbe)}`)
    if (c.startupProbe) w.line(2, `Startup:\t${probe(c.startupProbe)}`)
    if (c.envFrom?.length) {
      w.line(2, 'Environment Variables from:')
      for (const e of c.envFrom) {
        const r = e.configMapRef ?? e.secretRef
        w.line(
          3,
          `${r?.name}\t${e.configMapRef ? 'ConfigMap' : 'Secret'}${e.prefix ? ` with prefix '${e.prefix}'` : ''}\tOptional: ${!!r?.optional}`,
        )
      }
    }
    environment(w, c, pod, resolved)
    if (!c.volumeMounts?.length) w.line(2, 'Mounts:\t<none>')
    else {
      w.line(2, 'Mounts:')
      for (const m of [...c.volumeMounts].sort((a: any, b: any) => (a.mountPath < b.mountPath ? -1 : 1)))
        w.line(
          3,
          `${m.mountPath} from ${m.name} (${[m.readOnly ? 'ro' : 'rw', ...(m.subPath ? [`path=${JSON.stringify(m.subPath)}`] : [])].join(',')})`,
        )
    }
    for (const d of c.volumeDevices ?? []) w.line(3, `${d.devicePath} from ${d.name}`)
  }
}

export function volumes(w: Writer, list: any[] | undefined, inTemplate = false): void {
  const pad = inTemplate ? '  ' : ''
  if (!list?.length) {
    w.line(0, `${pad}Volumes:\t<none>`)
    return
  }
  w.line(0, `${pad}Volumes:`)
  for (const v of list) {
    w.line(1, `${inTemplate ? ' ' : ''}${v.name}:`)
    const type = (text: string) => w.line(2, `Type:\t${text}`)
    if (v.hostPath) {
      type('HostPath (bare host directory volume)')
      w.line(2, `Path:\t${v.hostPath.path}`)
      w.line(2, `HostPathType:\t${v.hostPath.type ?? ''}`)
    } else if (v.emptyDir) {
      type("EmptyDir (a temporary directory that shares a pod's lifetime)")
      w.line(2, `Medium:\t${v.emptyDir.medium ?? ''}`)
      w.line(2, `SizeLimit:\t${v.emptyDir.sizeLimit ?? '<unset>'}`)
    } else if (v.secret) {
      type('Secret (a volume populated by a Secret)')
      w.line(2, `SecretName:\t${v.secret.secretName}`)
      w.line(2, `Optional:\t${!!v.secret.optional}`)
    } else if (v.configMap) {
      type('ConfigMap (a volume populated by a ConfigMap)')
      w.line(2, `Name:\t${v.configMap.name}`)
      w.line(2, `Optional:\t${!!v.configMap.optional}`)
    } else if (v.persistentVolumeClaim) {
      type('PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)')
      w.line(2, `ClaimName:\t${v.persistentVolumeClaim.claimName}`)
      w.line(2, `ReadOnly:\t${!!v.persistentVolumeClaim.readOnly}`)
    } else if (v.projected) {
      type('Projected (a volume that contains injected data from multiple sources)')
      for (const s of v.projected.sources ?? []) {
        if (s.secret) {
          w.line(2, `SecretName:\t${s.secret.name}`)
          w.line(2, `SecretOptionalName:\t${s.secret.optional ?? '<nil>'}`)
        } else if (s.downwardAPI) w.line(2, 'DownwardAPI:\ttrue')
        else if (s.configMap) {
          w.line(2, `ConfigMapName:\t${s.configMap.name}`)
          w.line(2, `ConfigMapOptional:\t${s.configMap.optional ?? '<nil>'}`)
        } else if (s.serviceAccountToken) w.line(2, `TokenExpirationSeconds:\t${s.serviceAccountToken.expirationSeconds}`)
      }
    } else if (v.downwardAPI) {
      type('DownwardAPI (a volume populated by information about the pod)')
      w.line(2, 'Items:')
      for (const i of v.downwardAPI.items ?? []) if (i.fieldRef) w.line(3, `${i.fieldRef.fieldPath} -> ${i.path}`)
    } else type('<unknown>')
  }
}

export function tolerations(w: Writer, list: any[] | undefined, pad = ''): void {
  if (!list?.length) {
    w.line(0, `${pad}Tolerations:\t<none>`)
    return
  }
  const sorted = [...list].sort((a, b) => ((a.key ?? '') < (b.key ?? '') ? -1 : 1))
  for (const [i, t] of sorted.entries()) {
    const text = `${t.key ?? ''}${t.value ? `=${t.value}` : ''}${t.effect ? `:${t.effect}` : ''}${t.operator === 'Exists' && !t.value ? (t.key || t.effect ? ' op=Exists' : 'op=Exists') : ''}${t.tolerationSeconds !== undefined ? ` for ${t.tolerationSeconds}s` : ''}`
    w.line(0, `${i ? '' : `${pad}Tolerations:`}\t${text}`)
  }
}

/** What `rollout history --revision` shows of a template: its tabs as they are. */
export function describeTemplate(template: any): string {
  const w = new Writer()
  templateInto(w, template)
  return w.text
}

export function templateInto(w: Writer, template: any): void {
  multiline(w, 0, '  Labels', template.metadata?.labels)
  if (template.metadata?.annotations && Object.keys(template.metadata.annotations).length)
    annotations(w, 0, template.metadata.annotations, '  ')
  const s = template.spec ?? {}
  if (s.serviceAccountName) w.line(1, `Service Account:\t${s.serviceAccountName}`)
  if (s.initContainers?.length) containers(w, 'Init Containers', s.initContainers, undefined, undefined, true)
  containers(w, 'Containers', s.containers, undefined, undefined, true)
  volumes(w, s.volumes, true)
  if (s.topologySpreadConstraints?.length)
    w.line(
      1,
      `Topology Spread Constraints:\t${s.topologySpreadConstraints.map((t: any) => `${t.topologyKey}:${t.whenUnsatisfiable} when max skew ${t.maxSkew} is exceeded for selector ${labelsText(t.labelSelector?.matchLabels)}`).join(', ')}`,
    )
  if (s.priorityClassName) w.line(1, `Priority Class Name:\t${s.priorityClassName}`)
  w.line(1, `Node-Selectors:\t${labelsText(s.nodeSelector)}`)
  tolerations(w, s.tolerations, '  ')
}
