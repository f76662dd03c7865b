// Manifests of every stored kind: some that are stored, and some that are refused, named by the fields that the refusal names.

interface Manifests {
  good: Record<string, any>
  /** By the fields in the answer, apart by spaces. */
  bad: Record<string, any>
}

const container = { name: 'c', image: 'nginx' }
const podSpec = { containers: [container] }
const selector = { matchLabels: { app: 'a' } }
const template = { metadata: { labels: { app: 'a' } }, spec: podSpec }
const jobTemplate = { spec: { ...podSpec, restartPolicy: 'Never' } }
const backend = { service: { name: 'web', port: { number: 80 } } }
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
const rule = { apiGroups: [''], resources: ['pods'], verbs: ['get'] }
const subjects = [{ kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io' }]
const roleRef = { kind: 'Role', name: 'r', apiGroup: 'rbac.authorization.k8s.io' }
const watched = { operations: ['CREATE'], apiGroups: ['example.org'], apiVersions: ['v1'], resources: ['nothings'] }
const webhook = {
  name: 'a.hook.example.com',
  clientConfig: { url: 'https://127.0.0.1:1/x' },
  rules: [watched],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
}
const webhooks = (...list: object[]) => ({ webhooks: list })
const typicalWebhook = {
  ...webhook,
  clientConfig: { service: { name: 's', namespace: 'default', path: '/x' }, caBundle: 'aGVsbG8=' },
  failurePolicy: 'Ignore',
  matchConditions: [{ name: 'c', expression: 'request.userInfo.username != "x" && object.metadata.name.startsWith("a")' }],
  namespaceSelector: { matchLabels: { a: 'b' } },
  timeoutSeconds: 5,
}
const badWebhooks = {
  'webhooks[0].name webhooks[0].clientConfig webhooks[0].sideEffects webhooks[0].admissionReviewVersions': webhooks({ name: 'x' }),
  'webhooks[0].clientConfig.url': webhooks({ ...webhook, clientConfig: { url: 'http://a/b' } }),
  'webhooks[0].rules[0].operations[0] webhooks[0].rules[0].resources': webhooks({
    ...webhook,
    rules: [{ ...watched, operations: ['LOOK'], resources: [] }],
  }),
  'webhooks[0].timeoutSeconds webhooks[0].failurePolicy': webhooks({ ...webhook, timeoutSeconds: 31, failurePolicy: 'Maybe' }),
  'webhooks[0].matchConditions[0].expression': webhooks({ ...webhook, matchConditions: [{ name: 'c', expression: 'nope' }] }),
  'webhooks[1].name': webhooks(webhook, webhook),
}
const policySpec = { matchConstraints: { resourceRules: [watched] }, validations: [{ expression: 'true' }] }
const mutation = { patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "add", path: "/a", value: 1}]' } }
const mutationSpec = { matchConstraints: { resourceRules: [watched] }, mutations: [mutation], reinvocationPolicy: 'Never' }
const hpa = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 5 }

const priorities = { groupPriorityMinimum: 100, versionPriority: 10 }
const opaque = { driver: 'gpu.example.com', parameters: { mode: 'fast' } }
const pool = { name: 'n1', generation: 1, resourceSliceCount: 1 }
const claimOfDevices = {
  devices: {
    requests: [
      { name: 'gpu', exactly: { deviceClassName: 'gpu.example.com', count: 2 } },
      {
        name: 'any',
        firstAvailable: [
          { name: 'big', deviceClassName: 'big' },
          { name: 'small', deviceClassName: 'small', allocationMode: 'All' },
        ],
      },
    ],
    constraints: [{ requests: ['gpu', 'any/big'], matchAttribute: 'example.com/model' }],
    config: [{ requests: ['gpu'], opaque }],
  },
}
/** CN=jane, O=dev, signed by its own P-256 key. */
export const signingRequest =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWE1IOENBUUF3SFRFTU1Bb0dBMVVFQ2d3RFpHVjJNUTB3Q3dZRFZRUUREQVJxWVc1bE1Ga3dFd1lIS29aSQp6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUU5QUVjcE81aFBjVDJzdFNCQnhCMFpTbUVvbTBBTlN0V2FJOWQrODFMCnV1clc5and3L2p1b080cnkyMGFWUFR5enpyS2crVDJrK2ltMENhNXF0RVJBNGFBQU1Bb0dDQ3FHU000OUJBTUMKQTBnQU1FVUNJR1h2Y1ZaV0dUMkkxbWlSREJEMHNOMld6Qk5tQWF2OVUrbFJJd2hmdFRMWEFpRUF4cU9aSU5vegpvL0VPOTcrMmZRMHdaZDBRV2V1Q2d2T2VFYUQ1TVdCeVdmcz0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=='

