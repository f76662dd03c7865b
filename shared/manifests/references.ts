// Where objects name others: what a renamed ConfigMap, Secret or Service is called elsewhere.

type Json = any

export interface Reference {
  kind: string
  name: string
  namespace?: string
  set(name: string): void
}

const byField = (kind: string, holder: Json, field = 'name'): Reference[] =>
  holder?.[field] ? [{ kind, name: holder[field], set: (name) => (holder[field] = name) }] : []

function ofPod(spec: Json): Reference[] {
  if (!spec) return []
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]
  return [
    ...byField('ServiceAccount', spec, 'serviceAccountName'),
    ...(spec.imagePullSecrets ?? []).flatMap((s: Json) => byField('Secret', s)),
    ...(spec.volumes ?? []).flatMap((v: Json) => [
      ...byField('ConfigMap', v.configMap),
      ...byField('Secret', v.secret, 'secretName'),
      ...byField('PersistentVolumeClaim', v.persistentVolumeClaim, 'claimName'),
      ...(v.projected?.sources ?? []).flatMap((s: Json) => [...byField('ConfigMap', s.configMap), ...byField('Secret', s.secret)]),
    ]),
    ...containers.flatMap((c: Json) => [
      ...(c.envFrom ?? []).flatMap((e: Json) => [...byField('ConfigMap', e.configMapRef), ...byField('Secret', e.secretRef)]),
      ...(c.env ?? []).flatMap((e: Json) => [
        ...byField('ConfigMap', e.valueFrom?.configMapKeyRef),
        ...byField('Secret', e.valueFrom?.secretKeyRef),
      ]),
    ]),
  ]
}

const named = (r: Json): Reference[] => (r?.kind && r.name ? byField(r.kind, r) : [])

/** Every reference by name that an object holds. */
export function references(o: Json): Reference[] {
  const s = o.spec ?? {}
  switch (o.kind) {
    case 'Pod':
      return ofPod(s)
    case 'CronJob':
      return ofPod(s.jobTemplate?.spec?.template?.spec)
    case 'StatefulSet':
      return [...byField('Service', s, 'serviceName'), ...ofPod(s.template?.spec)]
    case 'Ingress':
      return [
        ...byField('Service', s.defaultBackend?.service),
        ...(s.tls ?? []).flatMap((t: Json) => byField('Secret', t, 'secretName')),
        ...(s.rules ?? []).flatMap((r: Json) => (r.http?.paths ?? []).flatMap((p: Json) => byField('Service', p.backend?.service))),
      ]
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      return [...named(o.roleRef), ...(o.subjects ?? []).filter((x: Json) => x.kind === 'ServiceAccount').flatMap(named)]
    case 'HorizontalPodAutoscaler':
      return named(s.scaleTargetRef)
    case 'ServiceAccount':
      return [...(o.secrets ?? []), ...(o.imagePullSecrets ?? [])].flatMap((r: Json) => byField('Secret', r))
    case 'DeployHook':
      return [...byField('Secret', s.secretRef), ...byField('ServiceAccount', s, 'serviceAccountName')]
    default:
      return ofPod(s.template?.spec)
  }
}
