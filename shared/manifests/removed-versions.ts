// Manifests of API versions that Kubernetes has removed, as the versions that took their place. Pure.

interface Move {
  from: string
  kinds: string[]
  to: string
  /** What else changed between the two. */
  change?: (o: any) => void
  /** And the way back, for those who read it in the old version. */
  back?: (o: any) => void
}

/** In the old versions a selector could be left out: it was what the template's labels are. */
const selector = (o: any) => {
  o.spec ??= {}
  const labels = o.spec.template?.metadata?.labels
  if (!o.spec.selector && labels) o.spec.selector = { matchLabels: labels }
  else if (o.spec.selector && !o.spec.selector.matchLabels && !o.spec.selector.matchExpressions && Object.keys(o.spec.selector).length)
    o.spec.selector = { matchLabels: o.spec.selector }
  delete o.spec.rollbackTo
}

/** serviceName and servicePort became service.name and service.port; paths got a type. */
function ingress(o: any): void {
  const backend = (b: any) => {
    if (!b?.serviceName) return b
    const { serviceName, servicePort, ...rest } = b
    return {
      ...rest,
      service: { name: serviceName, port: typeof servicePort === 'number' ? { number: servicePort } : { name: servicePort } },
    }
  }
  const s = o.spec ?? {}
  if (s.backend) {
    s.defaultBackend = backend(s.backend)
    delete s.backend
  }
  for (const rule of s.rules ?? [])
    for (const p of rule.http?.paths ?? []) {
      p.backend = backend(p.backend)
      p.pathType ??= 'ImplementationSpecific'
    }
}

function oldIngress(o: any): void {
  const backend = ({ service, ...rest }: any) =>
    service ? { ...rest, serviceName: service.name, servicePort: service.port?.number ?? service.port?.name } : rest
  const s = o.spec ?? {}
  if (s.defaultBackend) {
    s.backend = backend(s.defaultBackend)
    delete s.defaultBackend
  }
  for (const rule of s.rules ?? []) for (const p of rule.http?.paths ?? []) p.backend = backend(p.backend ?? {})
}

function oldDefinition(o: any): void {
  const s = o.spec ?? {}
  const columns = (list: any[] | undefined) => list?.map(({ jsonPath, ...c }: any) => ({ ...c, JSONPath: jsonPath }))
  s.version = s.versions?.[0]?.name
  s.versions = s.versions?.map((v: any) =>
    v.additionalPrinterColumns ? { ...v, additionalPrinterColumns: columns(v.additionalPrinterColumns) } : v,
  )
  if (s.versions?.length !== 1) return
  // What holds for all versions stood beside them.
  const [{ schema, subresources, additionalPrinterColumns, ...version }] = s.versions
  Object.assign(s, {
    versions: [version],
    ...(schema ? { validation: schema } : {}),
    ...(subresources ? { subresources } : {}),
    ...(additionalPrinterColumns ? { additionalPrinterColumns } : {}),
  })
}

