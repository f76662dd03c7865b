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

const sets = (type: string, ...properties: string[]): Record<string, ListRule> =>
  Object.fromEntries(properties.map((p) => [`${type}.${p}`, { apply: 'set' as const }]))

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
  'V1ComponentStatus.conditions': byType,
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
  'V1ContainerRestartRuleOnExitCodes.values': { apply: 'set' },
  'V1PodFailurePolicyOnExitCodesRequirement.values': { apply: 'set' },
  'V1NodeAllocatableResourceClaimStatus.containers': { apply: 'set' },
  'V1UncountedTerminatedPods.failed': { apply: 'set' },
  'V1UncountedTerminatedPods.succeeded': { apply: 'set' },
  'V1JobStatus.conditions': { patch: 'type' },
  'V1ResourceClaimStatus.devices': { apply: ['driver', 'device', 'pool', 'shareID'] },
  'V1ResourceClaimStatus.reservedFor': { apply: ['uid'], patch: 'uid' },
  'V1CSIDriverSpec.volumeLifecycleModes': { apply: 'set' },
  'V1CSINodeSpec.drivers': byName,
  'V1JSONSchemaProps.x-kubernetes-validations': { apply: ['rule'], patch: 'rule' },
  'V1MutatingAdmissionPolicySpec.matchConditions': byName,
  'V1ValidatingAdmissionPolicySpec.matchConditions': byName,
  'V1ValidatingAdmissionPolicySpec.variables': byName,
  'V1ValidatingAdmissionPolicyBindingSpec.validationActions': { apply: 'set' },
  ...sets('V1NonResourcePolicyRule', 'nonResourceURLs', 'verbs'),
  ...sets('V1ResourcePolicyRule', 'apiGroups', 'namespaces', 'resources', 'verbs'),
  ...Object.fromEntries(
    ['Mutating', 'Validating'].flatMap((t) => [
      [`V1${t}Webhook.matchConditions`, byName],
      [`V1${t}WebhookConfiguration.webhooks`, byName],
    ]),
  ),
  ...Object.fromEntries(
    ['V1ValidatingAdmissionPolicy', 'V1CertificateSigningRequest', 'V1CustomResourceDefinition', 'V1AllocatedDevice'].map((t) => [
      `${t}Status.conditions`,
      { apply: ['type'] },
    ]),
  ),
  ...Object.fromEntries(
    [
      'V1Deployment',
      'V1ReplicaSet',
      'V1Service',
      'V1Namespace',
      'V1Node',
      'V1DaemonSet',
      'V1StatefulSet',
      'V2HorizontalPodAutoscaler',
      'V1PersistentVolumeClaim',
      'V1ReplicationController',
      'V1FlowSchema',
      'V1PriorityLevelConfiguration',
      'V1ServiceCIDR',
      'V1PodDisruptionBudget',
      'V1APIService',
    ].map((t) => [`${t}Status.conditions`, byType]),
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
  ...'V1MatchResources V1NamedRuleWithOperations V1ParamKind V1ParamRef V1Variable V1CrossVersionObjectReference V1ReplicationControllerSpec.selector V1ScopeSelector V1TopologySelectorTerm V1ServiceBackendPort V1Scheduling.nodeSelector'.split(
    ' ',
  ),
  'V1ServiceSpec.selector',
])

/** Objects whose strategic patch may name the keys it keeps. */
export const retainKeys = new Set([
  'V1DeploymentSpec.strategy',
  'V1PodSpec.volumes',
  'V1PodSpec.resourceClaims',
  'V1PodStatus.resourceClaimStatuses',
])

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
  ...'V2HPAScalingRules.tolerance V2MetricTarget.averageValue V2MetricTarget.value V2MetricValueStatus.averageValue V2MetricValueStatus.value V1LimitRangeItem.default V1LimitRangeItem.defaultRequest V1LimitRangeItem.max V1LimitRangeItem.maxLimitRequestRatio V1LimitRangeItem.min V1NodeAllocatableResourceClaimStatus.resources V1PersistentVolumeClaimStatus.allocatedResources V1PersistentVolumeClaimStatus.capacity V1PersistentVolumeSpec.capacity V1ResourceQuotaSpec.hard V1ResourceQuotaStatus.hard V1ResourceQuotaStatus.used V1Overhead.podFixed V1CapacityRequestPolicy.default V1CapacityRequestPolicy.validValues V1CapacityRequestPolicyRange.max V1CapacityRequestPolicyRange.min V1CapacityRequestPolicyRange.step V1CapacityRequirements.requests V1Counter.value V1DeviceCapacity.value V1DeviceRequestAllocationResult.consumedCapacity V1NodeAllocatableResourceMapping.allocationMultiplier V1CSIStorageCapacity.capacity V1CSIStorageCapacity.maximumVolumeSize'.split(
    ' ',
  ),
])
