// What kube-state-metrics says of pods and their containers.
import { familyOf } from '../../../shared/meta/address.ts'
import { condition } from '../../../shared/meta/conditions.ts'
import { controllerOf, type KObject } from '../../../shared/meta/object.ts'
import {
  created,
  info,
  type Labels,
  type Metric,
  number,
  type ObjectMetrics,
  oneOf,
  owners,
  resources,
  several,
  text,
  time,
} from './metric.ts'

const PHASES = ['Pending', 'Succeeded', 'Failed', 'Unknown', 'Running']
const REASONS = ['Evicted', 'NodeAffinity', 'NodeLost', 'Shutdown', 'UnexpectedAdmissionError']
const YES_NO = ['true', 'false', 'unknown']
const POD = 'kube_pod'

const since = (type: string) => (o: KObject) => {
  const c = condition(o, type)
  return c?.status === 'True' ? c.lastTransitionTime : undefined
}
const isCondition = (name: string, help: string, type: string): Metric =>
  several(name, help, (o) => {
    const c = condition(o, type)
    return c ? oneOf('condition', YES_NO, text(c.status).toLowerCase()) : []
  })

interface Container {
  spec: any
  status: any
  labels: Labels
}

/** The containers of one list, each with what is known of it. */
const containersIn =
  (list: 'containers' | 'initContainers', statuses: string) =>
  (o: KObject): Container[] =>
    (o.spec[list] ?? []).map((spec: any) => ({
      spec,
      status: o.status?.[statuses]?.find((s: any) => s.name === spec.name),
      labels: { container: spec.name },
    }))

type Known = Container & { status: NonNullable<any> }

/** The same of both kinds of containers, under names that tell them apart. */
function containerMetrics(prefix: string, of: (o: KObject) => Container[]): Metric[] {
  const known = (o: KObject): Known[] => of(o).filter((c) => c.status)
  const each = (name: string, help: string, say: (c: Known) => [Labels, number] | undefined, type: Metric['type'] = 'gauge') =>
    several(
      `${prefix}_${name}`,
      help,
      (o) =>
        known(o).flatMap((c) => {
          const said = say(c)
          return said ? [[{ ...c.labels, ...said[0] }, said[1]] as const] : []
        }),
      type,
    )
  const state = (c: Known, which: string) => c.status.state?.[which]
  const last = (c: Known) => c.status.lastState?.terminated
  return [
    info(`${prefix}_info`, 'Information about a container in a pod.', (o) =>
      known(o).map((c) => ({
        ...c.labels,
        image_spec: text(c.spec.image),
        image: text(c.status.image),
        image_id: text(c.status.imageID),
        container_id: text(c.status.containerID),
        ...(prefix.includes('init') ? { restart_policy: text(c.spec.restartPolicy) } : {}),
      })),
    ),
    each('status_waiting', 'Describes whether the container is currently in waiting state.', (c) => [{}, Number(!!state(c, 'waiting'))]),
    each('status_waiting_reason', 'Describes the reason the container is currently in waiting state.', (c) =>
      state(c, 'waiting')?.reason ? [{ reason: state(c, 'waiting').reason }, 1] : undefined,
    ),
    each('status_running', 'Describes whether the container is currently in running state.', (c) => [{}, Number(!!state(c, 'running'))]),
    each('status_terminated', 'Describes whether the container is currently in terminated state.', (c) => [
      {},
      Number(!!state(c, 'terminated')),
    ]),
    each('status_terminated_reason', 'Describes the reason the container is currently in terminated state.', (c) =>
      state(c, 'terminated')?.reason ? [{ reason: state(c, 'terminated').reason }, 1] : undefined,
    ),
    each('status_last_terminated_reason', 'Describes the last reason the container was in terminated state.', (c) =>
      last(c)?.reason ? [{ reason: last(c).reason }, 1] : undefined,
    ),
    each('status_last_terminated_exitcode', 'Describes the exit code for the last container in terminated state.', (c) =>
      last(c) ? [{}, last(c).exitCode ?? 0] : undefined,
    ),
    each('status_last_terminated_timestamp', 'Last terminated time for a pod container in unix timestamp.', (c) =>
      last(c)?.finishedAt ? [{}, Date.parse(last(c).finishedAt) / 1000] : undefined,
    ),
    each('status_ready', 'Describes whether the containers readiness check succeeded.', (c) => [{}, Number(!!c.status.ready)]),
    each('status_restarts_total', 'The number of container restarts per container.', (c) => [{}, c.status.restartCount ?? 0], 'counter'),
    each('state_started', 'Start time in unix timestamp for a pod container.', (c) => {
      const at = state(c, 'running')?.startedAt ?? state(c, 'terminated')?.startedAt
      return at ? [{}, Date.parse(at) / 1000] : undefined
    }),
    ...(['requests', 'limits'] as const).map((what) =>
      several(
        `${prefix}_resource_${what}`,
        what === 'requests'
          ? 'The number of requested request resource by a container.'
          : 'The number of requested limit resource by a container.',
        (o) => of(o).flatMap((c) => resources(c.spec.resources?.[what], { ...c.labels, node: text(o.spec.nodeName) })),
      ),
    ),
  ]
}

