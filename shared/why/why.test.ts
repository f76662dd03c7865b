// What is said of common faults: each as the API shows it, and the words that somebody needs to mend it.
import { describe, expect, test } from 'vitest'
import type { KObject } from '../meta/object.ts'
import { why } from './why.ts'

const NOW = Date.parse('2026-01-01T01:00:00Z')
let serial = 0
const object = (name: string, more: any = {}): KObject => ({
  ...more,
  metadata: { name, namespace: 'default', uid: `uid-${++serial}`, creationTimestamp: '2026-01-01T00:00:00Z', ...more.metadata },
})
const wide = (name: string, more: any = {}): KObject => object(name, { ...more, metadata: { namespace: undefined, ...more.metadata } })
const condition = (type: string, status: string, reason = '', message = '') => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T00:50:00Z',
})
const READY = condition('Ready', 'True')
const node = (name: string, more: any = {}) =>
  wide(name, { spec: {}, status: { conditions: [READY], allocatable: { cpu: '2', memory: '4Gi', pods: '110' }, ...more.status }, ...more })
const pod = (spec: any = {}, status: any = {}, metadata: any = {}) =>
  object('web-1', {
    metadata: { labels: { app: 'web' }, ...metadata },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'web:1', ...spec.container }], ...spec },
    status: { phase: 'Pending', ...status },
  })
const waits = (reason: string, message = '', more: any = {}) => ({
  containerStatuses: [{ name: 'c', restartCount: 0, ready: false, state: { waiting: { reason, message } }, ...more }],
})
const crashed = (terminated: any, restartCount = 5) => waits('CrashLoopBackOff', '', { restartCount, lastState: { terminated } })
const runs = (more: any = {}) => ({
  phase: 'Running',
  containerStatuses: [{ name: 'c', ready: false, started: true, restartCount: 0, state: { running: {} }, ...more }],
})
const unplaced = (message: string, spec: any = {}) =>
  pod({ nodeName: undefined, ...spec }, { conditions: [condition('PodScheduled', 'False', 'Unschedulable', message)] })
const told = (about: KObject, reason: string, message: string, more: any = {}) =>
  object(`e${++serial}`, {
    involvedObject: { uid: about.metadata.uid, name: about.metadata.name, ...more },
    reason,
    message,
    type: 'Warning',
    lastTimestamp: '2026-01-01T00:59:00Z',
  })
const owned = (o: KObject, by: KObject): KObject => ({
  ...o,
  metadata: {
    ...o.metadata,
    ownerReferences: [{ uid: by.metadata.uid, name: by.metadata.name, kind: 'X', apiVersion: 'v1', controller: true }],
  },
})

type World = Record<string, KObject[]>
const say = (resource: string, o: KObject, world: World = {}) =>
  why(resource, o, async (r) => (r === resource ? [o, ...(world[r] ?? [])] : (world[r] ?? [])), NOW)

interface Fault {
  title: string
  of: KObject
  world?: World | ((o: KObject) => World)
  why: RegExp
  todo: RegExp
}
const n1 = { nodes: [node('n1')] }
const faults = (resource: string, list: Fault[]) =>
  describe(resource, () =>
    test.each(list)('$title', async ({ of, world, why: what, todo }) => {
      const finding = await say(resource, of, typeof world === 'function' ? world(of) : world)
      expect(finding?.why).toMatch(what)
      expect(finding?.todo).toMatch(todo)
      // Two sentences, each with its end.
      expect(finding?.why).toMatch(/^[A-Z\d].*[.]$/)
      expect(finding?.todo).toMatch(/^[A-Z].*[.]$/)
    }),
  )

