// What is said of objects: the numbers of one of each kind.
import { describe, expect, test } from 'vitest'
import type { KObject } from '../../../shared/meta/object.ts'
import { expositionOf, KeptLines, linesOf, objectMetrics } from './objects.ts'

const meta = (more: object = {}) => ({
  name: 'x',
  namespace: 'default',
  uid: 'u',
  resourceVersion: '7',
  generation: 2,
  creationTimestamp: '2026-01-01T00:00:00Z',
  ...more,
})
const said = (resource: string, o: object): string[] => {
  const kind = objectMetrics.find((k) => k.resource === resource)!
  return [...expositionOf(kind, [linesOf(kind, { metadata: meta(), ...o } as KObject)])].join('').split('\n')
}
const POD = 'namespace="default",pod="x",uid="u"'
const yes = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:10Z' }]

describe.each<[resource: string, object: object, lines: string[], not?: RegExp]>([
  [
    'pods',
    {
      metadata: meta({ ownerReferences: [{ kind: 'ReplicaSet', name: 'web-1', uid: 'o', controller: true }] }),
      spec: {
        nodeName: 'n1',
        restartPolicy: 'Always',
        containers: [{ name: 'c', image: 'web:1', resources: { requests: { cpu: '250m', memory: '64Mi', 'example.com/gpu': '1' } } }],
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
      },
      status: {
        phase: 'Running',
        podIP: '10.244.0.5',
        podIPs: [{ ip: '10.244.0.5' }, { ip: 'fd00::5' }],
        qosClass: 'Burstable',
        conditions: yes,
        containerStatuses: [
          {
            name: 'c',
            image: 'web:1',
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-01-01T00:01:00Z' } },
          },
        ],
      },
    },
    [
      `kube_pod_info{${POD},host_ip="",pod_ip="10.244.0.5",node="n1",created_by_kind="ReplicaSet",created_by_name="web-1",priority_class="",host_network="false"} 1`,
      `kube_pod_ips{${POD},ip="fd00::5",ip_family="6"} 1`,
      `kube_pod_owner{${POD},owner_kind="ReplicaSet",owner_name="web-1",owner_is_controller="true"} 1`,
      `kube_pod_status_phase{${POD},phase="Running"} 1`,
      `kube_pod_status_phase{${POD},phase="Pending"} 0`,
      `kube_pod_status_ready{${POD},condition="true"} 1`,
      `kube_pod_status_ready_time{${POD}} 1767225610`,
      `kube_pod_container_status_restarts_total{${POD},container="c"} 3`,
      `kube_pod_container_status_waiting_reason{${POD},container="c",reason="CrashLoopBackOff"} 1`,
      `kube_pod_container_status_last_terminated_reason{${POD},container="c",reason="OOMKilled"} 1`,
      `kube_pod_container_status_last_terminated_exitcode{${POD},container="c"} 137`,
      `kube_pod_container_resource_requests{${POD},container="c",node="n1",resource="cpu",unit="core"} 0.25`,
      `kube_pod_container_resource_requests{${POD},container="c",node="n1",resource="memory",unit="byte"} 67108864`,
      `kube_pod_container_resource_requests{${POD},container="c",node="n1",resource="example_com_gpu",unit="integer"} 1`,
      `kube_pod_spec_volumes_persistentvolumeclaims_info{${POD},volume="v",persistentvolumeclaim="data"} 1`,
    ],
    /kube_pod_init_container/,
  ],
  [
    'deployments.apps',
    {
      spec: { replicas: 10, strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } } },
      status: { replicas: 9, conditions: [{ type: 'Available', status: 'False', reason: 'Few' }] },
    },
    [
      'kube_deployment_created{namespace="default",deployment="x"} 1767225600',
      'kube_deployment_spec_replicas{namespace="default",deployment="x"} 10',
      'kube_deployment_status_replicas_ready{namespace="default",deployment="x"} 0',
      'kube_deployment_spec_strategy_rollingupdate_max_surge{namespace="default",deployment="x"} 3',
      'kube_deployment_spec_strategy_rollingupdate_max_unavailable{namespace="default",deployment="x"} 2',
      'kube_deployment_status_condition{namespace="default",deployment="x",condition="Available",status="false",reason="Few"} 1',
      'kube_deployment_metadata_generation{namespace="default",deployment="x"} 2',
    ],
  ],
  [
    'cronjobs.batch',
    { spec: { schedule: '0 * * * *', concurrencyPolicy: 'Forbid', suspend: false }, status: { lastScheduleTime: '2026-01-01T03:00:00Z' } },
    [
      'kube_cronjob_info{namespace="default",cronjob="x",schedule="0 * * * *",concurrency_policy="Forbid",timezone="local"} 1',
      'kube_cronjob_next_schedule_time{namespace="default",cronjob="x"} 1767240000',
      'kube_cronjob_spec_suspend{namespace="default",cronjob="x"} 0',
    ],
  ],
  [
    'horizontalpodautoscalers.autoscaling',
    {
      spec: {
        maxReplicas: 5,
        minReplicas: 1,
        scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' },
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } }],
      },
      status: {
        currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 20, averageValue: '100m' } } }],
      },
    },
    [
      'kube_horizontalpodautoscaler_spec_target_metric{namespace="default",horizontalpodautoscaler="x",metric_name="cpu",metric_target_type="utilization"} 60',
      'kube_horizontalpodautoscaler_status_target_metric{namespace="default",horizontalpodautoscaler="x",metric_name="cpu",metric_target_type="average"} 0.1',
    ],
  ],
  [
    'nodes',
    {
      metadata: meta({ labels: { 'node-role.kubernetes.io/edge': '' } }),
      spec: { unschedulable: true, taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] },
      status: { capacity: { cpu: '4', pods: '110' }, conditions: yes },
    },
    [
      'kube_node_role{node="x",role="edge"} 1',
      'kube_node_spec_unschedulable{node="x"} 1',
      'kube_node_spec_taint{node="x",key="a",value="b",effect="NoSchedule"} 1',
      'kube_node_status_capacity{node="x",resource="pods",unit="integer"} 110',
      'kube_node_status_condition{node="x",condition="Ready",status="true"} 1',
      'kube_node_status_condition{node="x",condition="Ready",status="unknown"} 0',
    ],
  ],
  [
    'resourcequotas',
    { status: { hard: { pods: '4' }, used: { pods: '1' } } },
    [
      'kube_resourcequota{namespace="default",resourcequota="x",resource="pods",type="hard"} 4',
      'kube_resourcequota{namespace="default",resourcequota="x",resource="pods",type="used"} 1',
    ],
  ],
  [
    'persistentvolumeclaims',
    { spec: { resources: { requests: { storage: '1Gi' } }, accessModes: ['ReadWriteOnce'] }, status: { phase: 'Bound' } },
    [
      'kube_persistentvolumeclaim_resource_requests_storage_bytes{namespace="default",persistentvolumeclaim="x"} 1073741824',
      'kube_persistentvolumeclaim_status_phase{namespace="default",persistentvolumeclaim="x",phase="Bound"} 1',
    ],
  ],
])('%s', (resource, object, lines, not) => {
  test('says what it is', () => expect(said(resource, object)).toEqual(expect.arrayContaining(lines)))
  if (not) test('and nothing else', () => expect(said(resource, object).join('\n')).not.toMatch(not))
})

