// Patch: JSON patch, merge patch, strategic merge patch and server-side apply on one object or a part of it.
import { apiVersionOf } from '../../shared/kinds/index.ts'
import { type Kind, schemaOfKind } from '../../shared/kinds/kind.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { apply as applyFields } from '../../shared/schema/apply.ts'
import { decode } from '../../shared/schema/decode.ts'
import { jsonPatch, mergePatch, strategicPatch } from '../../shared/schema/patch.ts'
import { badRequest, conflict } from '../../shared/status/index.ts'
import type { Key } from '../store/store.ts'
import { inVersion, type Outcome } from './codec.ts'
import type { Environment, RequestContext, WriteOptions } from './context.ts'
import { createObject } from './create.ts'
import { decodeObject } from './decode.ts'
import { mutate, type Part } from './update.ts'
import { placeInNamespace, subjectOf } from './validate.ts'

export type PatchType = 'json' | 'merge' | 'strategic'

/** The patched JSON of `current`; both are whole objects with kind and apiVersion. */
export function patched(kind: Kind, type: PatchType, current: any, body: unknown): any {
  if (type === 'json') return jsonPatch(current, body)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badRequest('error decoding patch: the patch must be an object')
  return type === 'merge' ? mergePatch(current, body) : strategicPatch(schemaOfKind(kind), current, body)
}

export async function patch(
  env: Environment,
  kind: Kind,
  key: Key,
  part: Part,
  type: PatchType,
  body: unknown,
  options: WriteOptions,
  ctx: RequestContext,
): Promise<Outcome> {
  return mutate(
    env,
    kind.stored?.kind ?? kind,
    key,
    part,
    (old, stored) => {
      const whole = { kind: kind.kind, apiVersion: apiVersionOf(kind), ...inVersion(kind, old) }
      const raw = patched(kind, type, whole, body)
      if (raw?.metadata?.name !== undefined && raw.metadata.name !== key.name)
        throw badRequest(`the name of the object (${raw.metadata.name}) does not match the name on the URL (${key.name})`)
      const object = decodeObject(kind, raw, options, ctx)
      // A patch that does not speak of the version is made on whatever is newest.
      if (object.metadata.resourceVersion === String(stored.rv)) delete object.metadata.resourceVersion
      if (object.metadata.uid !== old.metadata.uid && object.metadata.uid)
        throw conflict(
          subjectOf(kind, key.name),
          `the UID in the precondition (${object.metadata.uid}) does not match the UID in record (${old.metadata.uid})`,
        )
      return { object: kind.stored ? kind.stored.up(object, old) : object }
    },
    options,
    ctx,
  )
}

/** Server-side apply: creates the object when it is not there. */
export async function serverSideApply(
  env: Environment,
  asked: Kind,
  key: Key,
  part: Part,
  raw: unknown,
  force: boolean,
  options: WriteOptions,
  ctx: RequestContext,
): Promise<Outcome> {
  const given = raw as KObject
  if (!given?.apiVersion || !given.kind) throw badRequest('error decoding YAML: apiVersion and kind must be set')
  const decoded = decodeObject(asked, raw, options, ctx)
  const kind = asked.stored?.kind ?? asked
  const config = asked.stored ? asked.stored.up(decoded) : decoded
  placeInNamespace(kind, config, key.ns)
  if (config.metadata.name && config.metadata.name !== key.name)
    throw badRequest(`the name of the object (${config.metadata.name}) does not match the name on the URL (${key.name})`)
  config.metadata.name = key.name
  if (config.metadata.managedFields) throw badRequest('metadata.managedFields must be nil')
  const schema = schemaOfKind(kind)
  const writer = {
    manager: options.fieldManager,
    apiVersion: apiVersionOf(kind),
    time: timeString(env.clock.now()),
    ...(part === 'main' ? {} : { subresource: part }),
  }
  const finish = (merged: KObject) => {
    const fresh: KObject = kind.decode ? kind.decode(merged, []) : decode(schema, merged, [])
    kind.defaults?.(fresh)
    return fresh
  }
  try {
    return await mutate(
      env,
      kind,
      key,
      part,
      (old) => {
        const pinned = config.metadata.resourceVersion
        const { object, managedFields } = applyFields(schema, old, config, writer, force, finish)
        if (pinned) object.metadata.resourceVersion = pinned
        else delete object.metadata.resourceVersion
        return { object, managed: managedFields }
      },
      options,
      ctx,
    )
  } catch (e) {
    if ((e as { code?: number }).code !== 404 || part !== 'main' || (e as any).details?.kind !== kind.plural) throw e
    if (config.metadata.uid)
      throw conflict(subjectOf(kind, key.name), 'uid mismatch: the provided object specified a uid, and no existing object was found')
  }
  const owned = applyFields(schema, undefined, config, writer, force, (o) => o).managedFields
  const object: KObject = kind.decode ? kind.decode(config, []) : decode(schema, config, [])
  return createObject(env, kind, object, options, ctx, () => owned)
}