/** v1beta1 had one version, its schema beside it. */
function definition(o: any): void {
  const s = o.spec ?? {}
  const { version, validation, additionalPrinterColumns, subresources, preserveUnknownFields: _, ...rest } = s
  const columns = (list: any[] | undefined) => list?.map(({ JSONPath, ...c }: any) => ({ ...c, jsonPath: c.jsonPath ?? JSONPath }))
  const versions = (s.versions ?? [{ name: version, served: true, storage: true }]).map((v: any) => ({
    ...v,
    schema: v.schema ?? validation ?? { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    ...((v.subresources ?? subresources) ? { subresources: v.subresources ?? subresources } : {}),
    ...((v.additionalPrinterColumns ?? additionalPrinterColumns)
      ? { additionalPrinterColumns: columns(v.additionalPrinterColumns ?? additionalPrinterColumns) }
      : {}),
  }))
  o.spec = { ...rest, versions }
}

const workloads = ['Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet']
const rbac = ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']
export const moves: readonly Move[] = [
  ...['extensions/v1beta1', 'apps/v1beta1', 'apps/v1beta2'].map((from) => ({ from, kinds: workloads, to: 'apps/v1', change: selector })),
  ...['apps/v1beta1', 'apps/v1beta2'].map((from) => ({ from, kinds: ['ControllerRevision'], to: 'apps/v1' })),
  ...['extensions/v1beta1', 'networking.k8s.io/v1beta1'].map((from) => ({
    from,
    kinds: ['Ingress'],
    to: 'networking.k8s.io/v1',
    change: ingress,
    back: oldIngress,
  })),
  { from: 'networking.k8s.io/v1beta1', kinds: ['IngressClass'], to: 'networking.k8s.io/v1' },
  { from: 'extensions/v1beta1', kinds: ['NetworkPolicy'], to: 'networking.k8s.io/v1' },
  ...['batch/v1beta1', 'batch/v2alpha1'].map((from) => ({ from, kinds: ['CronJob'], to: 'batch/v1' })),
  { from: 'policy/v1beta1', kinds: ['PodDisruptionBudget'], to: 'policy/v1' },
  ...['rbac.authorization.k8s.io/v1beta1', 'rbac.authorization.k8s.io/v1alpha1'].map((from) => ({
    from,
    kinds: rbac,
    to: 'rbac.authorization.k8s.io/v1',
    change: (o: any) => {
      for (const s of o.subjects ?? []) if (s.kind !== 'ServiceAccount') s.apiGroup ??= 'rbac.authorization.k8s.io'
      if (o.roleRef) o.roleRef.apiGroup ||= 'rbac.authorization.k8s.io'
    },
  })),
  { from: 'scheduling.k8s.io/v1beta1', kinds: ['PriorityClass'], to: 'scheduling.k8s.io/v1' },
  {
    from: 'storage.k8s.io/v1beta1',
    kinds: ['StorageClass', 'VolumeAttachment', 'CSIDriver', 'CSINode', 'CSIStorageCapacity'],
    to: 'storage.k8s.io/v1',
  },
  { from: 'node.k8s.io/v1beta1', kinds: ['RuntimeClass'], to: 'node.k8s.io/v1' },
  { from: 'events.k8s.io/v1beta1', kinds: ['Event'], to: 'events.k8s.io/v1' },
  { from: 'coordination.k8s.io/v1beta1', kinds: ['Lease'], to: 'coordination.k8s.io/v1' },
  { from: 'discovery.k8s.io/v1beta1', kinds: ['EndpointSlice'], to: 'discovery.k8s.io/v1' },
  {
    from: 'apiextensions.k8s.io/v1beta1',
    kinds: ['CustomResourceDefinition'],
    to: 'apiextensions.k8s.io/v1',
    change: definition,
    back: oldDefinition,
  },
  {
    from: 'admissionregistration.k8s.io/v1beta1',
    kinds: ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
    to: 'admissionregistration.k8s.io/v1',
  },
  { from: 'apiregistration.k8s.io/v1beta1', kinds: ['APIService'], to: 'apiregistration.k8s.io/v1' },
  ...['autoscaling/v2beta1', 'autoscaling/v2beta2'].map((from) => ({
    from,
    kinds: ['HorizontalPodAutoscaler'],
    to: 'autoscaling/v2',
    change: autoscaler,
    ...(from === 'autoscaling/v2beta1' ? { back: oldAutoscaler } : {}),
  })),
]

function autoscaler(o: any): void {
  for (const m of o.spec?.metrics ?? []) {
    const r = m.resource
    if (!r || r.target) continue
    const { targetAverageUtilization, targetAverageValue, ...rest } = r
    m.resource = {
      ...rest,
      target:
        targetAverageUtilization !== undefined
          ? { type: 'Utilization', averageUtilization: targetAverageUtilization }
          : { type: 'AverageValue', averageValue: targetAverageValue },
    }
  }
}

function oldAutoscaler(o: any): void {
  for (const m of o.spec?.metrics ?? []) {
    const t = m.resource?.target
    if (!t) continue
    const { target: _, ...rest } = m.resource
    m.resource = {
      ...rest,
      ...(t.averageUtilization === undefined ? { targetAverageValue: t.averageValue } : { targetAverageUtilization: t.averageUtilization }),
    }
  }
}

/** The object in a version that is served, and what to tell of it; itself where nothing was removed. */
export function convertRemoved(object: any): { object: any; warning?: string } {
  const move = moves.find((m) => m.from === object.apiVersion && m.kinds.includes(object.kind))
  if (!move) return { object }
  const copy = structuredClone(object)
  copy.apiVersion = move.to
  move.change?.(copy)
  return {
    object: copy,
    warning: `${object.kind} ${object.metadata?.name ?? ''}: ${move.from} was removed from Kubernetes; it goes out as ${move.to}`,
  }
}
