// What comes of deleting, scaling, restarting and draining, in plain sentences, from what is known of the objects around. Pure.
import type { KObject } from '../shared/meta/object.ts'
import { printSelector } from '../shared/meta/selector.ts'
import { isMirror } from '../shared/meta/static-pods.ts'
import type { World } from '../shared/why/world.ts'

const DEFAULT_GRACE_S = 30

const count = (n: number, what: string, many = `${what}s`): string => `${n} ${n === 1 ? what : many}`
/** A verb that fits the number. */
const does = (n: number, one: string, many: string): string => (n === 1 ? one : many)
const names = (list: readonly KObject[], most = 4): string => {
  const shown = list.slice(0, most).map((o) => o.metadata.name)
  return list.length > most ? `${shown.join(', ')} and ${list.length - most} more` : shown.join(', ')
}

/** Resources that are read to say what comes of deleting one. */
export const needs: Record<string, readonly string[]> = {
  pods: ['services', 'poddisruptionbudgets.policy'],
  'deployments.apps': ['pods', 'replicasets.apps', 'services', 'horizontalpodautoscalers.autoscaling'],
  'statefulsets.apps': ['pods', 'services', 'persistentvolumeclaims', 'horizontalpodautoscalers.autoscaling'],
  'daemonsets.apps': ['pods', 'services'],
  'replicasets.apps': ['pods'],
  'jobs.batch': ['pods'],
  'cronjobs.batch': ['jobs.batch'],
  services: ['ingresses.networking.k8s.io', 'endpointslices.discovery.k8s.io'],
  configmaps: ['pods'],
  secrets: ['pods', 'ingresses.networking.k8s.io', 'serviceaccounts'],
  serviceaccounts: ['pods'],
  persistentvolumeclaims: ['pods', 'persistentvolumes'],
  persistentvolumes: [],
  'storageclasses.storage.k8s.io': ['persistentvolumeclaims'],
  nodes: ['pods'],
  namespaces: ['pods', 'services', 'persistentvolumeclaims', 'deployments.apps', 'statefulsets.apps'],
  'customresourcedefinitions.apiextensions.k8s.io': [],
  'networkpolicies.networking.k8s.io': ['pods'],
  'deployhooks.deploy.kedge.dev': [],
}

const graceOf = (pods: readonly KObject[]): number =>
  Math.max(DEFAULT_GRACE_S, ...pods.map((p) => p.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S))

/** Pods below an object, whatever stands between. */
function podsOf(o: KObject, world: World): KObject[] {
  const sets = world.owned('replicasets.apps', o)
  return [...world.owned('pods', o), ...sets.flatMap((s) => world.owned('pods', s))]
}

/** Services that lead to nobody else than these pods. */
function servicesLeftEmpty(pods: readonly KObject[], world: World): KObject[] {
  const going = new Set(pods.map((p) => p.metadata.name))
  return world.list('services', pods[0]?.metadata.namespace).filter((s) => {
    if (!s.spec.selector) return false
    const wants = Object.entries<string>(s.spec.selector)
    const chosen = world.knows('pods')
      ? world.list('pods', s.metadata.namespace).filter((p) => wants.every(([k, v]) => p.metadata.labels?.[k] === v))
      : pods.filter((p) => wants.every(([k, v]) => p.metadata.labels?.[k] === v))
    return chosen.length > 0 && chosen.every((p) => going.has(p.metadata.name))
  })
}

function endOfPods(pods: readonly KObject[], world: World): string[] {
  if (!pods.length) return ['No pod runs because of it.']
  const out = [`${count(pods.length, 'pod')} will be stopped, with up to ${graceOf(pods)} s to end: ${names(pods)}.`]
  const empty = servicesLeftEmpty(pods, world)
  if (empty.length) out.push(`${count(empty.length, 'service')} will lead nowhere: ${names(empty)}.`)
  return out
}

