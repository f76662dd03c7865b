// Pod: the spec is fixed once created but for images, tolerations and deadlines; status belongs to the node.

import { humanDuration } from '../meta/duration.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import type { KObject } from '../meta/object.ts'
import { isMirror } from '../meta/static-pods.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, allVerbs, type Kind, nameColumn, proxySubresource, statusVerbs, text } from './kind.ts'
import { defaultPodSpec, qosClass } from './pod-defaults.ts'
import { validatePodSpec } from './pod-validation.ts'

/** The STATUS column: kubectl's printPod, which users search by. */
function reasonOf(o: KObject): string {
  const status = o.status ?? {}
  let reason: string = status.reason || status.phase || 'Unknown'
  if (
    o.spec?.schedulingGates?.length &&
    (status.conditions ?? []).some((c: any) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated')
  )
    reason = 'SchedulingGated'
  const inits = status.initContainerStatuses ?? []
  let initializing = false
  for (const [i, c] of inits.entries()) {
    const t = c.state?.terminated
    if (t?.exitCode === 0) continue
    const sidecar = o.spec?.initContainers?.find((s: any) => s.name === c.name)?.restartPolicy === 'Always'
    if (sidecar && c.started) continue
    if (t) reason = t.reason ? `Init:${t.reason}` : t.signal ? `Init:Signal:${t.signal}` : `Init:ExitCode:${t.exitCode}`
    else if (c.state?.waiting?.reason && c.state.waiting.reason !== 'PodInitializing') reason = `Init:${c.state.waiting.reason}`
    else reason = `Init:${i}/${o.spec?.initContainers?.length ?? 0}`
    initializing = true
    break
  }
  if (!initializing) {
    let hasRunning = false
    for (const c of [...(status.containerStatuses ?? [])].reverse()) {
      const t = c.state?.terminated
      if (c.state?.waiting?.reason) reason = c.state.waiting.reason
      else if (t) reason = t.reason || (t.signal ? `Signal:${t.signal}` : `ExitCode:${t.exitCode}`)
      else if (c.ready && c.state?.running) hasRunning = true
    }
    if (reason === 'Completed' && hasRunning)
      reason = (status.conditions ?? []).some((c: any) => c.type === 'Ready' && c.status === 'True') ? 'Running' : 'NotReady'
  }
  if (o.metadata.deletionTimestamp) reason = status.reason === 'NodeLost' ? 'Unknown' : 'Terminating'
  return reason
}

function cells(o: KObject, now: number): unknown[] {
  const statuses: any[] = o.status?.containerStatuses ?? []
  const ready = statuses.filter((c) => c.ready && c.state?.running).length
  const restarts = statuses.reduce((n, c) => n + (c.restartCount ?? 0), 0)
  const last = Math.max(0, ...statuses.map((c) => Date.parse(c.lastState?.terminated?.finishedAt ?? '') || 0))
  const gates: any[] = o.spec?.readinessGates ?? []
  const met = gates.filter((g) => (o.status?.conditions ?? []).some((c: any) => c.type === g.conditionType && c.status === 'True')).length
  return [
    o.metadata.name,
    `${ready}/${o.spec?.containers?.length ?? 0}`,
    reasonOf(o),
    restarts && last ? `${restarts} (${humanDuration(now - last)} ago)` : String(restarts),
    ageOf(o, now),
    o.status?.podIP || '<none>',
    o.spec?.nodeName || '<none>',
    o.status?.nominatedNodeName || '<none>',
    gates.length ? `${met}/${gates.length}` : '<none>',
  ]
}

const mutable =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** Debugging leaves its traces: what was added stays as it was. */
function onlyAdded(o: KObject, old: KObject, e: FieldErrors): void {
  const now = new Map((o.spec.ephemeralContainers ?? []).map((c: any) => [c.name, c]))
  for (const c of old.spec.ephemeralContainers ?? []) {
    if (!now.has(c.name))
      e.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${JSON.stringify(c.name)} may not be removed\n`)
    else if (!equal(now.get(c.name), c))
      e.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${JSON.stringify(c.name)} may not be changed\n`)
  }
}

const CONTAINER_LISTS = ['containers', 'initContainers'] as const

/** Of what is asked, what containers may use; where the lists are not the same containers, all of it, to be refused. */
function takeResources(next: KObject, asked: KObject): void {
  for (const list of CONTAINER_LISTS) {
    const [to, from]: any[][] = [next.spec[list] ?? [], asked.spec?.[list] ?? []]
    if (to.length !== from.length || to.some((c, i) => c.name !== from[i].name)) {
      next.spec[list] = from
      continue
    }
    to.forEach((c, i) => {
      for (const f of ['resources', 'resizePolicy']) {
        if (from[i][f] === undefined) delete c[f]
        else c[f] = from[i][f]
      }
    })
  }
}

const withoutComputing = (c: any) => {
  const rest = (l: Record<string, string> | undefined) => {
    const { cpu: _, memory: __, ...others } = l ?? {}
    return others
  }
  return {
    ...c,
    resizePolicy: undefined,
    resources: { ...c.resources, requests: rest(c.resources?.requests), limits: rest(c.resources?.limits) },
  }
}

