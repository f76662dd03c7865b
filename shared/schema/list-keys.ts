// How lists and maps of built-in types merge: the keys for server-side apply and for strategic merge patch.
// A table of data: Kubernetes' published API carries these facts as x-kubernetes extensions, which the generated structure lacks.

/** `TYPE.property` → apply: key names of a map list, `set`; patch: merge key, or `set` for primitive lists. Anything absent is atomic. */
export interface ListRule {
  apply?: string[] | 'set'
  patch?: string | 'set'
}

const byName: ListRule = { apply: ['name'], patch: 'name' }
const byType: ListRule = { apply: ['type'], patch: 'type' }
const ports: ListRule = { apply: ['containerPort', 'protocol'], patch: 'containerPort' }
const container = (type: string): Record<string, ListRule> => ({
  [`${type}.env`]: byName,
  [`${type}.ports`]: ports,
  [`${type}.volumeDevices`]: { apply: ['devicePath'], patch: 'devicePath' },
  [`${type}.volumeMounts`]: { apply: ['mountPath'], patch: 'mountPath' },
})

export const listRules: Record<string, ListRule> = {
  'V1ObjectMeta.finalizers': { apply: 'set', patch: 'set' },
  'V1ObjectMeta.ownerReferences': { apply: ['uid'], patch: 'uid' },
  ...container('V1Container'),
  ...container('V1EphemeralContainer'),
  'V1ContainerStatus.allocatedResourcesStatus': byName,
  'V1ContainerStatus.volumeMounts': { apply: ['mountPath'], patch: 'mountPath' },
  'V1PodSpec.containers': byName,
  'V1PodSpec.initContainers': byName,
  'V1PodSpec.ephemeralContainers': byName,
  'V1PodSpec.hostAliases': { apply: ['ip'], patch: 'ip' },
  'V1PodSpec.imagePullSecrets': byName,
  'V1PodSpec.resourceClaims': byName,
  'V1PodSpec.schedulingGates': byName,
  'V1PodSpec.topologySpreadConstraints': { apply: ['topologyKey', 'whenUnsatisfiable'], patch: 'topologyKey' },
  'V1PodSpec.volumes': byName,
  'V1PodStatus.conditions': byType,
  'V1PodStatus.hostIPs': { patch: 'ip' },
  'V1PodStatus.podIPs': { apply: ['ip'], patch: 'ip' },
  'V1PodStatus.resourceClaimStatuses': byName,
  'V1ResourceRequirements.claims': { apply: ['name'] },
  'V1ResourceStatus.resources': { apply: ['resourceID'] },
  'V1ServiceAccount.secrets': byName,
  'V1ServiceSpec.ports': { apply: ['port', 'protocol'], patch: 'port' },
  'V1NodeSpec.podCIDRs': { apply: 'set', patch: 'set' },
  'V1NodeStatus.addresses': byType,
  'V1Endpoint.addresses': { apply: 'set' },
  ...Object.fromEntries(
    ['V1DeploymentStatus', 'V1ReplicaSetStatus', 'V1ServiceStatus', 'V1NamespaceStatus', 'V1NodeStatus'].map((t) => [
      `${t}.conditions`,
      byType,
    ]),
  ),
}

/** Types and properties that server-side apply treats as one value. */
export const atomic = new Set([
  'V1ConfigMapKeySelector',
  'V1EndpointAddress',
  'CoreV1EndpointPort',
  'DiscoveryV1EndpointPort',
  'V1FileKeySelector',
  'V1LocalObjectReference',
  'V1NodeSelector',
  'V1NodeSelectorTerm',
  'V1ObjectFieldSelector',
  'V1ObjectReference',
  'V1ResourceFieldSelector',
  'V1SecretKeySelector',
  'V1SecretReference',
  'V1TypedLocalObjectReference',
  'V1RoleRef',
  'RbacV1Subject',
  'V1LabelSelector',
  'V1OwnerReference',
  'V1PodSpec.nodeSelector',
  'V1ServiceSpec.selector',
])

/** Objects whose strategic patch may name the keys it keeps. */
export const retainKeys = new Set(['V1DeploymentSpec.strategy', 'V1PodSpec.volumes', 'V1PodSpec.resourceClaims'])

/** Properties that hold quantities: a single one, or a map of them. */
export const quantities = new Set([
  'V1ContainerStatus.allocatedResources',
  'V1EmptyDirVolumeSource.sizeLimit',
  'V1NodeStatus.allocatable',
  'V1NodeStatus.capacity',
  'V1PodSpec.overhead',
  'V1PodStatus.allocatedResources',
  'V1ResourceFieldSelector.divisor',
  'V1ResourceRequirements.limits',
  'V1ResourceRequirements.requests',
  'V1VolumeResourceRequirements.limits',
  'V1VolumeResourceRequirements.requests',
])