const scalers = (o: KObject, world: World): KObject[] =>
  world
    .list('horizontalpodautoscalers.autoscaling', o.metadata.namespace)
    .filter((h) => h.spec.scaleTargetRef?.kind === o.kind && h.spec.scaleTargetRef.name === o.metadata.name)

/** Pods that name a config map, a secret or a claim. */
function usersOf(field: 'configMap' | 'secret' | 'claim', o: KObject, world: World): KObject[] {
  const name = o.metadata.name
  return world.list('pods', o.metadata.namespace).filter((p) => {
    if (p.status?.phase === 'Succeeded' || p.status?.phase === 'Failed') return false
    const volume = (p.spec.volumes ?? []).some((v: any) => {
      if (field === 'claim') return v.persistentVolumeClaim?.claimName === name
      const sources = v.projected?.sources ?? []
      return field === 'configMap'
        ? v.configMap?.name === name || sources.some((s: any) => s.configMap?.name === name)
        : v.secret?.secretName === name || sources.some((s: any) => s.secret?.name === name)
    })
    if (volume || field === 'claim') return volume
    const [ref, key] = field === 'configMap' ? ['configMapRef', 'configMapKeyRef'] : ['secretRef', 'secretKeyRef']
    const pull = field === 'secret' && (p.spec.imagePullSecrets ?? []).some((s: any) => s.name === name)
    return (
      pull ||
      [...(p.spec.containers ?? []), ...(p.spec.initContainers ?? [])].some(
        (c: any) =>
          (c.envFrom ?? []).some((e: any) => e[ref]?.name === name) || (c.env ?? []).some((e: any) => e.valueFrom?.[key]?.name === name),
      )
    )
  })
}

const usedBy = (users: readonly KObject[]): string[] =>
  users.length
    ? [
        `${count(users.length, 'pod')} ${does(users.length, 'uses it and will not start again', 'use it and will not start again')} without it: ${names(users)}.`,
      ]
    : ['No running pod uses it.']