export const podMetrics: ObjectMetrics = {
  resource: 'pods',
  labels: (o) => ({ namespace: text(o.metadata.namespace), pod: o.metadata.name, uid: o.metadata.uid }),
  metrics: [
    info(`${POD}_info`, 'Information about pod.', (o) => {
      const by = controllerOf(o)
      return {
        host_ip: text(o.status?.hostIP),
        pod_ip: text(o.status?.podIP),
        node: text(o.spec.nodeName),
        created_by_kind: text(by?.kind),
        created_by_name: text(by?.name),
        priority_class: text(o.spec.priorityClassName),
        host_network: String(!!o.spec.hostNetwork),
      }
    }),
    info(`${POD}_ips`, 'Pod IP addresses', (o) =>
      (o.status?.podIPs ?? []).map(({ ip }: any) => ({ ip, ip_family: familyOf(ip) === 'IPv6' ? '6' : '4' })),
    ),
    time(`${POD}_start_time`, 'Start time in unix timestamp for a pod.', (o) => o.status?.startTime),
    time(`${POD}_completion_time`, 'Completion time in unix timestamp for a pod.', (o) =>
      ['Succeeded', 'Failed'].includes(o.status?.phase)
        ? (o.status.containerStatuses ?? [])
            .map((s: any) => s.state?.terminated?.finishedAt)
            .filter(Boolean)
            .sort()
            .at(-1)
        : undefined,
    ),
    owners(`${POD}_owner`, "Information about the Pod's owner."),
    created('pod'),
    time(`${POD}_deletion_timestamp`, 'Unix deletion timestamp', (o) => o.metadata.deletionTimestamp),
    several(`${POD}_restart_policy`, 'Describes the restart policy in use by this pod.', (o) => [
      [{ type: text(o.spec.restartPolicy) }, 1],
    ]),
    info(`${POD}_service_account`, 'The service account for a pod.', (o) => ({ service_account: text(o.spec.serviceAccountName) })),
    time(`${POD}_status_scheduled_time`, 'Unix timestamp when pod moved into scheduled status', since('PodScheduled')),
    time(`${POD}_status_initialized_time`, 'Initialized time in unix timestamp for a pod.', since('Initialized')),
    time(`${POD}_status_container_ready_time`, 'Readiness achieved time in unix timestamp for a pod containers.', since('ContainersReady')),
    time(`${POD}_status_ready_time`, 'Readiness achieved time in unix timestamp for a pod.', since('Ready')),
    number(`${POD}_status_unschedulable`, 'Describes the unschedulable status for the pod.', (o) =>
      condition(o, 'PodScheduled')?.reason === 'Unschedulable' ? 1 : undefined,
    ),
    several(`${POD}_status_phase`, 'The pods current phase.', (o) => oneOf('phase', PHASES, o.status?.phase)),
    isCondition(`${POD}_status_ready`, 'Describes whether the pod is ready to serve requests.', 'Ready'),
    isCondition(`${POD}_status_scheduled`, 'Describes the status of the scheduling process for the pod.', 'PodScheduled'),
    several(`${POD}_status_reason`, 'The pod status reasons', (o) => oneOf('reason', REASONS, o.status?.reason)),
    info(`${POD}_status_qos_class`, 'The pods current qosClass.', (o) =>
      o.status?.qosClass ? { qos_class: o.status.qosClass } : undefined,
    ),
    info(`${POD}_spec_volumes_persistentvolumeclaims_info`, 'Information about persistentvolumeclaim volumes in a pod.', (o) =>
      (o.spec.volumes ?? [])
        .filter((v: any) => v.persistentVolumeClaim)
        .map((v: any) => ({ volume: v.name, persistentvolumeclaim: v.persistentVolumeClaim.claimName })),
    ),
    several(`${POD}_spec_volumes_persistentvolumeclaims_readonly`, 'Describes whether a persistentvolumeclaim is mounted read only.', (o) =>
      (o.spec.volumes ?? [])
        .filter((v: any) => v.persistentVolumeClaim)
        .map((v: any) => [
          { volume: v.name, persistentvolumeclaim: v.persistentVolumeClaim.claimName },
          Number(!!v.persistentVolumeClaim.readOnly),
        ]),
    ),
    info(`${POD}_tolerations`, 'Information about the pod tolerations', (o) =>
      (o.spec.tolerations ?? []).map((t: any) => ({
        key: text(t.key),
        operator: text(t.operator),
        value: text(t.value),
        effect: text(t.effect),
        toleration_seconds: text(t.tolerationSeconds),
      })),
    ),
    ...containerMetrics(`${POD}_container`, containersIn('containers', 'containerStatuses')),
    ...containerMetrics(`${POD}_init_container`, containersIn('initContainers', 'initContainerStatuses')),
  ],
}
