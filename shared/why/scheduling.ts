// Why a pod has no node: what the scheduler says of it, part by part, with what the cluster has beside it.

import { condition, isReady } from '../meta/conditions.ts'
import type { KObject } from '../meta/object.ts'
import { milliOf, unitsOf } from '../meta/quantity.ts'
import { claimFinding } from './storage.ts'
import { type Finding, named, sentence, type World } from './world.ts'

const cpuText = (milli: number): string => (milli % 1000 ? `${milli}m` : `${milli / 1000}`)
const memoryText = (bytes: number): string => `${Math.round(bytes / 2 ** 20)}Mi`
const shown: Record<string, (n: number) => string> = { cpu: cpuText, memory: memoryText }
const numberOf = (resource: string, q: string | undefined): number => (resource === 'cpu' ? milliOf(q) : unitsOf(q))

/** What a pod asks for of one resource: its containers together, or an init container that asks for more. */
const asked = (pod: KObject, resource: string): number => {
  const of = (c: any) => numberOf(resource, c.resources?.requests?.[resource])
  const sum = (pod.spec.containers ?? []).reduce((n: number, c: any) => n + of(c), 0)
  return Math.max(sum, ...(pod.spec.initContainers ?? []).map(of))
}

/** The node with the most room for something. */
function roomiest(world: World, resource: string): { name: string; free: number } | undefined {
  return world
    .list('nodes')
    .filter((n) => isReady(n) && !n.spec?.unschedulable)
    .map((n) => {
      const on = world.list('pods').filter((p) => p.spec.nodeName === n.metadata.name && !['Succeeded', 'Failed'].includes(p.status?.phase))
      const used = on.reduce((sum, p) => sum + asked(p, resource), 0)
      return { name: n.metadata.name, free: numberOf(resource, n.status?.allocatable?.[resource]) - used }
    })
    .sort((a, b) => b.free - a.free)[0]
}

type Part = [pattern: RegExp, explain: (m: RegExpExecArray, pod: KObject, world: World) => readonly [why: string, todo: string]]

const wantedLabels = (pod: KObject): string => {
  const own = Object.entries(pod.spec.nodeSelector ?? {}).map(([k, v]) => `${k}=${v}`)
  return own.length ? `the label ${own.join(',')}` : 'what its node affinity asks for'
}