faults('pods', [
  {
    title: 'no nodes',
    of: unplaced('no nodes available to schedule pods'),
    world: { nodes: [] },
    why: /no node/,
    todo: /kedge token create --join/,
  },
  {
    title: 'not enough CPU anywhere',
    of: unplaced('0/1 nodes are available: 1 Insufficient cpu. preemption: …', { container: { resources: { requests: { cpu: '3' } } } }),
    world: n1,
    why: /asks for 3 of CPU.*n1 has the most left, 2/,
    todo: /Lower its request for cpu/,
  },
  {
    title: 'not enough memory where it fits',
    of: unplaced("0/2 nodes are available: 1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector.", {
      container: { resources: { requests: { memory: '8Gi' } } },
    }),
    world: n1,
    why: /asks for 8192Mi of memory.*On others, no node has/,
    todo: /memory/,
  },
  {
    title: 'as many pods as fit',
    of: unplaced('0/1 nodes are available: 1 Too many pods. 1 Insufficient pods.'),
    world: n1,
    why: /as many pods as it may/,
    todo: /Join another machine/,
  },
  {
    title: 'a label that no node has',
    of: unplaced("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", { nodeSelector: { disk: 'ssd' } }),
    world: n1,
    why: /label disk=ssd/,
    todo: /kubectl label node NODE disk=ssd/,
  },
  {
    title: 'a taint',
    of: unplaced('0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.'),
    world: n1,
    why: /taint dedicated=gpu/,
    todo: /toleration for dedicated/,
  },
  {
    title: 'nodes that are lost',
    of: unplaced('0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.'),
    world: n1,
    why: /unreachable/,
    todo: /Bring these nodes back/,
  },
  {
    title: 'cordoned nodes',
    of: unplaced('0/1 nodes are available: 1 node(s) were unschedulable.'),
    world: n1,
    why: /cordoned/,
    todo: /uncordon/,
  },
  {
    title: 'a host port that is taken',
    of: unplaced("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.", {
      container: { ports: [{ hostPort: 80 }] },
    }),
    world: n1,
    why: /host port 80/,
    todo: /another hostPort/,
  },
  {
    title: 'anti-affinity',
    of: unplaced("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."),
    world: n1,
    why: /must not be beside/,
    todo: /preference/,
  },
  {
    title: 'a spread that cannot be',
    of: unplaced("0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints."),
    world: n1,
    why: /topology spread/,
    todo: /maxSkew/,
  },
  {
    title: 'a claim that is not there',
    of: unplaced('0/1 nodes are available: persistentvolumeclaim "data" not found.'),
    world: n1,
    why: /claim data, which is not there/,
    todo: /Create the PersistentVolumeClaim data/,
  },
  {
    title: 'a claim without a volume',
    of: unplaced('0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.', {
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
    }),
    world: { ...n1, persistentvolumeclaims: [object('data', { spec: { storageClassName: 'fast' }, status: { phase: 'Pending' } })] },
    why: /waits for the claim data: there is no storage class fast/,
    todo: /StorageClass fast/,
  },
  {
    title: 'gates',
    of: pod({ nodeName: undefined, schedulingGates: [{ name: 'example.com/approved' }] }),
    world: n1,
    why: /example\.com\/approved/,
    todo: /schedulingGates/,
  },
  {
    title: 'a scheduler that is not there',
    of: pod({ nodeName: undefined, schedulerName: 'mine' }),
    world: n1,
    why: /placed by mine/,
    todo: /Start that scheduler/,
  },
  {
    title: 'an image that is not there',
    of: pod({}, waits('ImagePullBackOff', 'manifest unknown')),
    world: n1,
    why: /there is no image web:1/,
    todo: /name or tag/,
  },
  {
    title: 'an image that it may not have',
    of: pod({}, waits('ErrImagePull', 'pull access denied for web')),
    world: n1,
    why: /does not let it have web:1/,
    todo: /imagePullSecrets/,
  },
  {
    title: 'credentials that are not there',
    of: pod({ imagePullSecrets: [{ name: 'hub' }] }, waits('ImagePullBackOff', 'unauthorized')),
    world: { ...n1, secrets: [] },
    why: /Secret hub that it names is not there/,
    todo: /docker-registry/,
  },
  {
    title: 'too many pulls',
    of: pod({}, waits('ErrImagePull', 'toomanyrequests: You have reached your pull rate limit')),
    world: n1,
    why: /no more images/,
    todo: /mirror/,
  },
  {
    title: 'another processor',
    of: pod({}, waits('ErrImagePull', 'no matching manifest for linux/arm64')),
    world: n1,
    why: /not made for the processor/,
    todo: /architecture/,
  },
  {
    title: 'a registry without a name',
    of: pod({}, waits('ErrImagePull', 'dial tcp: lookup hub.test: no such host')),
    world: n1,
    why: /cannot be found/,
    todo: /DNS/,
  },
  {
    title: 'a registry that is away',
    of: pod({}, waits('ErrImagePull', 'connect: connection refused')),
    world: n1,
    why: /cannot be reached/,
    todo: /runs/,
  },
  {
    title: 'a certificate that is not trusted',
    of: pod({}, waits('ErrImagePull', 'x509: certificate signed by unknown authority')),
    world: n1,
    why: /does not trust/,
    todo: /certs\.d/,
  },
  {
    title: 'what is no image',
    of: pod({ container: { image: 'Web:1' } }, waits('InvalidImageName')),
    world: n1,
    why: /no name of an image/,
    todo: /Correct/,
  },
  {
    title: 'an image that is never pulled',
    of: pod({}, waits('ErrImageNeverPull')),
    world: n1,
    why: /imagePullPolicy is Never/,
    todo: /IfNotPresent/,
  },
  {
    title: 'a secret for its environment',
    of: pod({}, waits('CreateContainerConfigError', 'secret "db" not found')),
    world: n1,
    why: /Secret db, which is not there/,
    todo: /Create the Secret db in namespace default/,
  },
  {
    title: 'a key for its environment',
    of: pod({}, waits('CreateContainerConfigError', "couldn't find key url in ConfigMap default/settings")),
    world: { ...n1, configmaps: [object('settings', { data: { uri: 'x' } })] },
    why: /wants the key url of the ConfigMap settings, which has only uri/,
    todo: /Add the key/,
  },
  {
    title: 'root that must not be',
    of: pod({}, waits('CreateContainerConfigError', 'container has runAsNonRoot and image will run as root')),
    world: n1,
    why: /must not run as root/,
    todo: /runAsUser/,
  },
  {
    title: 'a command that is not there',
    of: pod({}, waits('RunContainerError', 'exec: "serv": executable file not found in $PATH')),
    world: n1,
    why: /command of container c is not in its image/,
    todo: /command and args/,
  },
  {
    title: 'killed for memory',
    of: pod({ container: { resources: { limits: { memory: '64Mi' } } } }, crashed({ exitCode: 137, reason: 'OOMKilled' })),
    world: n1,
    why: /killed for memory: it may have 64Mi \(5 restarts\)/,
    todo: /Raise its memory limit.*kubectl logs web-1 -c c --previous/,
  },
  {
    title: 'it exits with a fault',
    of: pod({}, crashed({ exitCode: 2, message: 'no such table\n' })),
    world: n1,
    why: /exited with 2 \(5 restarts\), saying: no such table/,
    todo: /--previous/,
  },
  { title: 'it ends by itself', of: pod({}, crashed({ exitCode: 0 })), world: n1, why: /ends by itself/, todo: /Job/ },
  {
    title: 'a segmentation fault',
    of: pod({}, crashed({ exitCode: 139 }, 1)),
    world: n1,
    why: /SIGSEGV.*\(1 restart\)/,
    todo: /Read what it said/,
  },
  {
    title: 'a liveness probe that kills',
    of: pod({}, crashed({ exitCode: 137 })),
    world: (o) => ({ ...n1, events: [told(o, 'Unhealthy', 'Liveness probe failed: HTTP probe failed with statuscode: 500')] }),
    why: /killed by its liveness probe \(5 restarts\): HTTP probe failed with statuscode: 500/,
    todo: /timeoutSeconds/,
  },
  {
    title: 'a readiness probe that fails',
    of: pod({ container: { readinessProbe: {} } }, runs()),
    world: (o) => ({ ...n1, events: [told(o, 'Unhealthy', 'Readiness probe failed: dial tcp 10.244.0.5:80: connection refused')] }),
    why: /not ready: its readiness probe says dial tcp/,
    todo: /kubectl logs/,
  },
  {
    title: 'a startup probe that has not succeeded',
    of: pod({ container: { startupProbe: {} } }, runs({ started: false })),
    world: n1,
    why: /has not started yet/,
    todo: /Give it time/,
  },
  {
    title: 'a gate of readiness',
    of: pod({ readinessGates: [{ conditionType: 'example.com/ok' }] }, runs({ ready: true })),
    world: n1,
    why: /readiness gate example\.com\/ok/,
    todo: /sets that condition/,
  },
  {
    title: 'an init container that waits',
    of: pod(
      { initContainers: [{ name: 'wait', image: 'x' }] },
      { initContainerStatuses: [{ name: 'wait', state: { running: { startedAt: '2026-01-01T00:40:00Z' } } }] },
    ),
    world: n1,
    why: /init container wait has run for 20 minutes/,
    todo: /logs web-1 -c wait/,
  },
  {
    title: 'a config map for a volume',
    of: pod({ volumes: [{ name: 'v', configMap: { name: 'settings' } }] }, waits('ContainerCreating')),
    world: { ...n1, configmaps: [] },
    why: /volume v is made of the ConfigMap settings/,
    todo: /Create the ConfigMap settings/,
  },
  {
    title: 'a driver that its node has not',
    of: pod({}, waits('ContainerCreating')),
    world: (o) => ({
      ...n1,
      events: [told(o, 'FailedMount', 'driver name disk.example.com not found in the list of registered CSI drivers')],
    }),
    why: /no CSI driver disk\.example\.com/,
    todo: /DaemonSet on n1/,
  },
  {
    title: 'a node that is lost',
    of: pod({}, runs()),
    world: { nodes: [node('n1', { status: { conditions: [condition('Ready', 'Unknown', '', 'Kubelet stopped posting node status.')] } })] },
    why: /n1 is not Ready/,
    todo: /why node\/n1/,
  },
  {
    title: 'evicted',
    of: pod({}, { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' }),
    world: n1,
    why: /low on resource: memory/,
    todo: /requests/,
  },
  {
    title: 'preempted',
    of: pod(
      {},
      {
        phase: 'Failed',
        conditions: [
          condition(
            'DisruptionTarget',
            'True',
            'PreemptionByScheduler',
            'default-scheduler: preempting to accommodate a higher priority pod',
          ),
        ],
      },
    ),
    world: n1,
    why: /higher priority/,
    todo: /priorityClassName/,
  },
  {
    title: 'too late',
    of: pod({ activeDeadlineSeconds: 30 }, { phase: 'Failed', reason: 'DeadlineExceeded' }),
    world: n1,
    why: /longer than the 30 s/,
    todo: /more time/,
  },
  {
    title: 'it ends on a node that is gone',
    of: pod({}, runs(), { deletionTimestamp: '2026-01-01T00:30:00Z' }),
    world: { nodes: [] },
    why: /node n1 is gone/,
    todo: /--force/,
  },
  {
    title: 'it waits for a finalizer',
    of: pod({}, runs(), { deletionTimestamp: '2026-01-01T00:30:00Z', finalizers: ['example.com/hold'] }),
    world: n1,
    why: /waits for example\.com\/hold/,
    todo: /finalizer/,
  },
])

const web = object('web', { spec: { replicas: 2 }, status: { replicas: 1, readyReplicas: 0 } })
const set = owned(
  object('web-1', {
    metadata: { annotations: { 'deployment.kubernetes.io/revision': '2' } },
    spec: { replicas: 2 },
    status: { readyReplicas: 0 },
  }),
  web,
)
const refusal = (message: string): World => ({
  ...n1,
  'replicasets.apps': [{ ...set, status: { conditions: [condition('ReplicaFailure', 'True', 'FailedCreate', message)] } }],
})
faults('deployments.apps', [
  {
    title: 'its pods crash',
    of: web,
    world: { ...n1, 'replicasets.apps': [set], pods: [owned(pod({}, crashed({ exitCode: 1 })), set)] },
    why: /2 of 2 pods are not ready, as pod web-1: container c does not stay up/,
    todo: /logs/,
  },
  {
    title: 'a quota that is used up',
    of: web,
    world: refusal('pods "web-1-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4'),
    why: /quota team is used up: another pod wants pods=1, and pods=4 is the limit/,
    todo: /Raise the quota/,
  },
  {
    title: 'a quota that wants requests',
    of: web,
    world: refusal('pods "web-1-x" is forbidden: failed quota: team: must specify limits.cpu for: c'),
    why: /quota team wants its pods to say limits\.cpu/,
    todo: /LimitRange/,
  },
  {
    title: 'what the namespace does not allow',
    of: web,
    world: refusal('pods "web-1-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'),
    why: /allows no such pod \(PodSecurity restricted:latest\): runAsNonRoot != true/,
    todo: /pod template/,
  },
  {
    title: 'no service account',
    of: web,
    world: refusal('pods "web-1-x" is forbidden: error looking up service account default/deployer: serviceaccount "deployer" not found'),
    why: /service account deployer is not there/,
    todo: /create serviceaccount deployer/,
  },
  {
    title: 'a webhook that refuses',
    of: web,
    world: refusal('admission webhook "images.example.com" denied the request: no tag'),
    why: /webhook images\.example\.com refuses its pods: no tag/,
    todo: /as it wants/,
  },
  {
    title: 'a webhook that is away',
    of: web,
    world: refusal('failed calling webhook "images.example.com": no endpoints available'),
    why: /cannot be asked: no endpoints/,
    todo: /failurePolicy/,
  },
  {
    title: 'paused',
    of: object('web', { spec: { replicas: 2, paused: true }, status: {} }),
    why: /paused/,
    todo: /rollout resume deployment\/web/,
  },
  { title: 'scaled to none', of: object('web', { spec: { replicas: 0 }, status: {} }), why: /scaled to none/, todo: /--replicas=1/ },
])

const db = object('db', {
  spec: { replicas: 3 },
  status: { readyReplicas: 1, updateRevision: 'b', currentRevision: 'a', updatedReplicas: 1 },
})
faults('statefulsets.apps', [
  {
    title: 'one after the other',
    of: db,
    world: {
      ...n1,
      pods: [owned({ ...pod({}, waits('ImagePullBackOff', 'not found')), metadata: { ...pod().metadata, name: 'db-1' } }, db)],
    },
    why: /one pod after the other, and waits for pod db-1: the image/,
    todo: /name or tag/,
  },
  {
    title: 'an update on delete',
    of: object('db', {
      spec: { replicas: 3, updateStrategy: { type: 'OnDelete' } },
      status: { readyReplicas: 3, updateRevision: 'b', currentRevision: 'a' },
    }),
    why: /waits for somebody to delete/,
    todo: /RollingUpdate/,
  },
  {
    title: 'a partition',
    of: object('db', {
      spec: { replicas: 3, updateStrategy: { rollingUpdate: { partition: 2 } } },
      status: { readyReplicas: 3, updateRevision: 'b', currentRevision: 'a', updatedReplicas: 1 },
    }),
    why: /pods below 2 stay/,
    todo: /partition/,
  },
])
faults('daemonsets.apps', [
  {
    title: 'no node for it',
    of: object('agent', { spec: { template: { spec: { nodeSelector: { disk: 'ssd' } } } }, status: { desiredNumberScheduled: 0 } }),
    why: /No node has the label disk=ssd/,
    todo: /label node/,
  },
])
const job = object('import', { spec: { backoffLimit: 2 }, status: { conditions: [condition('Failed', 'True', 'BackoffLimitExceeded')] } })
faults('jobs.batch', [
  {
    title: 'given up',
    of: job,
    world: {
      ...n1,
      pods: [owned(pod({}, { phase: 'Failed', containerStatuses: [{ name: 'c', state: { terminated: { exitCode: 3 } } }] }), job)],
    },
    why: /given up after 3 attempts; pod web-1: container c does not stay up: it exited with 3/,
    todo: /logs/,
  },
  { title: 'suspended', of: object('import', { spec: { suspend: true }, status: {} }), why: /suspended/, todo: /"suspend":false/ },
])
const nightly = object('nightly', { spec: { concurrencyPolicy: 'Forbid' }, status: {} })
faults('cronjobs.batch', [
  { title: 'suspended', of: object('nightly', { spec: { suspend: true }, status: {} }), why: /suspended/, todo: /"suspend":false/ },
  {
    title: 'the last one has not ended',
    of: nightly,
    world: { 'jobs.batch': [owned(object('nightly-1', { spec: {}, status: { active: 1, startTime: '2026-01-01T00:00:00Z' } }), nightly)] },
    why: /nightly-1 has not ended, for 60 minutes/,
    todo: /\./,
  },
])
faults('services', [
  {
    title: 'nobody has its labels',
    of: object('web', { spec: { selector: { app: 'wbe' }, ports: [{ port: 80 }] } }),
    world: { pods: [pod({}, runs())] },
    why: /No pod has the labels app=wbe.*web-1 has app=web/,
    todo: /selector/,
  },
  {
    title: 'a port of no name',
    of: object('web', { spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] } }),
    world: { pods: [pod({}, runs())] },
    why: /port named http, and no container/,
    todo: /ports\[\]\.name/,
  },
  {
    title: 'nobody is ready',
    of: object('web', { spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 80 }] } }),
    world: { ...n1, pods: [pod({}, crashed({ exitCode: 1 }))] },
    why: /None of its 1 pods is ready; pod web-1: container c/,
    todo: /logs/,
  },
  { title: 'nobody behind it', of: object('web', { spec: { ports: [{ port: 80 }] } }), why: /selects no pods/, todo: /EndpointSlice/ },
  {
    title: 'no address for outside',
    of: object('web', { spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 80 }] }, status: {} }),
    world: (o) => ({
      pods: [pod({}, { ...runs({ ready: true }), conditions: [READY] })],
      events: [
        told(o, 'SyncLoadBalancerFailed', 'Error syncing load balancer: port 80/TCP of the nodes is taken by service default/other'),
      ],
    }),
    why: /no address for outside.*taken by service default\/other/,
    todo: /another port/,
  },
])
faults('ingresses.networking.k8s.io', [
  {
    title: 'no such service',
    of: object('web', { spec: { rules: [{ http: { paths: [{ backend: { service: { name: 'web', port: { number: 80 } } } }] } }] } }),
    world: { services: [] },
    why: /service web, which is not there/,
    todo: /503/,
  },
  {
    title: 'no such port',
    of: object('web', { spec: { defaultBackend: { service: { name: 'web', port: { number: 81 } } } } }),
    world: { services: [object('web', { spec: { ports: [{ port: 80, name: 'http' }] } })] },
    why: /port 81 of the service web, which has 80 \(http\)/,
    todo: /Correct the port/,
  },
  {
    title: 'no such class',
    of: object('web', { spec: { ingressClassName: 'mine' } }),
    world: { 'ingressclasses.networking.k8s.io': [wide('haproxy')] },
    why: /no ingress class mine/,
    todo: /haproxy/,
  },
])
const claim = (spec: any = {}) =>
  object('data', { spec: { resources: { requests: { storage: '5Gi' } }, ...spec }, status: { phase: 'Pending' } })
