// What kube-state-metrics says of nodes, namespaces, networks, configuration and storage.
import type { KObject } from '../../../shared/meta/object.ts'
import {
  amount,
  conditions,
  created,
  info,
  named,
  namespaced,
  number,
  type ObjectMetrics,
  oneOf,
  owners,
  resources,
  several,
  text,
  time,
  version,
} from './metric.ts'

const ROLE = 'node-role.kubernetes.io/'
const addressOf = (o: KObject, type: string): string => text(o.status?.addresses?.find((a: any) => a.type === type)?.address)

const nodes: ObjectMetrics = {
  resource: 'nodes',
  labels: named('node'),
  metrics: [
    info('kube_node_info', 'Information about a cluster node.', (o) => {
      const i = o.status?.nodeInfo ?? {}
      return {
        kernel_version: text(i.kernelVersion),
        os_image: text(i.osImage),
        container_runtime_version: text(i.containerRuntimeVersion),
        kubelet_version: text(i.kubeletVersion),
        kubeproxy_version: text(i.kubeProxyVersion),
        provider_id: text(o.spec?.providerID),
        pod_cidr: text(o.spec?.podCIDR),
        system_uuid: text(i.systemUUID),
        internal_ip: addressOf(o, 'InternalIP'),
      }
    }),
    created('node'),
    time('kube_node_deletion_timestamp', 'Unix deletion timestamp', (o) => o.metadata.deletionTimestamp),
    info('kube_node_role', 'The role of a cluster node.', (o) =>
      Object.keys(o.metadata.labels ?? {})
        .filter((l) => l.startsWith(ROLE))
        .map((l) => ({ role: l.slice(ROLE.length) })),
    ),
    number('kube_node_spec_unschedulable', 'Whether a node can schedule new pods.', (o) => !!o.spec?.unschedulable),
    info('kube_node_spec_taint', 'The taint of a cluster node.', (o) =>
      (o.spec?.taints ?? []).map((t: any) => ({ key: text(t.key), value: text(t.value), effect: text(t.effect) })),
    ),
    several('kube_node_status_condition', 'The condition of a cluster node.', conditions),
    several('kube_node_status_capacity', 'The total amount of resources available for a node.', (o) => resources(o.status?.capacity)),
    several(
      'kube_node_status_allocatable',
      'The amount of resources allocatable for pods (after reserving some for system daemons).',
      (o) => resources(o.status?.allocatable),
    ),
    info('kube_node_status_addresses', 'Node address information.', (o) =>
      (o.status?.addresses ?? []).map((a: any) => ({ type: text(a.type), address: text(a.address) })),
    ),
  ],
}

const namespaces: ObjectMetrics = {
  resource: 'namespaces',
  labels: named('namespace'),
  metrics: [
    created('namespace'),
    several('kube_namespace_status_phase', 'kubernetes namespace status phase.', (o) =>
      oneOf('phase', ['Active', 'Terminating'], o.status?.phase),
    ),
    several('kube_namespace_status_condition', 'The condition of a namespace.', conditions),
  ],
}

const quotas: ObjectMetrics = {
  resource: 'resourcequotas',
  labels: namespaced('resourcequota'),
  metrics: [
    created('resourcequota'),
    several('kube_resourcequota', 'Information about resource quota.', (o) =>
      (['hard', 'used'] as const).flatMap((type) =>
        Object.entries<string>(o.status?.[type] ?? {}).map(([resource, q]) => [{ resource, type }, amount(q)] as const),
      ),
    ),
  ],
}

const limits: ObjectMetrics = {
  resource: 'limitranges',
  labels: namespaced('limitrange'),
  metrics: [
    created('limitrange'),
    several('kube_limitrange', 'Information about limit range.', (o) =>
      (o.spec?.limits ?? []).flatMap((l: any) =>
        ['min', 'max', 'default', 'defaultRequest', 'maxLimitRequestRatio'].flatMap((constraint) =>
          Object.entries<string>(l[constraint] ?? {}).map(
            ([resource, q]) => [{ resource, type: text(l.type), constraint }, amount(q)] as const,
          ),
        ),
      ),
    ),
  ],
}

const services: ObjectMetrics = {
  resource: 'services',
  labels: (o) => ({ ...namespaced('service')(o), uid: o.metadata.uid }),
  metrics: [
    info('kube_service_info', 'Information about service.', ({ spec }) => ({
      cluster_ip: text(spec.clusterIP),
      external_name: text(spec.externalName),
      external_traffic_policy: text(spec.externalTrafficPolicy),
      load_balancer_ip: text(spec.loadBalancerIP),
    })),
    created('service'),
    info('kube_service_spec_type', 'Type about service.', (o) => ({ type: text(o.spec.type) })),
    info('kube_service_spec_external_ip', 'Service external ips. One series for each ip', (o) =>
      (o.spec.externalIPs ?? []).map((external_ip: string) => ({ external_ip })),
    ),
    info('kube_service_status_load_balancer_ingress', 'Service load balancer ingress status', (o) =>
      (o.status?.loadBalancer?.ingress ?? []).map((i: any) => ({ ip: text(i.ip), hostname: text(i.hostname) })),
    ),
  ],
}