/** What the scheduler's words mean, the most telling first. */
const parts: Part[] = [
  [
    /Insufficient ([\w/-]+(?:\.[\w/-]+)*)/,
    (m, pod, world) => {
      const resource = m[1]!
      if (resource === 'pods')
        return ['every node has as many pods as it may', 'Join another machine (kedge token create --join), or delete pods that are done']
      const wants = asked(pod, resource)
      const text = shown[resource] ?? String
      const best = roomiest(world, resource)
      const has = best ? `; ${best.name} has the most left, ${text(Math.max(0, best.free))}` : ''
      return [
        `it asks for ${text(wants)} of ${resource === 'cpu' ? 'CPU' : resource}, and no node has that much to give${has}`,
        `Lower its request for ${resource}, free some by scaling others down, or join a machine that has it (kedge token create --join)`,
      ]
    },
  ],
  [
    /persistentvolumeclaim "([^"]+)" not found/,
    (m) => [
      `its volume wants the claim ${m[1]}, which is not there`,
      `Create the PersistentVolumeClaim ${m[1]} in its namespace, or correct the name`,
    ],
  ],
  [
    /didn't match Pod's node affinity\/selector/,
    (_, pod) => [
      `no node has ${wantedLabels(pod)}`,
      `Label a node (kubectl label node NODE ${
        Object.entries(pod.spec.nodeSelector ?? {})
          .map(([k, v]) => `${k}=${v}`)
          .join(' ') || 'KEY=VALUE'
      }), or change what the pod asks for`,
    ],
  ],
  [
    /untolerated taint(?:\(s\))? ?\{([^}:]+)(?:: ?([^}]*))?\}/,
    (m) => [
      `the nodes that would do have the taint ${m[1]}${m[2] ? `=${m[2]}` : ''}, which it does not tolerate`,
      /not-ready|unreachable/.test(m[1]!)
        ? 'Bring these nodes back: kedge why node/NODE says what is wrong with them'
        : `Give the pod a toleration for ${m[1]}, or take the taint away (kubectl taint node NODE ${m[1]}-)`,
    ],
  ],
  [
    /didn't have free ports for the requested pod ports/,
    (_, pod) => {
      const ports = (pod.spec.containers ?? []).flatMap((c: any) => (c.ports ?? []).flatMap((p: any) => p.hostPort ?? []))
      return [
        `another pod has its host port ${ports.join(', ')} on every node that would do`,
        'Use another hostPort, or a Service instead of one',
      ]
    },
  ],
  [
    /didn't match pod anti-affinity rules|didn't satisfy existing pods anti-affinity rules/,
    () => [
      'pods that it must not be beside are on every node that would do',
      'Join another machine, or make the anti-affinity a preference (preferredDuringScheduling…)',
    ],
  ],
  [
    /didn't match pod affinity rules/,
    () => ['the pods that it must be beside are on no node where it fits', 'See that those pods run, or make the affinity a preference'],
  ],
  [
    /didn't match pod topology spread constraints/,
    () => [
      'one more of it anywhere would break its topology spread',
      'Join machines in the zones that have fewest, raise maxSkew, or set whenUnsatisfiable: ScheduleAnyway',
    ],
  ],
  [
    /unbound immediate PersistentVolumeClaims|had volume node affinity conflict|didn't find available persistent volumes to bind/,
    (m, pod, world) => {
      for (const v of pod.spec.volumes ?? []) {
        const name = v.persistentVolumeClaim?.claimName
        const claim = name && world.get('persistentvolumeclaims', name, pod.metadata.namespace)
        const found = claim && claim.status?.phase !== 'Bound' ? claimFinding(claim, world) : undefined
        if (found)
          return [`its volume ${v.name} waits for the claim ${name}: ${found.why[0]!.toLowerCase()}${found.why.slice(1)}`, found.todo]
      }
      return m[0].includes('conflict')
        ? ['its volume is on a node where the pod does not fit', 'Free room on the node that has the volume: kubectl get pv shows which']
        : ['no volume fits its claim', 'See what its claims wait for: kedge why pvc/NAME']
    },
  ],
  [/node\(s\) were unschedulable/, () => ['the nodes are cordoned', 'Let them take pods again: kubectl uncordon NODE']],
  [/exceed max volume count/, () => ['every node has as many volumes as its driver bears', 'Join another machine']],
]

/** Why a pod that nobody has placed is not placed. */
export function unscheduled(pod: KObject, world: World): Finding {
  const about = named('pod', pod)
  const found = (why: string, todo: string): Finding => ({ about, why, todo })
  const gates: any[] = pod.spec.schedulingGates ?? []
  if (gates.length)
    return found(
      `It is not to be placed yet: its scheduling gates ${gates.map((g) => g.name).join(', ')} are closed.`,
      'Whoever set them takes them out of spec.schedulingGates when it is time.',
    )
  if (world.knows('nodes') && !world.list('nodes').length)
    return found('There is no node that could run it.', 'Join a machine: kedge token create --join prints the line to run there.')
  const said = condition(pod, 'PodScheduled')
  const message = sentence(said?.message ?? world.events(pod, 'FailedScheduling')[0]?.message)
  const scheduler: string = pod.spec.schedulerName ?? 'default-scheduler'
  if (!message && scheduler !== 'default-scheduler')
    return found(
      `It wants to be placed by ${scheduler}, which has said nothing of it.`,
      `Start that scheduler, or take schedulerName out of the pod.`,
    )
  if (!message)
    return found(
      'It has just been made, and the scheduler has not looked at it yet.',
      'Wait a moment; if it stays, see kubectl get events.',
    )
  const told = parts.flatMap(([pattern, explain]) => {
    const m = pattern.exec(message)
    return m ? [explain(m, pod, world)] : []
  })
  if (!told.length) return found(`No node can take it: ${message}.`, 'Change what it asks for, or join a machine that has it.')
  const [first, ...rest] = told
  const also = rest.length ? ` On others, ${rest.map(([why]) => why).join('; ')}.` : ''
  return found(`No node can take it: ${first![0]}.${also}`, `${first![1]}.`)
}
