// What can be done to an object: each asks first and says what comes of it. What the API would refuse is not offered.
import { type KObject, timeString } from '../shared/meta/object.ts'
import { RESTARTED_AT } from '../shared/rollout.ts'
import { call } from './client.ts'
import { needs, ofDeleting, ofDraining, ofRestarting, ofScaling, whoLeaves } from './consequences.ts'
import { type Kind, pathOf } from './kinds.ts'
import { ask } from './parts/dialog.tsx'
import { say } from './parts/say.tsx'
import { may } from './rights.ts'
import { go, linkTo } from './route.ts'
import { worldOf } from './world.ts'

export interface Action {
  name: string
  danger?: boolean
  run(): void
}

const MERGE = 'application/merge-patch+json'
const STRATEGIC = 'application/strategic-merge-patch+json'
const SCALABLE = ['deployments.apps', 'statefulsets.apps', 'replicasets.apps', 'replicationcontrollers']
const RESTARTABLE = ['deployments.apps', 'statefulsets.apps', 'daemonsets.apps']
/** What is so large that its name has to be typed. */
const TYPED = ['namespaces', 'customresourcedefinitions.apiextensions.k8s.io']

const titled = (k: Kind, o: KObject) => `${k.kind} ${o.metadata.name}`

function remove(k: Kind, o: KObject): void {
  const { name, namespace, uid } = o.metadata
  ask({
    title: `Delete ${titled(k, o)}?`,
    action: 'Delete',
    danger: true,
    ...(TYPED.includes(k.resource) ? { typed: name } : {}),
    consequences: async () =>
      ofDeleting(k.resource, o, await worldOf(needs[k.resource] ?? [], k.resource === 'namespaces' ? name : namespace)),
    run: async () => {
      await call('DELETE', pathOf(k, namespace, name), { body: { propagationPolicy: 'Background', preconditions: { uid } } })
      go(linkTo(k.resource))
      return `${titled(k, o)} is being deleted.`
    },
  })
}

/** Sets the number of replicas, which the dialog's own field says. */
export async function scaleTo(k: Kind, o: KObject, to: number): Promise<string> {
  await call('PATCH', pathOf(k, o.metadata.namespace, o.metadata.name, 'scale'), { body: { spec: { replicas: to } }, type: MERGE })
  return `${titled(k, o)} is to have ${to} replicas.`
}
export const consequencesOfScaling = async (k: Kind, o: KObject, to: number): Promise<string[]> =>
  ofScaling(o, to, await worldOf(needs[k.resource] ?? [], o.metadata.namespace))

function restart(k: Kind, o: KObject): void {
  ask({
    title: `Restart ${titled(k, o)}?`,
    action: 'Restart',
    consequences: async () => ofRestarting(o),
    run: async () => {
      const body = { spec: { template: { metadata: { annotations: { [RESTARTED_AT]: timeString(Date.now()) } } } } }
      await call('PATCH', pathOf(k, o.metadata.namespace, o.metadata.name), { body, type: STRATEGIC })
      return `${titled(k, o)} restarts.`
    },
  })
}

/** A small change that needs no question. */
async function change(k: Kind, o: KObject, body: object, done: string): Promise<void> {
  try {
    await call('PATCH', pathOf(k, o.metadata.namespace, o.metadata.name), { body, type: MERGE })
    say(done)
  } catch (cause) {
    say((cause as Error).message, true)
  }
}

function drain(k: Kind, o: KObject): void {
  ask({
    title: `Drain ${titled(k, o)}?`,
    action: 'Drain',
    danger: true,
    consequences: async () => ofDraining(o, await worldOf(['pods'], undefined)),
    run: async () => {
      await call('PATCH', pathOf(k, '', o.metadata.name), { body: { spec: { unschedulable: true } }, type: MERGE })
      const world = await worldOf(['pods'], undefined)
      const { going } = whoLeaves(o, world)
      const refused: string[] = []
      for (const { metadata } of going) {
        const at = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/eviction`
        const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: metadata.name, namespace: metadata.namespace } }
        await call('POST', at, { body }).catch((cause) => {
          if (cause.code !== 404) refused.push(`${metadata.name}: ${cause.message}`)
        })
      }
      if (refused.length) throw new Error(`Not all may go now: ${refused.slice(0, 3).join('; ')}. Drain again in a while.`)
      return `${titled(k, o)} takes no new pods; ${going.length} leave it.`
    },
  })
}

async function runNow(k: Kind, o: KObject): Promise<void> {
  const { name, namespace, uid } = o.metadata
  const template = o.spec.jobTemplate
  const body = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      generateName: `${name}-manual-`,
      labels: template.metadata?.labels ?? {},
      annotations: { ...template.metadata?.annotations, 'cronjob.kubernetes.io/instantiate': 'manual' },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: k.kind, name, uid, controller: true }],
    },
    spec: template.spec,
  }
  try {
    const made = await call('POST', `/apis/batch/v1/namespaces/${namespace}/jobs`, { body })
    say(`Job ${made.metadata.name} has been made.`)
  } catch (cause) {
    say((cause as Error).message, true)
  }
}

/** What may be done to it by whoever is signed in. `scale` opens the field for a number. */
export function actionsOf(k: Kind, o: KObject, scale: () => void): Action[] {
  const { namespace = '', name } = o.metadata
  const can = (verb: string, subresource?: string) =>
    may({ verb, resource: k.resource, namespace, name, ...(subresource ? { subresource } : {}) })
  const out: Action[] = []
  const isOne = (list: readonly string[]) => list.includes(k.resource)
  if (isOne(SCALABLE) && can('patch', 'scale')) out.push({ name: 'Scale', run: scale })
  if (isOne(RESTARTABLE) && can('patch')) out.push({ name: 'Restart', run: () => restart(k, o) })
  if (k.resource === 'deployments.apps' && can('patch')) {
    const paused = !o.spec.paused
    out.push({
      name: paused ? 'Pause rollout' : 'Resume rollout',
      run: () => void change(k, o, { spec: { paused } }, `${titled(k, o)} is ${paused ? 'paused' : 'rolling out again'}.`),
    })
  }
  if (k.resource === 'cronjobs.batch') {
    if (may({ verb: 'create', resource: 'jobs.batch', namespace })) out.push({ name: 'Run now', run: () => void runNow(k, o) })
    const suspend = !o.spec.suspend
    if (can('patch'))
      out.push({
        name: suspend ? 'Suspend' : 'Resume',
        run: () => void change(k, o, { spec: { suspend } }, `${titled(k, o)} is ${suspend ? 'suspended' : 'on schedule again'}.`),
      })
  }
  if (k.resource === 'nodes' && can('patch')) {
    const unschedulable = !o.spec?.unschedulable
    out.push({
      name: unschedulable ? 'Cordon' : 'Uncordon',
      run: () => void change(k, o, { spec: { unschedulable } }, `${titled(k, o)} takes ${unschedulable ? 'no ' : ''}new pods.`),
    })
    if (may({ verb: 'create', resource: 'pods', subresource: 'eviction' }))
      out.push({ name: 'Drain', danger: true, run: () => drain(k, o) })
  }
  if (k.verbs.includes('delete') && can('delete')) out.push({ name: 'Delete', danger: true, run: () => remove(k, o) })
  return out
}