/** A certificate of an authority's own. */
const anchor = [
  '-----BEGIN CERTIFICATE-----',
  'MIIBbzCCARWgAwIBAgIUYKtNzNw2RYlRr6EhbGI9CkbWNWkwCgYIKoZIzj0EAwIw',
  'DDEKMAgGA1UEAwwBYTAgFw0yNjExMjIwMTM3NTBaGA8yMTI2MTAyOTAxMzc1MFow',
  'DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHDIkZ1HFAWp',
  'JSXVb9vI+icPJ109Qs1PUeA2EAUJvtnsU/+mlqMyHd2baT9HmcPXTwD7Ox0oDXQq',
  'BwAGFH+1p4ujUzBRMB0GA1UdDgQWBBQZd5WEthpJ4PPDegs1ioLUETsfUTAfBgNV',
  'HSMEGDAWgBQZd5WEthpJ4PPDegs1ioLUETsfUTAPBgNVHRMBAf8EBTADAQH/MAoG',
  'CCqGSM49BAMCA0gAMEUCIGi0jV2C2duUFZYoL7BgMgP12hiEkf1asPR32e0eN2r1',
  'AiEA2hv1BAxExr7sJpJEqpWWgpSHcHpBd2xxhYtMd0s1YJg=',
  '-----END CERTIFICATE-----',
].join('\n')

