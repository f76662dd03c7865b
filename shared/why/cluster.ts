// Why a node takes no pods, a namespace does not go, a quota is full, a deployment by hook did not happen.
import { condition } from '../meta/conditions.ts'
import type { KObject } from '../meta/object.ts'
import { nanoOf } from '../meta/quantity.ts'
import { ago, type Finding, named, sentence, type World } from './world.ts'

export function nodeFinding(node: KObject, world: World): Finding | undefined {
  const about = named('node', node)
  const say = (why: string, todo: string): Finding => ({ about, why, todo })
  const ready = condition(node, 'Ready')
  if (!ready) return say('Its daemon has said nothing of it yet.', `See kedge node doctor on ${node.metadata.name}.`)
  if (ready.status === 'Unknown')
    return say(
      `Its daemon has not been heard of for ${ago(world, ready.lastHeartbeatTime ?? ready.lastTransitionTime)}.`,
      `See that the machine runs and reaches the control plane: kedge node doctor there says what is wrong.`,
    )
  if (ready.status !== 'True') return say(`It is not Ready: ${sentence(ready.message)}.`, `See kedge node doctor on ${node.metadata.name}.`)
  for (const [type, what, todo] of [
    ['MemoryPressure', 'memory', 'End what uses it, give pods limits, or give the machine more'],
    ['DiskPressure', 'disk', 'Clear its disk: unused images, logs, what pods have stored'],
    ['PIDPressure', 'process numbers', 'Find what starts so many processes'],
  ] as const)
    if (condition(node, type)?.status === 'True')
      return say(`It is short of ${what}: it takes no new pods, and sends some away.`, `${todo}.`)
  if (condition(node, 'NetworkUnavailable')?.status === 'True') return say('Its network is not set up.', 'See the network plugin on it.')
  if (node.spec?.unschedulable)
    return say('It is cordoned: no new pod is placed on it.', `Let them again: kubectl uncordon ${node.metadata.name}.`)
  const taint = (node.spec?.taints ?? []).find((t: any) => ['NoSchedule', 'NoExecute'].includes(t.effect))
  if (taint)
    return say(
      `Its taint ${taint.key}${taint.value ? `=${taint.value}` : ''}:${taint.effect} keeps pods away that do not tolerate it.`,
      `Give pods a toleration, or take it away: kubectl taint node ${node.metadata.name} ${taint.key}-.`,
    )
  return undefined
}

export function namespaceFinding(ns: KObject): Finding | undefined {
  const about = named('namespace', ns)
  if (ns.status?.phase !== 'Terminating' && !ns.metadata.deletionTimestamp) return undefined
  for (const type of [
    'NamespaceContentRemaining',
    'NamespaceFinalizersRemaining',
    'NamespaceDeletionDiscoveryFailure',
    'NamespaceDeletionContentFailure',
  ]) {
    const c = condition(ns, type)
    if (c?.status !== 'True') continue
    return type === 'NamespaceDeletionDiscoveryFailure'
      ? {
          about,
          why: `It is being deleted, and an API server that may have something in it does not answer: ${sentence(c.message)}.`,
          todo: 'Bring that API server back, or delete its APIService.',
        }
      : {
          about,
          why: `It is being deleted, and something in it remains: ${sentence(c.message)}.`,
          todo: 'See what holds these: their finalizers, and who put them there.',
        }
  }
  return { about, why: 'It is being deleted, with all that is in it.', todo: 'Wait a moment.' }
}

export function quotaFinding(quota: KObject): Finding | undefined {
  const full = Object.entries<string>(quota.status?.hard ?? {}).filter(([k, hard]) => nanoOf(quota.status.used?.[k]) >= nanoOf(hard))
  if (!full.length) return undefined
  return {
    about: named('resourcequota', quota),
    why: `It is used up: ${full.map(([k, hard]) => `${k} ${quota.status.used[k]} of ${hard}`).join(', ')}.`,
    todo: 'Raise it, or delete what is not needed.',
  }
}

export function deliveryFinding(d: KObject, world: World): Finding | undefined {
  const about = named('deploydelivery', d)
  const { phase, message } = d.status ?? {}
  if (phase === 'Succeeded') return undefined
  if (['Failed', 'RolledBack'].includes(phase))
    return {
      about,
      why: `${phase === 'Failed' ? 'It failed' : 'It was taken back'}: ${sentence(message)}.`,
      todo: 'Correct that and send it again: kedge hook replay.',
    }
  if (phase === 'Superseded') return { about, why: `A newer one took its place: ${sentence(message)}.`, todo: 'See that one.' }
  if (!phase) {
    const before = world
      .list('deploydeliveries.deploy.kedge.dev', d.metadata.namespace)
      .find((x) => x.spec.hook === d.spec.hook && x.status?.phase === 'Running')
    return { about, why: before ? `It waits for ${before.metadata.name} to end.` : 'It has just come in.', todo: 'Wait.' }
  }
  return {
    about,
    why: `It is at work${message ? `: ${sentence(message)}` : ''}.`,
    todo: 'Wait for its rollout; kedge hook logs follows it.',
  }
}