/** Of deleting an object. */
export function ofDeleting(resource: string, o: KObject, world: World): string[] {
  const name = o.metadata.name
  switch (resource) {
    case 'pods': {
      const owner = o.metadata.ownerReferences?.find((r) => r.controller)
      const made = owner ? `${owner.kind} ${owner.name} makes a new one in its place.` : 'Nothing makes it anew: it belongs to nobody.'
      return [
        `It is stopped, with up to ${graceOf([o])} s to end.`,
        owner?.kind === 'Job' ? `Its job counts it as failed or starts another.` : made,
      ]
    }
    case 'deployments.apps':
    case 'statefulsets.apps':
    case 'daemonsets.apps':
    case 'replicasets.apps':
    case 'jobs.batch': {
      const out = endOfPods(podsOf(o, world), world)
      const own = scalers(o, world)
      if (own.length) out.push(`The autoscaler ${names(own)} will have nothing to scale.`)
      const sets = world.owned('replicasets.apps', o)
      if (sets.length > 1) out.push(`The history of ${count(sets.length, 'revision')} goes with it: there is no rolling back.`)
      if (resource === 'statefulsets.apps') {
        const keep = o.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted !== 'Delete'
        if (o.spec.volumeClaimTemplates?.length)
          out.push(keep ? 'Its claims and what is on them stay.' : 'Its claims are deleted too, and what is on them.')
      }
      return out
    }
    case 'cronjobs.batch': {
      const jobs = world.owned('jobs.batch', o)
      return [
        'It does not run again.',
        jobs.length
          ? `${count(jobs.length, 'job')} that it made ${does(jobs.length, 'goes', 'go')} with it, and what they run: ${names(jobs)}.`
          : 'It has no jobs now.',
      ]
    }
    case 'services': {
      const ends = world
        .list('endpointslices.discovery.k8s.io', o.metadata.namespace)
        .filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === name)
        .reduce((n, s) => n + (s.endpoints ?? []).filter((e: any) => e.conditions?.ready !== false).length, 0)
      const paths = (i: KObject): any[] => (i.spec.rules ?? []).flatMap((r: any) => r.http?.paths ?? [])
      const led = world
        .list('ingresses.networking.k8s.io', o.metadata.namespace)
        .filter((i) => i.spec.defaultBackend?.service?.name === name || paths(i).some((p) => p.backend?.service?.name === name))
      const out = [
        `Its name ${name}.${o.metadata.namespace} and its address ${o.spec.clusterIP === 'None' ? '' : (o.spec.clusterIP ?? '')} answer nobody any more.`.replace(
          ' and its address  ',
          ' ',
        ),
        `${count(ends, 'endpoint')} served it; the pods go on running.`,
      ]
      if (led.length)
        out.push(
          `${count(led.length, 'ingress', 'ingresses')} ${does(led.length, 'leads', 'lead')} to it and will answer 503: ${names(led)}.`,
        )
      return out
    }
    case 'configmaps':
      return usedBy(usersOf('configMap', o, world))
    case 'secrets': {
      const out = usedBy(usersOf('secret', o, world))
      const tls = world
        .list('ingresses.networking.k8s.io', o.metadata.namespace)
        .filter((i) => i.spec.tls?.some((t: any) => t.secretName === name))
      if (tls.length)
        out.push(`${count(tls.length, 'ingress', 'ingresses')} ${does(tls.length, 'loses its', 'lose their')} certificate: ${names(tls)}.`)
      if (o.type === 'kubernetes.io/service-account-token') out.push('Whoever uses its token is refused.')
      return out
    }
    case 'serviceaccounts': {
      const users = world.list('pods', o.metadata.namespace).filter((p) => (p.spec.serviceAccountName ?? 'default') === name)
      return [
        ...(users.length
          ? [
              `${count(users.length, 'pod')} ${does(users.length, 'runs as it; its tokens', 'run as it; their tokens')} are refused from now on: ${names(users)}.`,
            ]
          : []),
        'No pod that names it can be made any more.',
      ]
    }
    case 'persistentvolumeclaims': {
      const users = usersOf('claim', o, world)
      const volume = world.get('persistentvolumes', o.spec.volumeName)
      const policy = volume?.spec.persistentVolumeReclaimPolicy
      return [
        users.length
          ? `${count(users.length, 'pod')} ${does(users.length, 'uses', 'use')} it: it stays until ${does(users.length, 'that is', 'they are')} gone: ${names(users)}.`
          : 'No pod uses it.',
        !o.spec.volumeName
          ? 'It has no volume.'
          : policy === 'Delete'
            ? `The volume ${o.spec.volumeName} and everything on it is deleted.`
            : policy === 'Retain'
              ? `The volume ${o.spec.volumeName} and what is on it stay.`
              : `What becomes of the volume ${o.spec.volumeName} depends on its reclaim policy.`,
      ]
    }
    case 'persistentvolumes':
      return [
        o.status?.phase === 'Bound'
          ? `It is bound to ${o.spec.claimRef?.namespace}/${o.spec.claimRef?.name}: it stays until the claim is gone.`
          : 'No claim has it.',
      ]
    case 'nodes': {
      const pods = world.list('pods').filter((p) => p.spec.nodeName === name)
      return [
        `${count(pods.length, 'pod')} on it ${does(pods.length, 'is', 'are')} given up; what belongs to something is made anew elsewhere.`,
        'The machine itself is left as it is. To remove it for good: kedge node rm.',
      ]
    }
    case 'namespaces': {
      const of = (r: string, what: string) => (world.list(r, name).length ? [count(world.list(r, name).length, what)] : [])
      const all = [
        ...of('deployments.apps', 'deployment'),
        ...of('statefulsets.apps', 'stateful set'),
        ...of('pods', 'pod'),
        ...of('services', 'service'),
        ...of('persistentvolumeclaims', 'claim'),
      ]
      return [
        all.length ? `Everything in it is deleted: ${all.join(', ')}, and all else.` : 'Everything in it is deleted.',
        'This cannot be undone.',
      ]
    }
    case 'customresourcedefinitions.apiextensions.k8s.io':
      return [`Every ${o.spec.names?.kind} in the cluster is deleted with it.`, 'This cannot be undone.']
    case 'networkpolicies.networking.k8s.io': {
      const held = world.selected(o.metadata.namespace, o.spec.podSelector)
      return [
        `What it forbids is allowed again: it holds ${count(held.length, 'pod')} (${printSelector(o.spec.podSelector) || 'all of the namespace'}).`,
      ]
    }
    case 'deployhooks.deploy.kedge.dev':
      return ['Calls to its address are refused from now on.', 'Its deliveries go with it; what they deployed stays.']
    default:
      return [`${o.kind} ${name} is deleted, and whatever belongs to it.`]
  }
}