const slices: ObjectMetrics = {
  resource: 'endpointslices.discovery.k8s.io',
  labels: namespaced('endpointslice'),
  metrics: [
    info('kube_endpointslice_info', 'Information about endpointslice.', (o) => ({ addresstype: text(o.addressType) })),
    created('endpointslice'),
    info('kube_endpointslice_endpoints', 'Endpoints attached to the endpointslice.', (o) =>
      (o.endpoints ?? []).flatMap((e: any) =>
        (e.addresses ?? []).map((address: string) => ({
          ready: text(e.conditions?.ready),
          serving: text(e.conditions?.serving),
          terminating: text(e.conditions?.terminating),
          hostname: text(e.hostname),
          targetref_kind: text(e.targetRef?.kind),
          targetref_name: text(e.targetRef?.name),
          targetref_namespace: text(e.targetRef?.namespace),
          nodename: text(e.nodeName),
          endpoint_zone: text(e.zone),
          address,
        })),
      ),
    ),
    info('kube_endpointslice_ports', 'Ports attached to the endpointslice.', (o) =>
      (o.ports ?? []).map((p: any) => ({ port_name: text(p.name), port_protocol: text(p.protocol), port_number: text(p.port) })),
    ),
  ],
}

const ingresses: ObjectMetrics = {
  resource: 'ingresses.networking.k8s.io',
  labels: namespaced('ingress'),
  metrics: [
    info('kube_ingress_info', 'Information about ingress.', (o) => ({ ingressclass: text(o.spec?.ingressClassName) })),
    created('ingress'),
    version('ingress'),
    info('kube_ingress_path', 'Ingress host, paths and backend service information.', (o) =>
      (o.spec?.rules ?? []).flatMap((r: any) =>
        (r.http?.paths ?? []).map((p: any) => ({
          host: text(r.host),
          path: text(p.path),
          path_type: text(p.pathType),
          service_name: text(p.backend?.service?.name),
          service_port: text(p.backend?.service?.port?.name ?? p.backend?.service?.port?.number),
        })),
      ),
    ),
    info('kube_ingress_tls', 'Ingress TLS host and secret information.', (o) =>
      (o.spec?.tls ?? []).flatMap((t: any) => (t.hosts ?? []).map((tls_host: string) => ({ tls_host, secret: text(t.secretName) }))),
    ),
  ],
}

const policies: ObjectMetrics = {
  resource: 'networkpolicies.networking.k8s.io',
  labels: namespaced('networkpolicy'),
  metrics: [
    created('networkpolicy'),
    number('kube_networkpolicy_spec_ingress_rules', 'Number of ingress rules on the networkpolicy', (o) => o.spec?.ingress?.length ?? 0),
    number('kube_networkpolicy_spec_egress_rules', 'Number of egress rules on the networkpolicy', (o) => o.spec?.egress?.length ?? 0),
  ],
}

const configMaps: ObjectMetrics = {
  resource: 'configmaps',
  labels: namespaced('configmap'),
  metrics: [info('kube_configmap_info', 'Information about configmap.', () => ({})), created('configmap'), version('configmap')],
}

const secrets: ObjectMetrics = {
  resource: 'secrets',
  labels: namespaced('secret'),
  metrics: [
    info('kube_secret_info', 'Information about secret.', () => ({})),
    info('kube_secret_type', 'Type about secret.', (o) => ({ type: text(o.type) })),
    created('secret'),
    version('secret'),
    owners('kube_secret_owner', "Information about the Secret's owner."),
  ],
}

const volumes: ObjectMetrics = {
  resource: 'persistentvolumes',
  labels: named('persistentvolume'),
  metrics: [
    info('kube_persistentvolume_info', 'Information about persistentvolume.', ({ spec }) => ({
      storageclass: text(spec.storageClassName),
      csi_driver: text(spec.csi?.driver),
      csi_volume_handle: text(spec.csi?.volumeHandle),
      local_path: text(spec.local?.path),
      host_path: text(spec.hostPath?.path),
      nfs_server: text(spec.nfs?.server),
      nfs_path: text(spec.nfs?.path),
      reclaim_policy: text(spec.persistentVolumeReclaimPolicy),
    })),
    created('persistentvolume'),
    time('kube_persistentvolume_deletion_timestamp', 'Unix deletion timestamp', (o) => o.metadata.deletionTimestamp),
    several(
      'kube_persistentvolume_status_phase',
      'The phase indicates if a volume is available, bound to a claim, or released by a claim.',
      (o) => oneOf('phase', ['Pending', 'Available', 'Bound', 'Released', 'Failed'], o.status?.phase),
    ),
    number('kube_persistentvolume_capacity_bytes', 'Persistentvolume capacity in bytes.', (o) => amount(o.spec.capacity?.storage)),
    info('kube_persistentvolume_claim_ref', 'Information about the Persistent Volume Claim Reference.', (o) =>
      o.spec.claimRef ? { name: text(o.spec.claimRef.name), claim_namespace: text(o.spec.claimRef.namespace) } : undefined,
    ),
    info('kube_persistentvolume_volume_mode', 'Volume Mode information for the PersistentVolume.', (o) => ({
      volumemode: text(o.spec.volumeMode),
    })),
  ],
}

