// Binding: the scheduler's word. Sets the node of a pod once, and the PodScheduled condition with it.
import { kindByName } from '../../shared/kinds/index.ts'
import { timeString } from '../../shared/meta/object.ts'
import { conflict } from '../../shared/status/index.ts'
import type { Outcome } from './codec.ts'
import type { Environment, RequestContext, WriteOptions } from './context.ts'
import { keyFor } from './delete.ts'
import { mutate } from './update.ts'
import { subjectOf } from './validate.ts'

/** Binds a pod to a node; throws 409 when it is bound or going. */
export async function bindPod(
  env: Environment,
  ns: string,
  name: string,
  node: string,
  options: WriteOptions,
  ctx: RequestContext,
): Promise<Outcome> {
  const kind = kindByName('', 'Pod')!
  return mutate(
    env,
    kind,
    keyFor(kind, ns, name),
    'binding',
    (o) => {
      if (o.metadata.deletionTimestamp)
        throw conflict({ ...subjectOf(kind, name), resource: 'pods/binding' }, `pod ${name} is being deleted, cannot be assigned to a host`)
      if (o.spec.nodeName)
        throw conflict(
          { ...subjectOf(kind, name), resource: 'pods/binding' },
          `pod ${name} is already assigned to node ${JSON.stringify(o.spec.nodeName)}`,
        )
      o.spec.nodeName = node
      const others = (o.status?.conditions ?? []).filter((c: any) => c.type !== 'PodScheduled')
      o.status = {
        ...o.status,
        conditions: [
          ...others,
          { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: timeString(env.clock.now()) },
        ],
      }
      delete o.metadata.resourceVersion
      return { object: o }
    },
    options,
    ctx,
  )
}