/** Of setting the number of replicas. */
export function ofScaling(o: KObject, to: number, world: World): string[] {
  const from = o.spec.replicas ?? 1
  const own = scalers(o, world)
  const out: string[] = []
  if (to === from) out.push('Nothing changes.')
  else if (to > from) out.push(`${count(to - from, 'pod')} will be started.`)
  else {
    out.push(
      `${count(from - to, 'pod')} will be stopped, with up to ${o.spec.template?.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S} s to end.`,
    )
    if (to === 0) {
      const empty = servicesLeftEmpty(podsOf(o, world), world)
      if (empty.length) out.push(`${count(empty.length, 'service')} will lead nowhere: ${names(empty)}.`)
    }
  }
  if (own.length) out.push(`The autoscaler ${names(own)} decides the number, and will set it again.`)
  return out
}

/** Of a restart: how many go at a time, and what that means. */
export function ofRestarting(o: KObject): string[] {
  const n = o.kind === 'DaemonSet' ? (o.status?.desiredNumberScheduled ?? 0) : (o.spec.replicas ?? 1)
  const strategy = o.spec.strategy?.type ?? o.spec.updateStrategy?.type ?? 'RollingUpdate'
  const out = [`${count(n, 'pod')} will be replaced by new ones of the same template.`]
  if (strategy === 'Recreate') out.push('All are stopped before the first new one starts: there is a gap.')
  else if (strategy === 'OnDelete') out.push('Each is replaced only when you delete it: that is how it updates.')
  else if (o.kind === 'Deployment' && n === 1) out.push('The new one is ready before the old one goes.')
  else if (o.kind === 'StatefulSet') out.push('One at a time, from the last to the first.')
  else out.push('A few at a time, as its update strategy says.')
  return out
}

/** Of a node's pods: those that a drain sends away, and those that it leaves, as kubectl does. */
export function whoLeaves(node: KObject, world: World): { going: KObject[]; daemons: KObject[] } {
  const pods = world
    .list('pods')
    .filter((p) => p.spec.nodeName === node.metadata.name && !['Succeeded', 'Failed'].includes(p.status?.phase))
  const daemons = pods.filter((p) => p.metadata.ownerReferences?.some((r) => r.kind === 'DaemonSet'))
  return { daemons, going: pods.filter((p) => !daemons.includes(p) && !isMirror(p)) }
}

/** Of closing a node to new pods, and of sending away those that it has. */
export function ofDraining(node: KObject, world: World): string[] {
  const { going, daemons } = whoLeaves(node, world)
  const orphans = going.filter((p) => !p.metadata.ownerReferences?.some((r) => r.controller))
  const out = [
    'No new pod comes to it.',
    `${count(going.length, 'pod')} ${does(going.length, 'is', 'are')} sent away, as their disruption budgets allow.`,
  ]
  if (daemons.length) out.push(`${count(daemons.length, 'pod')} of daemon sets ${does(daemons.length, 'stays', 'stay')}.`)
  if (orphans.length)
    out.push(
      `${count(orphans.length, 'pod')} ${does(orphans.length, 'belongs to nobody and is', 'belong to nobody and are')} not made anew: ${names(orphans)}.`,
    )
  return out
}