const claims: ObjectMetrics = {
  resource: 'persistentvolumeclaims',
  labels: namespaced('persistentvolumeclaim'),
  metrics: [
    info('kube_persistentvolumeclaim_info', 'Information about persistent volume claim.', ({ spec }) => ({
      storageclass: text(spec.storageClassName),
      volumename: text(spec.volumeName),
      volumemode: text(spec.volumeMode),
    })),
    created('persistentvolumeclaim'),
    time('kube_persistentvolumeclaim_deletion_timestamp', 'Unix deletion timestamp', (o) => o.metadata.deletionTimestamp),
    several('kube_persistentvolumeclaim_status_phase', 'The phase the persistent volume claim is currently in.', (o) =>
      oneOf('phase', ['Lost', 'Bound', 'Pending'], o.status?.phase),
    ),
    number(
      'kube_persistentvolumeclaim_resource_requests_storage_bytes',
      'The capacity of storage requested by the persistent volume claim.',
      (o) => (o.spec.resources?.requests?.storage === undefined ? undefined : amount(o.spec.resources.requests.storage)),
    ),
    info('kube_persistentvolumeclaim_access_mode', 'The access mode(s) specified by the persistent volume claim.', (o) =>
      (o.spec.accessModes ?? []).map((access_mode: string) => ({ access_mode })),
    ),
    several(
      'kube_persistentvolumeclaim_status_condition',
      'Information about status of different conditions of persistent volume claim.',
      conditions,
    ),
  ],
}

const classes: ObjectMetrics = {
  resource: 'storageclasses.storage.k8s.io',
  labels: named('storageclass'),
  metrics: [
    info('kube_storageclass_info', 'Information about storageclass.', (o) => ({
      provisioner: text(o.provisioner),
      reclaim_policy: text(o.reclaimPolicy),
      volume_binding_mode: text(o.volumeBindingMode),
    })),
    created('storageclass'),
  ],
}

const attachments: ObjectMetrics = {
  resource: 'volumeattachments.storage.k8s.io',
  labels: named('volumeattachment'),
  metrics: [
    info('kube_volumeattachment_info', 'Information about volumeattachment.', (o) => ({
      attacher: text(o.spec.attacher),
      node: text(o.spec.nodeName),
    })),
    created('volumeattachment'),
    info('kube_volumeattachment_spec_source_persistentvolume', 'PersistentVolume source reference.', (o) =>
      o.spec.source?.persistentVolumeName ? { volumename: o.spec.source.persistentVolumeName } : undefined,
    ),
    number('kube_volumeattachment_status_attached', 'Information about volumeattachment.', (o) => !!o.status?.attached),
  ],
}

const leases: ObjectMetrics = {
  resource: 'leases.coordination.k8s.io',
  labels: (o) => ({ lease: o.metadata.name }),
  metrics: [
    info('kube_lease_owner', "Information about the Lease's owner.", (o) => {
      const owner = o.metadata.ownerReferences?.[0]
      return {
        owner_kind: text(owner?.kind),
        owner_name: text(owner?.name),
        namespace: text(o.metadata.namespace),
        lease_holder: text(o.spec?.holderIdentity),
      }
    }),
    time('kube_lease_renew_time', 'Kube lease renew time.', (o) => o.spec?.renewTime),
  ],
}

const requests: ObjectMetrics = {
  resource: 'certificatesigningrequests.certificates.k8s.io',
  labels: (o) => ({ certificatesigningrequest: o.metadata.name, signer_name: text(o.spec?.signerName) }),
  metrics: [
    created('certificatesigningrequest'),
    several('kube_certificatesigningrequest_condition', 'The number of each certificatesigningrequest condition', (o) =>
      ['approved', 'denied'].map(
        (condition) =>
          [{ condition }, (o.status?.conditions ?? []).filter((c: any) => text(c.type).toLowerCase() === condition).length] as const,
      ),
    ),
    number('kube_certificatesigningrequest_cert_length', 'Length of the issued cert', (o) => text(o.status?.certificate).length),
  ],
}

const webhooks = (resource: string, kind: string): ObjectMetrics => ({
  resource,
  labels: (o) => ({ namespace: '', [kind]: o.metadata.name }),
  metrics: [info(`kube_${kind}_info`, `Information about the ${kind}.`, () => ({})), created(kind), version(kind)],
})

export const clusterMetrics: readonly ObjectMetrics[] = [
  nodes,
  namespaces,
  quotas,
  limits,
  services,
  slices,
  ingresses,
  policies,
  configMaps,
  secrets,
  volumes,
  claims,
  classes,
  attachments,
  leases,
  requests,
  webhooks('mutatingwebhookconfigurations.admissionregistration.k8s.io', 'mutatingwebhookconfiguration'),
  webhooks('validatingwebhookconfigurations.admissionregistration.k8s.io', 'validatingwebhookconfiguration'),
]
