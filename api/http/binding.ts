// pods/NAME/binding: the scheduler's word. Sets the node once and the PodScheduled condition with it.

import { kindByName } from '../../shared/kinds/index.ts'
import { timeString } from '../../shared/meta/object.ts'
import { badRequest, conflict, invalid, StatusError } from '../../shared/status/index.ts'
import type { Environment, RequestContext, WriteOptions } from '../registry/context.ts'
import { keyFor } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { subjectOf } from '../registry/validate.ts'
import { json } from './answer.ts'
import { writeOptions } from './request.ts'
import { type Asked, body } from './resource.ts'

/** Binds a pod to a node; throws 409 when it is bound or going. Also the scheduler's own way. */
export async function bindPod(env: Environment, ns: string, name: string, node: string, options: WriteOptions, ctx: RequestContext) {
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

export async function bind(a: Asked): Promise<Response> {
  const raw: any = await body(a)
  if (raw?.kind && raw.kind !== 'Binding') throw badRequest(`${raw.kind} cannot be handled as a Binding`)
  const target = raw?.target ?? {}
  if (target.kind && target.kind !== 'Node') {
    throw invalid('', 'Binding', raw?.metadata?.name ?? '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'target.kind',
        message: `Unsupported value: ${JSON.stringify(target.kind)}: supported values: "Node", "<empty>"`,
      },
    ])
  }
  if (!target.name)
    throw invalid('', 'Binding', raw?.metadata?.name ?? '', [
      { reason: 'FieldValueRequired', field: 'target.name', message: 'Required value' },
    ])
  if (raw?.metadata?.name && raw.metadata.name !== a.r.name)
    throw new StatusError(400, 'BadRequest', 'name in URL does not match name in Binding object')
  await bindPod(
    a.cluster.env,
    a.r.namespace!,
    a.r.name!,
    target.name,
    writeOptions(a.query, a.request.headers.get('user-agent'), 'CreateOptions'),
    a.ctx,
  )
  return json(JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }), 201)
}