test('a name is one metric, whichever kind tells it', () => {
  const names = objectMetrics.flatMap((k) => k.metrics.map((m) => m.name))
  expect(names.filter((n, i) => names.indexOf(n) !== i)).toEqual([])
  for (const n of names) expect(n).toMatch(/^kube_[a-z_]+$/)
})

test('values that would break a line are escaped', () => {
  const lines = said('secrets', { type: 'a"b\\c\nd' })
  expect(lines).toContain('kube_secret_type{namespace="default",secret="x",type="a\\"b\\\\c\\nd"} 1')
})

describe('what is kept of versions', () => {
  let made = 0
  const of = (k: KeptLines, key: string, rv: number, ...lines: string[]) =>
    k.of(key, rv, () => {
      made++
      return lines
    })
  test('the same version is made once, another anew, and what was not asked for is forgotten', () => {
    const k = new KeptLines()
    made = 0
    k.begin()
    expect(of(k, 'a', 1, 'x\n', '', 'y\n')).toEqual(['x\n', '', 'y\n'])
    of(k, 'b', 1, 'b\n')
    k.begin()
    expect(of(k, 'a', 1)).toEqual(['x\n', '', 'y\n'])
    expect(made).toBe(2)
    expect(of(k, 'a', 2, 'z\n')).toEqual(['z\n'])
    k.begin()
    expect(of(k, 'b', 1, 'b\n')).toEqual(['b\n'])
    expect(made).toBe(4)
  })
  test('what has no room is made each time', () => {
    const k = new KeptLines(3)
    made = 0
    k.begin()
    of(k, 'a', 1, 'xyz')
    expect(of(k, 'b', 1, 'xyz')).toEqual(['xyz'])
    k.begin()
    of(k, 'a', 1)
    expect(of(k, 'b', 1, 'xyz')).toEqual(['xyz'])
    expect(made).toBe(3)
  })
})
