// Why nobody answers: services, and ingresses before them.
import { isReady } from '../meta/conditions.ts'
import type { KObject } from '../meta/object.ts'
import { fromLabelSelector, matches } from '../meta/selector.ts'
import { podFinding } from './pods.ts'
import { type Finding, named, sentence, type World } from './world.ts'

const SLICES = 'endpointslices.discovery.k8s.io'
const POLICIES = 'networkpolicies.networking.k8s.io'
const shown = (labels: Record<string, string> | undefined): string =>
  Object.entries(labels ?? {})
    .map(([k, v]) => `${k}=${v}`)
    .join(',')

/** A selector that differs in one label alone, for whom it may have been meant. */
function nearly(service: KObject, world: World): string {
  const wanted = Object.entries<string>(service.spec.selector ?? {})
  const close = world
    .list('pods', service.metadata.namespace)
    .find((p) => wanted.length > 1 && wanted.filter(([k, v]) => p.metadata.labels?.[k] === v).length === wanted.length - 1)
  const other =
    close ?? world.list('pods', service.metadata.namespace).find((p) => wanted.some(([k]) => p.metadata.labels?.[k] !== undefined))
  return other ? `; ${other.metadata.name} has ${shown(other.metadata.labels)}` : ''
}

/** The policies that let in to these pods only whom they name. */
const isolating = (pods: readonly KObject[], world: World): KObject[] =>
  world
    .list(POLICIES, pods[0]?.metadata.namespace)
    .filter((p) => (p.spec?.policyTypes ?? ['Ingress']).includes('Ingress'))
    .filter((p) => pods.some((pod) => matches(fromLabelSelector(p.spec.podSelector ?? {}), pod.metadata.labels)))

export function serviceFinding(service: KObject, world: World): Finding | undefined {
  const about = named('service', service)
  const say = (why: string, todo: string): Finding => ({ about, why, todo })
  const { spec } = service
  const ns = service.metadata.namespace
  if (spec.type === 'ExternalName') return undefined
  const slices = world.list(SLICES, ns).filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name)
  const ready = slices.flatMap((s) => s.endpoints ?? []).filter((e: any) => e.conditions?.ready !== false)
  if (!Object.keys(spec.selector ?? {}).length)
    return ready.length
      ? undefined
      : say(
          'It selects no pods, and nobody has given it endpoints.',
          'Give it a selector, or an EndpointSlice with the addresses that it stands for.',
        )
  const pods = world.selected(ns, { matchLabels: spec.selector }).filter((p) => !['Succeeded', 'Failed'].includes(p.status?.phase))
  if (!pods.length)
    return say(
      `No pod has the labels ${shown(spec.selector)} that it selects${nearly(service, world)}.`,
      'Correct its selector, or the labels of the pods; or see why there are none of them.',
    )
  const missing = (spec.ports ?? []).find(
    (p: any) =>
      typeof p.targetPort === 'string' &&
      !pods.some((pod) => pod.spec.containers.some((c: any) => (c.ports ?? []).some((x: any) => x.name === p.targetPort))),
  )
  if (missing)
    return say(
      `Its port ${missing.port} leads to the port named ${missing.targetPort}, and no container of its pods has a port of that name.`,
      'Name the port in the pods (ports[].name), or give targetPort as a number.',
    )
  if (!pods.some(isReady) && !spec.publishNotReadyAddresses) {
    const found = pods.map((p) => podFinding(p, world)).find(Boolean)
    return say(
      `None of its ${pods.length} pods is ready${found ? `; ${found.about.replace('/', ' ')}: ${found.why[0]!.toLowerCase()}${found.why.slice(1)}` : '.'}`,
      found?.todo ?? 'See why they are not.',
    )
  }
  const pending = spec.type === 'LoadBalancer' && !service.status?.loadBalancer?.ingress?.length
  if (pending) {
    const refused = world.events(service, 'SyncLoadBalancerFailed', 'UnAvailableLoadBalancer')[0]
    return say(
      `It has no address for outside: ${sentence(refused?.message) || 'no node has given it one'}.`,
      refused?.reason === 'SyncLoadBalancerFailed'
        ? 'Choose another port, or take the other service away.'
        : 'Join a node that is reached from outside, or use another load balancer (loadBalancerClass).',
    )
  }
  const closed = (spec.ports ?? []).find(
    (p: any) =>
      typeof p.targetPort === 'number' &&
      pods.every((pod) =>
        pod.spec.containers.every(
          (c: any) => (c.ports ?? []).length && !(c.ports ?? []).some((x: any) => x.containerPort === p.targetPort),
        ),
      ),
  )
  if (closed) {
    const has = [...new Set(pods[0]!.spec.containers.flatMap((c: any) => (c.ports ?? []).map((x: any) => x.containerPort)))]
    return say(
      `Its port ${closed.port} leads to port ${closed.targetPort} of its pods, which say that they listen on ${has.join(', ')}.`,
      'Correct targetPort, if that is not meant.',
    )
  }
  const policies = isolating(pods, world)
  if (policies.length)
    return say(
      `It has ${ready.length} endpoints, and the network polic${policies.length === 1 ? 'y' : 'ies'} ${policies.map((p) => p.metadata.name).join(', ')} say${policies.length === 1 ? 's' : ''} who reaches them.`,
      'If a client is not among those, let it in there.',
    )
  return undefined
}

