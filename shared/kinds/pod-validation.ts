// Validation of pod specs, alone and inside templates (k8s.io/kubernetes/pkg/apis/core/validation).
import type { FieldErrors } from '../meta/field-error.ts'
import { configMapKey, dnsLabel, dnsSubdomain, envVarName, isIP, labelValue, portName, portNumber, qualifiedName } from '../meta/names.ts'
import { nanoOf } from '../meta/quantity.ts'

const oneOf = (e: FieldErrors, path: string, value: unknown, allowed: string[]) => {
  if (value !== undefined && !allowed.includes(value as string)) e.notSupported(path, value, allowed)
}

function validateEnv(env: any[] | undefined, path: string, e: FieldErrors) {
  env?.forEach((v, i) => {
    const at = `${path}[${i}]`
    if (!v.name) e.required(`${at}.name`)
    else e.format(`${at}.name`, v.name, envVarName(v.name))
    if (!v.valueFrom) return
    const sources = Object.keys(v.valueFrom)
    if (v.value) e.invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty')
    if (!sources.length)
      e.invalid(
        `${at}.valueFrom`,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      )
    else if (sources.length > 1) e.invalid(`${at}.valueFrom`, '', 'may not have more than one field specified at a time')
    for (const ref of ['configMapKeyRef', 'secretKeyRef']) {
      const r = v.valueFrom[ref]
      if (!r) continue
      if (!r.key) e.required(`${at}.valueFrom.${ref}.key`)
      else e.format(`${at}.valueFrom.${ref}.key`, r.key, configMapKey(r.key))
    }
    const field = v.valueFrom.fieldRef
    if (field && !field.fieldPath) e.required(`${at}.valueFrom.fieldRef.fieldPath`)
    else if (
      field &&
      !/^(metadata\.(name|namespace|uid|labels\['.+'\]|annotations\['.+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs))$/.test(
        field.fieldPath,
      )
    )
      e.notSupported(`${at}.valueFrom.fieldRef.fieldPath`, field.fieldPath, [
        'metadata.name',
        'metadata.namespace',
        'metadata.uid',
        'spec.nodeName',
        'spec.serviceAccountName',
        'status.hostIP',
        'status.hostIPs',
        'status.podIP',
        'status.podIPs',
      ])
  })
}

function validateResources(r: any, path: string, e: FieldErrors) {
  for (const list of ['limits', 'requests'])
    for (const [name, value] of Object.entries<string>(r?.[list] ?? {})) {
      e.format(`${path}.${list}[${name}]`, name, qualifiedName(name))
      if (nanoOf(value) < 0n) e.invalid(`${path}.${list}[${name}]`, value, 'must be greater than or equal to 0')
      const standard = /^(cpu|memory|ephemeral-storage|hugepages-.+)$/.test(name)
      if (!standard && !name.includes('/'))
        e.invalid(`${path}.${list}[${name}]`, name, 'must be a standard resource type or fully qualified')
    }
  for (const [name, limit] of Object.entries<string>(r?.limits ?? {})) {
    const request = r.requests?.[name]
    if (request !== undefined && nanoOf(request) > nanoOf(limit))
      e.invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`)
  }
}

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep']

function validateHandler(h: any, path: string, e: FieldErrors) {
  const given = handlers.filter((k) => h[k])
  if (!given.length) e.required(path, 'must specify a handler type')
  given.slice(1).forEach((k) => {
    e.forbidden(`${path}.${k}`, 'may not specify more than 1 handler type')
  })
  if (h.exec && !h.exec.command?.length) e.required(`${path}.exec.command`)
  const port = h.httpGet?.port ?? h.tcpSocket?.port
  const field = h.httpGet ? 'httpGet' : 'tcpSocket'
  if (typeof port === 'number') e.format(`${path}.${field}.port`, port, portNumber(port))
  else if (typeof port === 'string') e.format(`${path}.${field}.port`, port, portName(port))
  if (h.httpGet) oneOf(e, `${path}.httpGet.scheme`, h.httpGet.scheme, ['HTTP', 'HTTPS'])
}

function validateProbe(p: any, path: string, e: FieldErrors, onlyOnce = false) {
  if (!p) return
  validateHandler(p, path, e)
  for (const f of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'])
    if (p[f] < 0) e.invalid(`${path}.${f}`, p[f], 'must be greater than or equal to 0')
  if (onlyOnce && p.successThreshold !== 1) e.invalid(`${path}.successThreshold`, p.successThreshold, 'must be 1')
}

interface Seen {
  names: Set<string>
  volumes: Map<string, any>
  hostPorts: Set<string>
}

function validateContainer(c: any, path: string, e: FieldErrors, seen: Seen) {
  if (!c.name) e.required(`${path}.name`)
  else {
    e.format(`${path}.name`, c.name, dnsLabel(c.name))
    if (seen.names.has(c.name)) e.duplicate(`${path}.name`, c.name)
    seen.names.add(c.name)
  }
  if (!c.image) e.required(`${path}.image`)
  else if (c.image !== c.image.trim()) e.invalid(`${path}.image`, c.image, 'must not have leading or trailing whitespace')
  oneOf(e, `${path}.imagePullPolicy`, c.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'])
  oneOf(e, `${path}.terminationMessagePolicy`, c.terminationMessagePolicy, ['File', 'FallbackToLogsOnError'])
  const names = new Set<string>()
  c.ports?.forEach((p: any, i: number) => {
    const at = `${path}.ports[${i}]`
    if (p.name) {
      e.format(`${at}.name`, p.name, portName(p.name))
      if (names.has(p.name)) e.duplicate(`${at}.name`, p.name)
      names.add(p.name)
    }
    if (!p.containerPort) e.required(`${at}.containerPort`)
    else e.format(`${at}.containerPort`, p.containerPort, portNumber(p.containerPort))
    if (p.hostPort) {
      e.format(`${at}.hostPort`, p.hostPort, portNumber(p.hostPort))
      const key = `${p.protocol}/${p.hostIP ?? ''}/${p.hostPort}`
      if (seen.hostPorts.has(key)) e.duplicate(`${at}.hostPort`, key)
      seen.hostPorts.add(key)
    }
    oneOf(e, `${at}.protocol`, p.protocol, ['SCTP', 'TCP', 'UDP'])
  })
  validateEnv(c.env, `${path}.env`, e)
  validateResources(c.resources, `${path}.resources`, e)
  const mounts = new Set<string>()
  c.volumeMounts?.forEach((m: any, i: number) => {
    const at = `${path}.volumeMounts[${i}]`
    if (!m.name) e.required(`${at}.name`)
    else if (!seen.volumes.has(m.name)) e.notFound(`${at}.name`, m.name)
    if (!m.mountPath) e.required(`${at}.mountPath`)
    else if (mounts.has(m.mountPath)) e.invalid(`${at}.mountPath`, m.mountPath, 'must be unique')
    mounts.add(m.mountPath)
    for (const f of ['subPath', 'subPathExpr'])
      if (m[f]?.startsWith('/')) e.invalid(`${at}.${f}`, m[f], 'must be a relative path')
      else if (m[f]?.split('/').includes('..')) e.invalid(`${at}.${f}`, m[f], "must not contain '..'")
  })
  validateDevices(c, `${path}.volumeDevices`, e, seen)
  validateProbe(c.livenessProbe, `${path}.livenessProbe`, e, true)
  validateProbe(c.startupProbe, `${path}.startupProbe`, e, true)
  validateProbe(c.readinessProbe, `${path}.readinessProbe`, e)
  for (const hook of ['postStart', 'preStop']) if (c.lifecycle?.[hook]) validateHandler(c.lifecycle[hook], `${path}.lifecycle.${hook}`, e)
}

/** Volumes that a container gets as block devices. */
function validateDevices(c: any, path: string, e: FieldErrors, seen: Seen) {
  const [names, paths] = [new Set<string>(), new Set<string>()]
  const mounted = (field: string, value: string) => c.volumeMounts?.some((m: any) => m[field] === value)
  c.volumeDevices?.forEach(({ name, devicePath }: any, i: number) => {
    const [atName, atPath] = [`${path}[${i}].name`, `${path}[${i}].devicePath`]
    const volume = seen.volumes.get(name)
    if (!name) e.required(atName)
    if (names.has(name)) e.invalid(atName, name, 'must be unique')
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral)
      e.invalid(atName, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode')
    if (!volume) e.notFound(atName, name)
    if (!devicePath) e.required(atPath)
    if (paths.has(devicePath)) e.invalid(atPath, devicePath, 'must be unique')
    if (devicePath?.split('/').includes('..')) e.invalid(atPath, devicePath, "can not contain backsteps ('..')")
    if (mounted('name', name)) e.invalid(atName, name, 'must not already exist in volumeMounts')
    if (mounted('mountPath', devicePath)) e.invalid(atPath, devicePath, 'must not already exist as a path in volumeMounts')
    names.add(name)
    paths.add(devicePath)
  })
}

function validateVolume(v: any, path: string, e: FieldErrors, seen: Seen) {
  if (!v.name) e.required(`${path}.name`)
  else {
    e.format(`${path}.name`, v.name, dnsLabel(v.name))
    if (seen.volumes.has(v.name)) e.duplicate(`${path}.name`, v.name)
    seen.volumes.set(v.name, v)
  }
  const sources = Object.keys(v).filter((k) => k !== 'name')
  for (const s of sources.slice(1)) e.forbidden(`${path}.${s}`, 'may not specify more than 1 volume type')
  if (v.secret && !v.secret.secretName) e.required(`${path}.secret.secretName`)
  if (v.configMap && !v.configMap.name) e.required(`${path}.configMap.name`)
  if (v.hostPath) {
    if (!v.hostPath.path) e.required(`${path}.hostPath.path`)
    else if (v.hostPath.path.split('/').includes('..')) e.invalid(`${path}.hostPath.path`, v.hostPath.path, "must not contain '..'")
    oneOf(e, `${path}.hostPath.type`, v.hostPath.type, [
      '',
      'BlockDevice',
      'CharDevice',
      'Directory',
      'DirectoryOrCreate',
      'File',
      'FileOrCreate',
      'Socket',
    ])
  }
  if (v.persistentVolumeClaim && !v.persistentVolumeClaim.claimName) e.required(`${path}.persistentVolumeClaim.claimName`)
  for (const s of ['configMap', 'secret'])
    v[s]?.items?.forEach((item: any, i: number) => {
      if (!item.key) e.required(`${path}.${s}.items[${i}].key`)
      if (!item.path) e.required(`${path}.${s}.items[${i}].path`)
      else if (item.path.startsWith('/')) e.invalid(`${path}.${s}.items[${i}].path`, item.path, 'must be a relative path')
      else if (item.path.split('/').includes('..')) e.invalid(`${path}.${s}.items[${i}].path`, item.path, "must not contain '..'")
    })
  for (const s of ['configMap', 'secret', 'projected', 'downwardAPI'])
    if (v[s]?.defaultMode !== undefined && (v[s].defaultMode < 0 || v[s].defaultMode > 0o777))
      e.invalid(`${path}.${s}.defaultMode`, v[s].defaultMode, 'must be a number between 0 and 0777 (octal), both inclusive')
}

/** What a container that only looks at others has no use for. */
const notEphemeral = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resources', 'resizePolicy']

function validateEphemeralContainers(spec: any, path: string, e: FieldErrors, seen: Seen) {
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((c: any) => c.name))
  spec.ephemeralContainers?.forEach((c: any, i: number) => {
    const at = `${path}.ephemeralContainers[${i}]`
    validateContainer(c, at, e, seen)
    if (c.targetContainerName && !others.has(c.targetContainerName)) e.notFound(`${at}.targetContainerName`, c.targetContainerName)
    for (const f of notEphemeral)
      if (Array.isArray(c[f]) ? c[f].length : c[f] && Object.keys(c[f]).length)
        e.forbidden(`${at}.${f}`, 'cannot be set for an Ephemeral Container')
    c.volumeMounts?.forEach((m: any, j: number) => {
      for (const f of ['subPath', 'subPathExpr'])
        if (m[f]) e.forbidden(`${at}.volumeMounts[${j}].${f}`, 'cannot be set for an Ephemeral Container')
    })
  })
}

/** Adds to `e` what is wrong with a defaulted pod spec at `path`. */
export function validatePodSpec(spec: any, path: string, e: FieldErrors): void {
  const seen: Seen = { names: new Set(), volumes: new Map(), hostPorts: new Set() }
  spec.volumes?.forEach((v: any, i: number) => {
    validateVolume(v, `${path}.volumes[${i}]`, e, seen)
  })
  if (!spec.containers?.length) e.required(`${path}.containers`)
  spec.containers?.forEach((c: any, i: number) => {
    validateContainer(c, `${path}.containers[${i}]`, e, seen)
  })
  spec.initContainers?.forEach((c: any, i: number) => {
    validateContainer(c, `${path}.initContainers[${i}]`, e, seen)
    oneOf(e, `${path}.initContainers[${i}].restartPolicy`, c.restartPolicy, ['Always'])
  })
  validateEphemeralContainers(spec, path, e, seen)
  oneOf(e, `${path}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never'])
  oneOf(e, `${path}.dnsPolicy`, spec.dnsPolicy, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'])
  if (spec.dnsPolicy === 'None' && !spec.dnsConfig?.nameservers?.length)
    e.required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')
  if (spec.terminationGracePeriodSeconds < 0)
    e.invalid(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds, 'must be greater than or equal to 0')
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds < 1)
    e.invalid(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 'must be between 1 and 2147483647, inclusive')
  if (spec.serviceAccountName) e.format(`${path}.serviceAccountName`, spec.serviceAccountName, dnsSubdomain(spec.serviceAccountName))
  if (spec.nodeName) e.format(`${path}.nodeName`, spec.nodeName, dnsSubdomain(spec.nodeName))
  if (spec.hostname) e.format(`${path}.hostname`, spec.hostname, dnsLabel(spec.hostname))
  if (spec.subdomain) e.format(`${path}.subdomain`, spec.subdomain, dnsLabel(spec.subdomain))
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, e)
  spec.hostAliases?.forEach((a: any, i: number) => {
    if (!isIP(a.ip)) e.invalid(`${path}.hostAliases[${i}].ip`, a.ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')
    for (const h of a.hostnames ?? []) e.format(`${path}.hostAliases[${i}].hostnames`, h, dnsSubdomain(h))
  })
  spec.tolerations?.forEach((t: any, i: number) => {
    const at = `${path}.tolerations[${i}]`
    if (t.key) e.format(`${at}.key`, t.key, qualifiedName(t.key))
    else if (t.operator !== 'Exists')
      e.invalid(
        `${at}.operator`,
        t.operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      )
    oneOf(e, `${at}.operator`, t.operator, ['Equal', 'Exists'])
    oneOf(e, `${at}.effect`, t.effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    if (t.operator === 'Exists' && t.value) e.invalid(`${at}.operator`, t.value, "value must be empty when `operator` is 'Exists'")
  })
  validateNodeAffinity(spec.affinity?.nodeAffinity, `${path}.affinity.nodeAffinity`, e)
}

function validateNodeAffinity(a: any, path: string, e: FieldErrors) {
  const terms = a?.requiredDuringSchedulingIgnoredDuringExecution
  if (!terms) return
  const at = `${path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`
  if (!terms.nodeSelectorTerms?.length) e.required(at, 'must have at least one node selector term')
  terms.nodeSelectorTerms?.forEach((t: any, i: number) => {
    t.matchExpressions?.forEach((r: any, j: number) => {
      const here = `${at}[${i}].matchExpressions[${j}]`
      oneOf(e, `${here}.operator`, r.operator, ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'])
      if ((r.operator === 'In' || r.operator === 'NotIn') && !r.values?.length)
        e.required(`${here}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
    })
  })
}

/** metadata.labels and everything shaped like it. */
export function validateLabels(labels: Record<string, string> | undefined, path: string, e: FieldErrors): void {
  for (const key in labels) {
    e.format(path, key, qualifiedName(key))
    e.format(path, labels[key], labelValue(labels[key]!))
  }
}

/** A label selector object; operators and values must go together. */
export function validateLabelSelector(selector: any, path: string, e: FieldErrors): void {
  for (const [k, v] of Object.entries<string>(selector?.matchLabels ?? {})) {
    e.format(`${path}.matchLabels`, k, qualifiedName(k))
    e.format(`${path}.matchLabels`, v, labelValue(v))
  }
  selector?.matchExpressions?.forEach((r: any, i: number) => {
    const at = `${path}.matchExpressions[${i}]`
    if (r.operator === 'In' || r.operator === 'NotIn') {
      if (!r.values?.length) e.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
    } else if (r.operator === 'Exists' || r.operator === 'DoesNotExist') {
      if (r.values?.length) e.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    } else e.invalid(`${at}.operator`, r.operator, 'not a valid selector operator')
    e.format(`${at}.key`, r.key, qualifiedName(r.key ?? ''))
  })
}