/** In-place resize: more or less processor and memory, for the same containers in the same class of service. */
function validateResize(o: KObject, old: KObject, e: FieldErrors): void {
  if (isMirror(old)) return void e.forbidden('', 'static pods cannot be resized')
  for (const list of CONTAINER_LISTS) {
    const [now, before]: any[][] = [o.spec[list] ?? [], old.spec[list] ?? []]
    if (now.length !== before.length) return void e.forbidden(`spec.${list}`, `${list} may not be added or removed on resize`)
    const renamed = now.findIndex((c, i) => c.name !== before[i].name)
    if (renamed >= 0) return void e.forbidden(`spec.${list}[${renamed}].name`, `${list} may not be renamed or reordered on resize`)
    now.forEach((c, i) => {
      const was = before[i]
      for (const part of ['requests', 'limits'] as const) {
        const gone = Object.keys(was.resources?.[part] ?? {}).some((name) => c.resources?.[part]?.[name] === undefined)
        if (gone) e.forbidden(`spec.${list}[${i}].resources.${part}`, `resource ${part} cannot be removed`)
      }
      const fixed = list === 'initContainers' && was.restartPolicy !== 'Always'
      if (fixed && !equal(c, was)) e.forbidden('spec', 'resources for non-sidecar init containers are immutable')
      else if (!equal(withoutComputing(c), withoutComputing(was))) e.forbidden('spec', 'only cpu and memory resources are mutable')
    })
  }
  const [now, before] = [qosClass(o.spec), old.status?.qosClass ?? qosClass(old.spec)]
  if (now !== before) e.invalid('spec', now, 'Pod QOS Class may not change as a result of resizing')
}

export const pod: Kind = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  type: 'V1Pod',
  verbs: allVerbs,
  subresources: {
    attach: { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
    binding: { kind: 'Binding', verbs: ['create'] },
    ephemeralcontainers: {
      verbs: ['get', 'patch', 'update'],
      part: {
        take: (next, asked) => {
          if (asked.spec?.ephemeralContainers?.length) next.spec.ephemeralContainers = asked.spec.ephemeralContainers
          else delete next.spec.ephemeralContainers
        },
        validate: onlyAdded,
      },
    },
    eviction: { kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
    portforward: { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
    exec: { kind: 'PodExecOptions', verbs: ['create', 'get'] },
    log: { verbs: ['get'] },
    ...proxySubresource('PodProxyOptions'),
    resize: { verbs: ['get', 'patch', 'update'], part: { take: takeResources, validate: validateResize } },
    status: { verbs: statusVerbs },
  },
  generation: true,
  defaults: (o) => {
    o.spec ??= {}
    defaultPodSpec(o.spec)
    o.spec.enableServiceLinks ??= true
  },
  prepareForCreate: (o) => {
    o.status = { phase: 'Pending' }
  },
  settle: (o) => {
    o.status.qosClass = qosClass(o.spec)
  },
  validateCreate: (o, e) => {
    if (o.spec.ephemeralContainers?.length) e.forbidden('spec.ephemeralContainers', 'cannot be set on create')
  },
  prepareForUpdate: (o, old) => {
    o.status = old.status
  },
  validate: (o, e) => validatePodSpec(o.spec, 'spec', e),
  validateUpdate: (o, old, e) => {
    const freeze = (spec: any, from: any) => ({
      ...spec,
      activeDeadlineSeconds: from.activeDeadlineSeconds,
      tolerations: from.tolerations,
      schedulingGates: from.schedulingGates,
      containers: spec.containers?.map((c: any, i: number) => ({ ...c, image: from.containers?.[i]?.image })),
      initContainers: spec.initContainers?.map((c: any, i: number) => ({ ...c, image: from.initContainers?.[i]?.image })),
    })
    if (!equal(freeze(o.spec, old.spec), freeze(old.spec, old.spec))) e.forbidden('spec', mutable)
  },
  fields: (o) => ({
    'spec.nodeName': o.spec?.nodeName ?? '',
    'spec.restartPolicy': o.spec?.restartPolicy ?? '',
    'spec.schedulerName': o.spec?.schedulerName ?? '',
    'spec.serviceAccountName': o.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': String(!!o.spec?.hostNetwork),
    'status.phase': o.status?.phase ?? '',
    'status.podIP': o.status?.podIP ?? '',
    'status.nominatedNodeName': o.status?.nominatedNodeName ?? '',
  }),
  columns: [
    nameColumn,
    text('Ready', 'The aggregate readiness state of this pod for accepting traffic.'),
    text('Status', 'The aggregate status of the containers in this pod.'),
    text(
      'Restarts',
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    ),
    ageColumn,
    text('IP', 'IP address of the pod.', 1),
    text('Node', 'The node that the pod runs on.', 1),
    text('Nominated Node', 'The node that preemption made room on for this pod.', 1),
    text('Readiness Gates', 'The readiness gates that are met, of all.', 1),
  ],
  cells,
  deleteReturnsObject: true,
  // A pod that no node holds goes at once; a bound one waits for its node to stop it.
  gracePeriod: (o, asked) => {
    if (!o.spec?.nodeName || o.status?.phase === 'Succeeded' || o.status?.phase === 'Failed') return 0
    const wanted = asked ?? o.spec.terminationGracePeriodSeconds ?? 30
    return wanted < 0 ? 1 : wanted
  },
}