export const manifests: Record<string, Manifests> = {
  'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration': {
    good: { minimal: {}, typical: webhooks(typicalWebhook) },
    bad: badWebhooks,
  },
  'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration': {
    good: { minimal: {}, typical: webhooks({ ...typicalWebhook, reinvocationPolicy: 'IfNeeded' }) },
    bad: badWebhooks,
  },
  'admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy': {
    good: {
      minimal: { spec: policySpec },
      typical: {
        spec: {
          ...policySpec,
          paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
          matchConditions: [{ name: 'c', expression: 'params.data.on == "yes"' }],
          variables: [{ name: 'n', expression: 'object.spec.replicas' }],
          validations: [
            { expression: 'variables.n < 5', messageExpression: '"%d is too many".format([variables.n])', reason: 'Forbidden' },
          ],
          auditAnnotations: [{ key: 'k', valueExpression: 'string(variables.n)' }],
        },
      },
    },
    bad: {
      'spec.matchConstraints spec.validations spec.auditAnnotations': { spec: {} },
      'spec.validations[0].expression': { spec: { ...policySpec, validations: [{ expression: 'variables.n > 1' }] } },
      'spec.validations[0].message': { spec: { ...policySpec, validations: [{ expression: 'true', message: 'a\nb' }] } },
      'spec.variables[0].name': { spec: { ...policySpec, variables: [{ name: 'a-b', expression: '1' }] } },
      'spec.matchConstraints.resourceRules': { spec: { ...policySpec, matchConstraints: {} } },
    },
  },
  'admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding': {
    good: {
      minimal: { spec: { policyName: 'nobody', validationActions: ['Deny'] } },
      typical: {
        spec: {
          policyName: 'nobody',
          validationActions: ['Warn', 'Audit'],
          paramRef: { name: 'p', namespace: 'default', parameterNotFoundAction: 'Deny' },
          matchResources: { namespaceSelector: { matchLabels: { a: 'b' } } },
        },
      },
    },
    bad: {
      'spec.policyName spec.validationActions': { spec: {} },
      'spec.validationActions': { spec: { policyName: 'p', validationActions: ['Deny', 'Warn'] } },
      'spec.paramRef spec.paramRef.parameterNotFoundAction': { spec: { policyName: 'p', validationActions: ['Deny'], paramRef: {} } },
    },
  },
  'admissionregistration.k8s.io/v1 MutatingAdmissionPolicy': {
    good: {
      minimal: { spec: mutationSpec },
      typical: {
        spec: {
          ...mutationSpec,
          mutations: [
            {
              patchType: 'ApplyConfiguration',
              applyConfiguration: { expression: 'Object{spec: Object.spec{replicas: object.spec.replicas + 1}}' },
            },
          ],
        },
      },
    },
    bad: {
      'spec.matchConstraints spec.mutations spec.reinvocationPolicy': { spec: {} },
      'spec.mutations[0].jsonPatch': { spec: { ...mutationSpec, mutations: [{ patchType: 'JSONPatch' }] } },
      'spec.mutations[0].jsonPatch.expression': {
        spec: { ...mutationSpec, mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: 'nope' } }] },
      },
    },
  },
  'admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding': {
    good: { minimal: { spec: { policyName: 'nobody' } } },
    bad: { 'spec.policyName': { spec: {} } },
  },
  'v1 ConfigMap': {
    good: { minimal: {}, typical: { data: { a: 'b' }, binaryData: { c: 'aGVsbG8=' } } },
    bad: { 'data[a/b]': { data: { 'a/b': '' } }, 'data[k]': { data: { k: '' }, binaryData: { k: '' } } },
  },
  'v1 Endpoints': {
    good: { minimal: {}, typical: { subsets: [{ addresses: [{ ip: '10.9.8.7' }], ports: [{ port: 80, name: 'http' }] }] } },
    bad: {},
  },
  'v1 Event': {
    good: {
      'of old': { involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' }, reason: 'Started', type: 'Normal', count: 1 },
      'with a time of its own': {
        involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingComponent: 'example.com/c',
        reportingInstance: 'i',
        action: 'Do',
        reason: 'Done',
        type: 'Normal',
      },
    },
    bad: {
      'involvedObject.namespace': { involvedObject: { kind: 'Pod', name: 'p', namespace: 'other' } },
      'reportingController reportingInstance action reason': {
        involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
        eventTime: '2026-01-01T00:00:00.000000Z',
      },
    },
  },
  'v1 Namespace': { good: {}, bad: { 'metadata.name': { metadata: { name: 'a.b' } } } },
  'v1 Node': {
    good: { minimal: {}, typical: { spec: { unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }] } } },
    bad: {},
  },
  'v1 Pod': {
    good: { minimal: { spec: podSpec }, 'with volumes': { spec: { ...podSpec, volumes: [{ name: 'v', emptyDir: {} }] } } },
    bad: { 'spec.containers': { spec: {} }, 'spec.containers[0].image': { spec: { containers: [{ name: 'c' }] } } },
  },
  'v1 Secret': {
    good: { minimal: {}, typical: { stringData: { a: 'b' }, type: 'Opaque' }, odd: { type: '__proto__' } },
    bad: { 'data[.dockerconfigjson]': { type: 'kubernetes.io/dockerconfigjson' } },
  },
  'v1 Service': {
    good: { minimal: { spec: { ports: [{ port: 80 }] } }, headless: { spec: { clusterIP: 'None', selector: { app: 'a' } } } },
    bad: { 'spec.ports': { spec: {} }, 'spec.type': { spec: { type: 'Odd', ports: [{ port: 80 }] } } },
  },
  'v1 ServiceAccount': { good: { minimal: {} }, bad: {} },
  'v1 LimitRange': {
    good: {
      minimal: { spec: { limits: [] } },
      'defaults that follow': {
        spec: { limits: [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '100m' }, default: { memory: '1Gi' } }] },
      },
    },
    bad: {
      'spec.limits[0].min[cpu]': { spec: { limits: [{ type: 'Pod', min: { cpu: '2' }, max: { cpu: '1' } }] } },
      'spec.limits[0].default': { spec: { limits: [{ type: 'Pod', default: { cpu: '2' } }] } },
      'spec.limits[1].type': { spec: { limits: [{ type: 'Pod' }, { type: 'Pod' }] } },
    },
  },
  'v1 PersistentVolume': {
    good: {
      'host path': { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } } },
      nfs: {
        spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteMany'], nfs: { server: 'nfs', path: '/' }, storageClassName: 'slow' },
      },
    },
    bad: {
      'spec.accessModes spec.capacity spec': { spec: {} },
      'spec.nodeAffinity': { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], local: { path: '/d' } } },
    },
  },
  'v1 PersistentVolumeClaim': {
    good: { minimal: { spec: claimSpec }, typical: { spec: { ...claimSpec, storageClassName: 'fast', volumeMode: 'Block' } } },
    bad: {
      'spec.accessModes spec.resources[storage]': { spec: {} },
      'spec.volumeMode': { spec: { ...claimSpec, volumeMode: 'Odd' } },
    },
  },
  'v1 PodTemplate': { good: { minimal: { template } }, bad: { 'template.spec.containers': { template: { spec: {} } } } },
  'v1 ReplicationController': {
    good: { minimal: { spec: { template } }, typical: { spec: { replicas: 0, selector: { app: 'a' }, template } } },
    bad: { 'spec.selector spec.template': { spec: {} }, 'spec.template.metadata.labels': { spec: { selector: { b: 'c' }, template } } },
  },
  'v1 ResourceQuota': {
    good: {
      minimal: {},
      typical: { spec: { hard: { pods: '1k', 'requests.cpu': '100', 'count/jobs.batch': '1k' }, scopes: ['NotTerminating'] } },
    },
    bad: {
      'spec.hard[odd]': { spec: { hard: { odd: '1' } } },
      'spec.hard[pods]': { spec: { hard: { pods: '1.5' } } },
      'spec.scopes': { spec: { scopes: ['BestEffort', 'NotBestEffort'] } },
    },
  },
  'apiextensions.k8s.io/v1 CustomResourceDefinition': {
    good: {
      minimal: {
        metadata: { name: 'things.example.org' },
        spec: {
          group: 'example.org',
          scope: 'Cluster',
          names: { plural: 'things', kind: 'Thing' },
          versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
        },
      },
    },
    bad: { 'spec.group spec.names.plural spec.scope spec.versions': { spec: {} } },
  },
  'apps/v1 ControllerRevision': { good: { minimal: { revision: 1, data: { a: 1 } } }, bad: {} },
  'apps/v1 DaemonSet': {
    good: {
      minimal: { spec: { selector, template } },
      'on delete': { spec: { selector, template, updateStrategy: { type: 'OnDelete' } } },
    },
    bad: {
      'spec.selector spec.template': { spec: {} },
      'spec.updateStrategy.rollingUpdate.maxUnavailable': {
        spec: { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } },
      },
      'spec.updateStrategy.rollingUpdate.maxSurge': { spec: { selector, template, updateStrategy: { rollingUpdate: { maxSurge: 1 } } } },
    },
  },
  'apps/v1 Deployment': {
    good: { minimal: { spec: { selector, template, replicas: 0 } } },
    bad: { 'spec.selector spec.template': { spec: {} } },
  },
  'apps/v1 ReplicaSet': {
    good: { minimal: { spec: { selector, template, replicas: 0 } } },
    bad: { 'spec.selector spec.template': { spec: {} } },
  },
  'apps/v1 StatefulSet': {
    good: {
      minimal: { spec: { selector, template, serviceName: 's' } },
      'with volumes of its own': {
        spec: {
          selector,
          serviceName: 's',
          template: { ...template, spec: { containers: [{ ...container, volumeMounts: [{ name: 'data', mountPath: '/data' }] }] } },
          volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claimSpec }],
        },
      },
    },
    bad: {
      'spec.selector spec.template': { spec: {} },
      'spec.podManagementPolicy': { spec: { selector, template, podManagementPolicy: 'Odd' } },
      'spec.serviceName': { spec: { selector, template, serviceName: 'A_B' } },
      'spec.template.spec.restartPolicy': { spec: { selector, template: { ...template, spec: { ...podSpec, restartPolicy: 'Never' } } } },
    },
  },
  'batch/v1 CronJob': {
    good: {
      minimal: { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: jobTemplate } } } },
      'with a time zone': { spec: { schedule: '@daily', timeZone: 'Europe/Berlin', jobTemplate: { spec: { template: jobTemplate } } } },
    },
    bad: {
      'spec.schedule spec.jobTemplate': { spec: {} },
      'spec.schedule': { spec: { schedule: '61 * * * *', jobTemplate: { spec: { template: jobTemplate } } } },
      'spec.timeZone spec.concurrencyPolicy': {
        spec: { schedule: '@daily', timeZone: 'Mars/Base', concurrencyPolicy: 'Odd', jobTemplate: { spec: { template: jobTemplate } } },
      },
      'metadata.name': {
        metadata: { name: 'a'.repeat(53) },
        spec: { schedule: '@daily', jobTemplate: { spec: { template: jobTemplate } } },
      },
    },
  },
  'batch/v1 Job': {
    good: {
      minimal: { spec: { template: jobTemplate } },
      indexed: { spec: { template: jobTemplate, completionMode: 'Indexed', completions: 3, parallelism: 2, backoffLimitPerIndex: 1 } },
    },
    bad: {
      'spec.template': { spec: {} },
      'spec.template.spec.restartPolicy': { spec: { template } },
      'spec.completions': { spec: { template: jobTemplate, completionMode: 'Indexed', parallelism: 1 } },
      'spec.backoffLimitPerIndex': { spec: { template: jobTemplate, backoffLimitPerIndex: 1 } },
      'spec.podFailurePolicy.rules[0].action spec.podFailurePolicy.rules[0]': {
        spec: { template: jobTemplate, podFailurePolicy: { rules: [{ action: 'Odd' }] } },
      },
    },
  },
  'autoscaling/v1 HorizontalPodAutoscaler': {
    good: { minimal: { spec: hpa }, typical: { spec: { ...hpa, minReplicas: 2, targetCPUUtilizationPercentage: 70 } } },
    bad: { 'spec.maxReplicas spec.scaleTargetRef.kind': { spec: { scaleTargetRef: {} } } },
  },
  'autoscaling/v2 HorizontalPodAutoscaler': {
    good: {
      minimal: { spec: hpa },
      typical: {
        spec: {
          ...hpa,
          metrics: [{ type: 'Pods', pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '10' } } }],
          behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
        },
      },
    },
    bad: {
      'spec.metrics[0].resource': { spec: { ...hpa, metrics: [{ type: 'Resource' }] } },
      'spec.maxReplicas': { spec: { ...hpa, minReplicas: 6 } },
      'spec.behavior.scaleUp.policies[0].type': {
        spec: { ...hpa, behavior: { scaleUp: { policies: [{ type: 'Odd', value: 1, periodSeconds: 1 }] } } },
      },
    },
  },
  'coordination.k8s.io/v1 Lease': {
    good: { minimal: {}, typical: { spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z' } } },
    bad: { 'spec.leaseDurationSeconds': { spec: { leaseDurationSeconds: 0 } } },
  },
  'discovery.k8s.io/v1 EndpointSlice': {
    good: {
      minimal: { addressType: 'IPv4', endpoints: [] },
      typical: { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.2.3'] }], ports: [{ port: 80 }] },
    },
    bad: { 'endpoints[0].addresses': { addressType: 'IPv4', endpoints: [{ addresses: [] }] } },
  },
  'events.k8s.io/v1 Event': {
    good: {
      typical: {
        regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'example.com/c',
        reportingInstance: 'i',
        action: 'Do',
        reason: 'Done',
        note: 'it is',
        type: 'Normal',
      },
    },
    bad: { 'eventTime type': { regarding: { kind: 'Pod', name: 'p', namespace: 'default' } } },
  },
  'networking.k8s.io/v1 Ingress': {
    good: {
      'a default backend': { spec: { defaultBackend: backend } },
      rules: {
        spec: {
          rules: [{ host: '*.example.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
          tls: [{ hosts: ['a.example.com'] }],
        },
      },
    },
    bad: {
      spec: { spec: {} },
      'spec.rules[0].http.paths[0].pathType': { spec: { rules: [{ http: { paths: [{ path: '/', backend }] } }] } },
      'spec.rules[0].host spec.rules[0].http.paths[0].path spec.rules[0].http.paths[0].backend': {
        spec: { rules: [{ host: '10.0.0.1', http: { paths: [{ path: 'x', pathType: 'Exact', backend: {} }] } }] },
      },
    },
  },
  'networking.k8s.io/v1 IngressClass': {
    good: { minimal: { spec: { controller: 'example.com/c' } } },
    bad: { 'spec.controller': { spec: { controller: 'odd' } }, 'spec.parameters.kind': { spec: { parameters: { name: 'x' } } } },
  },
  'networking.k8s.io/v1 IPAddress': {
    good: { minimal: { metadata: { name: '192.168.7.7' }, spec: { parentRef: { resource: 'services', name: 'x' } } } },
    bad: { 'metadata.name': { spec: { parentRef: { resource: 'services', name: 'x' } } } },
  },
  'networking.k8s.io/v1 NetworkPolicy': {
    good: {
      minimal: { spec: {} },
      typical: {
        spec: {
          podSelector: selector,
          ingress: [
            {
              from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }, { namespaceSelector: {} }],
              ports: [{ port: 80, endPort: 90 }],
            },
          ],
          egress: [{}],
        },
      },
    },
    bad: {
      'spec.ingress[0].from[0]': { spec: { ingress: [{ from: [{}] }] } },
      'spec.egress[0].to[0].ipBlock.except[0]': {
        spec: { egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }] }] },
      },
      'spec.ingress[0].ports[0].endPort': { spec: { ingress: [{ ports: [{ port: 80, endPort: 70 }] }] } },
    },
  },
  'networking.k8s.io/v1 ServiceCIDR': {
    good: { minimal: { spec: { cidrs: ['10.77.0.0/16'] } } },
    bad: { 'spec.cidrs': { spec: {} }, 'spec.cidrs[0]': { spec: { cidrs: ['x'] } } },
  },
  'node.k8s.io/v1 RuntimeClass': { good: { minimal: { handler: 'runc' } }, bad: { handler: { handler: 'A_B' } } },
  'policy/v1 PodDisruptionBudget': {
    good: { minimal: { spec: { maxUnavailable: 1, selector } }, percent: { spec: { minAvailable: '50%', selector } } },
    bad: { spec: { spec: { minAvailable: 1, maxUnavailable: 1 } }, 'spec.minAvailable': { spec: { minAvailable: '150%' } } },
  },
  'rbac.authorization.k8s.io/v1 Role': {
    good: { minimal: { rules: [rule] } },
    bad: { 'rules[0].verbs': { rules: [{ ...rule, verbs: [] }] } },
  },
  'rbac.authorization.k8s.io/v1 ClusterRole': {
    good: { minimal: { rules: [rule] } },
    bad: { 'rules[0].verbs': { rules: [{ ...rule, verbs: [] }] } },
  },
  'rbac.authorization.k8s.io/v1 RoleBinding': {
    good: { minimal: { roleRef, subjects } },
    bad: { 'roleRef.name': { roleRef: { ...roleRef, name: '' } } },
  },
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': {
    good: { minimal: { roleRef: { ...roleRef, kind: 'ClusterRole' }, subjects } },
    bad: { 'roleRef.kind': { roleRef } },
  },
  'scheduling.k8s.io/v1 PriorityClass': {
    good: { minimal: { value: 10 }, typical: { value: 1000, preemptionPolicy: 'Never', description: 'first' } },
    bad: { value: { value: 1_000_000_001 }, 'metadata.name': { metadata: { name: 'system-odd' }, value: 1 } },
  },
  'storage.k8s.io/v1 CSIDriver': {
    good: { minimal: { spec: {} } },
    bad: { 'spec.fsGroupPolicy': { spec: { fsGroupPolicy: 'Odd' } } },
  },
  'storage.k8s.io/v1 CSINode': {
    good: { minimal: { spec: { drivers: [{ name: 'd', nodeID: 'n' }] } } },
    bad: { 'spec.drivers[0].nodeID': { spec: { drivers: [{ name: 'd' }] } } },
  },
  'storage.k8s.io/v1 CSIStorageCapacity': {
    good: { minimal: { storageClassName: 'fast', capacity: '1Gi' } },
    bad: { capacity: { storageClassName: 'fast', capacity: '-1' } },
  },
  'storage.k8s.io/v1 StorageClass': {
    good: {
      minimal: { provisioner: 'example.com/p' },
      typical: { provisioner: 'example.com/p', volumeBindingMode: 'WaitForFirstConsumer' },
    },
    bad: { provisioner: {}, volumeBindingMode: { provisioner: 'p', volumeBindingMode: 'Odd' } },
  },
  'storage.k8s.io/v1 VolumeAttachment': {
    good: { minimal: { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'pv' } } } },
    bad: { 'spec.attacher spec.nodeName spec.source': { spec: {} } },
  },
  'storage.k8s.io/v1 VolumeAttributesClass': {
    good: { minimal: { driverName: 'example.com', parameters: { a: 'b' } } },
    bad: { driverName: { parameters: { a: 'b' } } },
  },
  'apiregistration.k8s.io/v1 APIService': {
    good: {
      minimal: { metadata: { name: 'v1.minimal.example.com' }, spec: { group: 'minimal.example.com', version: 'v1', ...priorities } },
      typical: {
        metadata: { name: 'v1beta1.typical.example.com' },
        spec: {
          group: 'typical.example.com',
          version: 'v1beta1',
          ...priorities,
          service: { name: 's', namespace: 'default' },
          insecureSkipTLSVerify: true,
        },
      },
    },
    bad: {
      'metadata.name spec.groupPriorityMinimum spec.versionPriority': { spec: { group: 'a.b', version: 'v1' } },
      'spec.service.namespace spec.service.port': {
        metadata: { name: 'v1.bad.example.com' },
        spec: { group: 'bad.example.com', version: 'v1', ...priorities, service: { name: 's', port: 70_000 } },
      },
    },
  },
  'certificates.k8s.io/v1beta1 ClusterTrustBundle': {
    good: {
      minimal: { spec: { trustBundle: anchor } },
      typical: { metadata: { name: 'example.com:a:b' }, spec: { signerName: 'example.com/a', trustBundle: anchor } },
    },
    bad: {
      'spec.trustBundle': { spec: { trustBundle: 'none' } },
      'spec.signerName metadata.name': { metadata: { name: 'x' }, spec: { signerName: 'nope', trustBundle: anchor } },
    },
  },
  'certificates.k8s.io/v1 CertificateSigningRequest': {
    good: {
      minimal: { spec: { request: signingRequest, signerName: 'example.com/a', usages: ['client auth'] } },
      typical: {
        spec: {
          request: signingRequest,
          signerName: 'example.com/a',
          usages: ['digital signature', 'client auth'],
          expirationSeconds: 3600,
        },
      },
    },
    bad: {
      'spec.request': { spec: { request: 'aGVsbG8=', signerName: 'example.com/a', usages: ['any'] } },
      'spec.usages spec.signerName': { spec: { request: signingRequest, signerName: 'nope', usages: [] } },
      'spec.usages[0] spec.expirationSeconds': {
        spec: { request: signingRequest, signerName: 'example.com/a', usages: ['flying'], expirationSeconds: 5 },
      },
    },
  },
  'flowcontrol.apiserver.k8s.io/v1 FlowSchema': {
    good: {
      minimal: { spec: { priorityLevelConfiguration: { name: 'exempt' } } },
      typical: {
        spec: {
          matchingPrecedence: 500,
          priorityLevelConfiguration: { name: 'exempt' },
          distinguisherMethod: { type: 'ByUser' },
          rules: [
            {
              subjects: [
                { kind: 'Group', group: { name: 'nobody-at-all' } },
                { kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'nowhere' } },
              ],
              resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
              nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz/*'] }],
            },
          ],
        },
      },
    },
    bad: {
      'spec.matchingPrecedence spec.priorityLevelConfiguration.name': { spec: { matchingPrecedence: 1 } },
      'spec.rules[0].subjects spec.rules[0]': { spec: { priorityLevelConfiguration: { name: 'a' }, rules: [{}] } },
      'spec.rules[0].subjects[0].user spec.rules[0].nonResourceRules[0].verbs spec.rules[0].nonResourceRules[0].nonResourceURLs[0]': {
        spec: {
          priorityLevelConfiguration: { name: 'a' },
          rules: [{ subjects: [{ kind: 'User' }], nonResourceRules: [{ verbs: ['fly'], nonResourceURLs: ['a'] }] }],
        },
      },
    },
  },
  'flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration': {
    good: {
      minimal: { spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } },
      typical: {
        spec: {
          type: 'Limited',
          limited: { nominalConcurrencyShares: 10, lendablePercent: 50, limitResponse: { type: 'Queue', queuing: { queues: 16 } } },
        },
      },
    },
    bad: {
      'spec.type': { spec: {} },
      'spec.limited': { spec: { type: 'Limited' } },
      'spec.limited.nominalConcurrencyShares spec.limited.limitResponse.queuing': {
        spec: { type: 'Limited', limited: { nominalConcurrencyShares: -1, limitResponse: { type: 'Queue' } } },
      },
      'spec.limited.limitResponse.queuing.handSize': {
        spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: { queues: 2, handSize: 3 } } } },
      },
    },
  },
  'resource.k8s.io/v1 DeviceClass': {
    good: {
      minimal: {},
      typical: { spec: { selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }], config: [{ opaque }] } },
    },
    bad: {
      'spec.selectors[0].cel spec.config[0].opaque': { spec: { selectors: [{}], config: [{}] } },
      'spec.extendedResourceName': { spec: { extendedResourceName: 'cpu' } },
    },
  },
  'resource.k8s.io/v1 ResourceClaim': {
    good: { minimal: {}, typical: { spec: claimOfDevices } },
    bad: {
      'spec.devices.requests[0].name spec.devices.requests[0].exactly.deviceClassName': {
        spec: { devices: { requests: [{ exactly: {} }] } },
      },
      'spec.devices.requests[1] spec.devices.constraints[0].requests[0]': {
        spec: {
          devices: {
            requests: [{ name: 'a', exactly: { deviceClassName: 'c' } }, { name: 'b' }],
            constraints: [{ requests: ['x'], matchAttribute: 'example.com/m' }],
          },
        },
      },
    },
  },
  'resource.k8s.io/v1 ResourceClaimTemplate': {
    good: { minimal: {}, typical: { spec: { metadata: { labels: { a: 'b' } }, spec: claimOfDevices } } },
    bad: { 'spec.spec.devices.requests[0]': { spec: { spec: { devices: { requests: [{ name: 'a' }] } } } } },
  },
  'resource.k8s.io/v1 ResourceSlice': {
    good: {
      minimal: { spec: { driver: 'gpu.example.com', pool, allNodes: true } },
      typical: {
        spec: {
          driver: 'gpu.example.com',
          pool,
          nodeName: 'n1',
          devices: [{ name: 'gpu-0', attributes: { model: { string: 'x' } }, capacity: { memory: { value: '1Gi' } } }],
        },
      },
    },
    bad: {
      'spec.driver spec.pool.name spec.pool.resourceSliceCount spec': {},
      'spec.devices[0].name spec': {
        spec: { driver: 'gpu.example.com', pool, nodeName: 'n1', allNodes: true, devices: [{ name: 'A_B' }] },
      },
    },
  },
  'deploy.kedge.dev/v1 DeployHook': { good: {}, bad: {} },
  'observe.kedge.dev/v1 LogCounter': {
    good: {
      minimal: { spec: { pattern: 'error', metric: 'errors_total' } },
      typical: {
        spec: {
          selector: { matchLabels: { app: 'web' } },
          container: 'main',
          stream: 'stderr',
          pattern: 'code=(?P<code>[0-9]+)',
          metric: 'answers_total',
          help: 'Answers by code.',
          labels: ['code'],
          maxSeries: 20,
        },
      },
    },
    bad: {
      'spec.pattern spec.metric': {},
      'spec.pattern': { spec: { pattern: '(', metric: 'errors_total' } },
      'spec.metric': { spec: { pattern: 'x', metric: 'errors' } },
      'spec.labels[0] spec.labels[1]': { spec: { pattern: '(?P<pod>x)', metric: 'errors_total', labels: ['pod', 'code'] } },
      'spec.stream': { spec: { pattern: 'x', metric: 'errors_total', stream: 'stdin' } },
      'spec.maxSeries': { spec: { pattern: 'x', metric: 'errors_total', maxSeries: 100_000 } },
    },
  },
  'deploy.kedge.dev/v1 DeployDelivery': { good: {}, bad: {} },
}