faults('persistentvolumeclaims', [
  {
    title: 'no class and no default',
    of: claim(),
    why: /names no storage class, and the cluster has no default/,
    todo: /is-default-class/,
  },
  {
    title: 'a class that waits for a pod',
    of: claim({ storageClassName: 'local' }),
    world: {
      'storageclasses.storage.k8s.io': [wide('local', { provisioner: 'kedge.dev/local', volumeBindingMode: 'WaitForFirstConsumer' })],
    },
    why: /waits for the first pod/,
    todo: /Create a pod/,
  },
  {
    title: 'volumes that are too small',
    of: claim({ storageClassName: 'manual' }),
    world: {
      'storageclasses.storage.k8s.io': [wide('manual', { provisioner: 'kubernetes.io/no-provisioner' })],
      persistentvolumes: [
        wide('one', { spec: { storageClassName: 'manual', capacity: { storage: '1Gi' } }, status: { phase: 'Available' } }),
      ],
    },
    why: /as large as the 5Gi/,
    todo: /PersistentVolume that fits/,
  },
  {
    title: 'it is used, and being deleted',
    of: { ...claim(), metadata: { ...claim().metadata, deletionTimestamp: '2026-01-01T00:30:00Z' } },
    world: { pods: [pod({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] }, runs())] },
    why: /stays as long as web-1 uses it/,
    todo: /Delete these pods/,
  },
])
faults('persistentvolumes', [
  {
    title: 'released',
    of: wide('v', { spec: { claimRef: { namespace: 'a', name: 'b' } }, status: { phase: 'Released' } }),
    why: /claim a\/b is gone/,
    todo: /claimRef/,
  },
])
faults('nodes', [
  {
    title: 'not heard of',
    of: node('n1', { status: { conditions: [condition('Ready', 'Unknown')] } }),
    why: /not been heard of for 10 minutes/,
    todo: /kedge node doctor/,
  },
  { title: 'cordoned', of: node('n1', { spec: { unschedulable: true } }), why: /cordoned/, todo: /uncordon n1/ },
  {
    title: 'short of disk',
    of: node('n1', { status: { conditions: [READY, condition('DiskPressure', 'True')] } }),
    why: /short of disk/,
    todo: /unused images/,
  },
])
faults('horizontalpodautoscalers.autoscaling', [
  {
    title: 'pods that ask for nothing',
    of: object('web', {
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'web' } },
      status: { conditions: [condition('ScalingActive', 'False', 'FailedGetResourceMetric', 'missing request for cpu in container c')] },
    }),
    why: /share of the cpu/,
    todo: /resources\.requests\.cpu/,
  },
  {
    title: 'nothing to scale',
    of: object('web', {
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'wbe' } },
      status: { conditions: [condition('AbleToScale', 'False', 'FailedGetScale')] },
    }),
    why: /Deployment wbe, is not there/,
    todo: /scaleTargetRef/,
  },
])
faults('poddisruptionbudgets.policy', [
  {
    title: 'all have to stay',
    of: object('web', {
      spec: { selector: { matchLabels: { app: 'web' } } },
      status: { disruptionsAllowed: 0, desiredHealthy: 2, currentHealthy: 2, expectedPods: 2 },
    }),
    why: /all 2 of 2 have to stay/,
    todo: /maxUnavailable/,
  },
])
faults('namespaces', [
  {
    title: 'something remains in it',
    of: wide('old', {
      status: {
        phase: 'Terminating',
        conditions: [
          condition(
            'NamespaceFinalizersRemaining',
            'True',
            '',
            'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
          ),
        ],
      },
    }),
    why: /example\.com\/hold/,
    todo: /finalizers/,
  },
])
faults('resourcequotas', [
  {
    title: 'used up',
    of: object('team', { status: { hard: { pods: '4', cpu: '2' }, used: { pods: '4', cpu: '1' } } }),
    why: /used up: pods 4 of 4\./,
    todo: /Raise it/,
  },
])
faults('deploydeliveries.deploy.kedge.dev', [
  {
    title: 'taken back',
    of: object('web-1', { spec: {}, status: { phase: 'RolledBack', message: 'the rollout was not done in 60 s; back to web:1' } }),
    why: /taken back: the rollout was not done in 60 s/,
    todo: /replay/,
  },
])

