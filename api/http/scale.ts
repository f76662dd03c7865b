// The scale subresource: replicas of any kind that has them, seen as autoscaling/v1 Scale.

import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { dictionary } from '../../shared/meta/dictionary.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { schemaOf } from '../../shared/schema/types.ts'
import { badRequest, invalid, notFound, StatusError, staleVersion } from '../../shared/status/index.ts'
import { decodeBody } from '../registry/codec.ts'
import { readAs } from '../registry/conversion.ts'
import { type PatchType, patched, serverSideApply } from '../registry/patch.ts'
import { mutate } from '../registry/update.ts'
import { subjectOf } from '../registry/validate.ts'
import { json } from './answer.ts'
import { isTrue, writeOptions } from './request.ts'
import { type Asked, body, key } from './resource.ts'

function scaleOf(kind: Kind, o: KObject) {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = o.metadata
  const scale = kind.scale!
  const selector = scale.selector(o)
  const replicas = scale.replicas ? scale.replicas(o) : o.spec?.replicas
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    // Go leaves a zero out.
    spec: replicas ? { replicas } : {},
    status: { replicas: scale.current ? scale.current(o) : (o.status?.replicas ?? 0), ...(selector ? { selector } : {}) },
  }
}

export async function getScale(a: Asked): Promise<Response> {
  const stored = await a.cluster.store.get(key(a))
  if (!stored) throw notFound(subjectOf(a.r.kind, a.r.name))
  const { body } = (await readAs(a.cluster.env, a.r.kind, [stored]))[0]!
  return json(JSON.stringify(scaleOf(a.r.kind, decodeBody(body, stored.rv))))
}

const types: Record<string, PatchType> = dictionary({
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'merge',
})

/** Server-side apply: the manager owns the parent's replicas, by way of its scale. */
async function applyScale(a: Asked): Promise<Response> {
  const { r, query } = a
  const manager = query.get('fieldManager')
  if (!manager)
    throw invalid('meta.k8s.io', 'PatchOptions', '', [
      { reason: 'FieldValueRequired', field: 'fieldManager', message: 'Required value: is required for apply patch' },
    ])
  const raw: any = await body(a)
  if (raw?.kind !== 'Scale' || raw.apiVersion !== 'autoscaling/v1') throw badRequest('the applied object must be a Scale of autoscaling/v1')
  const config: any = { apiVersion: apiVersionOf(r.kind), kind: r.kind.kind, metadata: { name: raw.metadata?.name ?? r.name }, spec: {} }
  if (raw.metadata?.resourceVersion) config.metadata.resourceVersion = raw.metadata.resourceVersion
  const replicas = raw.spec?.replicas
  if (replicas !== undefined) {
    if (!Number.isInteger(replicas)) throw badRequest('spec.replicas must be an integer')
    if (r.kind.scale?.setReplicas) r.kind.scale.setReplicas(config, replicas)
    else config.spec.replicas = replicas
  }
  const options = writeOptions(query, a.request.headers.get('user-agent'), 'PatchOptions')
  const force = isTrue(query.get('force'))
  const outcome = await serverSideApply(a.cluster.env, r.kind, key(a), 'scale', config, force, options, a.ctx)
  return json(JSON.stringify(scaleOf(r.kind, outcome.object)))
}

export async function writeScale(a: Asked): Promise<Response> {
  const { cluster, r, request, query } = a
  const type = types[(request.headers.get('content-type') ?? '').split(';')[0]!.trim()]
  if (a.verb === 'patch' && (request.headers.get('content-type') ?? '').startsWith('application/apply-patch+yaml')) return applyScale(a)
  if (a.verb === 'patch' && !type) throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
  const raw: any = await body(a)
  const options = writeOptions(query, request.headers.get('user-agent'), 'UpdateOptions')
  const outcome = await mutate(
    cluster.env,
    r.kind.stored?.kind ?? r.kind,
    key(a),
    'scale',
    (old, stored) => {
      const wanted = a.verb === 'patch' ? patched({ ...r.kind, schema: schemaOf('V1Scale') }, type!, scaleOf(r.kind, old), raw) : raw
      if (wanted?.kind !== 'Scale') throw badRequest(`expected a Scale, got ${JSON.stringify(wanted?.kind ?? '')}`)
      const replicas = wanted.spec?.replicas ?? 0
      if (typeof replicas !== 'number' || !Number.isInteger(replicas)) throw badRequest('spec.replicas must be an integer')
      if (replicas < 0)
        throw invalid('autoscaling', 'Scale', r.name!, [
          {
            reason: 'FieldValueInvalid',
            field: 'spec.replicas',
            message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
          },
        ])
      const pinned = wanted.metadata?.resourceVersion
      if (pinned && pinned !== String(stored.rv)) throw staleVersion(subjectOf(r.kind, r.name))
      delete old.metadata.resourceVersion
      if (r.kind.scale?.setReplicas) r.kind.scale.setReplicas(old, replicas)
      else old.spec.replicas = replicas
      return { object: old }
    },
    options,
    a.ctx,
  )
  return json(JSON.stringify(scaleOf(r.kind, outcome.object)))
}