export function ingressFinding(ingress: KObject, world: World): Finding | undefined {
  const about = named('ingress', ingress)
  const say = (why: string, todo: string): Finding => ({ about, why, todo })
  const ns = ingress.metadata.namespace
  const { spec = {} } = ingress
  const cls = spec.ingressClassName
  if (cls && world.lacks('ingressclasses.networking.k8s.io', cls))
    return say(
      `There is no ingress class ${cls}.`,
      `Name one that there is: ${
        world
          .list('ingressclasses.networking.k8s.io')
          .map((c) => c.metadata.name)
          .join(', ') || 'none'
      }.`,
    )
  const backends: any[] = [
    ...(spec.defaultBackend ? [spec.defaultBackend] : []),
    ...(spec.rules ?? []).flatMap((r: any) => (r.http?.paths ?? []).map((p: any) => p.backend)),
  ]
  for (const { service } of backends) {
    if (!service) continue
    if (world.lacks('services', service.name, ns))
      return say(
        `It leads to the service ${service.name}, which is not there.`,
        `Create it, or correct the name; until then the answer is 503.`,
      )
    const to = world.get('services', service.name, ns)
    const { number, name } = service.port ?? {}
    const has = to?.spec.ports ?? []
    if (to && to.spec.type !== 'ExternalName' && !has.some((p: any) => (name ? p.name === name : p.port === number)))
      return say(
        `It leads to port ${name ?? number} of the service ${service.name}, which has ${has.map((p: any) => (p.name ? `${p.port} (${p.name})` : p.port)).join(', ') || 'none'}.`,
        'Correct the port.',
      )
    const found = to && serviceFinding(to, world)
    if (found && !/who reaches them/.test(found.why))
      return say(`Its service ${service.name} does not answer: ${found.why[0]!.toLowerCase()}${found.why.slice(1)}`, found.todo)
  }
  const secret = (spec.tls ?? []).find((t: any) => t.secretName && world.lacks('secrets', t.secretName, ns))
  if (secret)
    return say(
      `The Secret ${secret.secretName} with its certificate is not there, so clients get one that they do not trust.`,
      `Create it: kubectl create secret tls ${secret.secretName} --cert=… --key=…; or have one ordered (see README, Ingress).`,
    )
  const fault = world.events(ingress).find((e) => e.type === 'Warning')
  if (fault) return say(`${sentence(fault.message)}.`, 'Correct that in its spec or annotations.')
  if (!ingress.status?.loadBalancer?.ingress?.length)
    return say('No node serves it yet.', 'Install haproxy on a node: its daemon serves ingresses then.')
  return undefined
}