test.each<[string, string, KObject, World]>([
  ['a pod that runs', 'pods', pod({}, { ...runs({ ready: true }), conditions: [READY] }), n1],
  ['a pod that is done', 'pods', pod({}, { phase: 'Succeeded' }), n1],
  [
    'a deployment',
    'deployments.apps',
    object('web', { spec: { replicas: 1 }, status: { replicas: 1, updatedReplicas: 1, availableReplicas: 1 } }),
    {},
  ],
  ['a claim', 'persistentvolumeclaims', object('data', { spec: {}, status: { phase: 'Bound' } }), {}],
  ['a node', 'nodes', node('n1'), {}],
  ['a namespace', 'namespaces', wide('a', { status: { phase: 'Active' } }), {}],
])('nothing is said of %s', async (_, resource, o, world) => expect(await say(resource, o, world)).toBeUndefined())

test('of what may not be read nothing is said', async () => {
  const o = pod({ volumes: [{ name: 'v', secret: { secretName: 'x' } }] }, waits('ContainerCreating'))
  const found = await why(
    'pods',
    o,
    (r) => (['secrets', 'nodes'].includes(r) ? Promise.reject(new Error('forbidden')) : Promise.resolve([])),
    NOW,
  )
  expect(found?.why).toMatch(/has been making it ready/)
})
test('what nobody knows is told', async () =>
  await expect(why('leases.coordination.k8s.io', pod(), async () => [], NOW)).rejects.toThrow(/nothing is known/))
