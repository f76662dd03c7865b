// Create: decode → default → admit → validate → store, in one round trip.

import { apiVersionOf } from '../../shared/kinds/index.ts'
import { type Kind, schemaOfKind } from '../../shared/kinds/kind.ts'
import { storedKindOf } from '../../shared/kinds/table.ts'
import { FieldErrors } from '../../shared/meta/field-error.ts'
import { generatedName } from '../../shared/meta/names.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { managedByUpdate } from '../../shared/schema/apply.ts'
import { alreadyExists, forbidden, internalError, invalid, notFound, StatusError } from '../../shared/status/index.ts'
import { type Admission, admit } from '../admission/index.ts'
import { namespaceGuard } from '../store/store.ts'
import { encodeBody, type Outcome, outcomeOf, unstoredText, versionOf } from './codec.ts'
import type { Environment, RequestContext, WriteOptions } from './context.ts'
import { storedForm } from './conversion.ts'
import { decodeObject } from './decode.ts'
import { placeInNamespace, subjectOf, validateObject } from './validate.ts'

const NAME_TRIES = 8

/** Resets what only the server may set. */
function stamp(kind: Kind, o: KObject, env: Environment) {
  const { name, namespace, generateName, labels, annotations, ownerReferences, finalizers } = o.metadata
  o.metadata = {
    name: name ?? (generateName ? generatedName(generateName, env.random.bytes(5)) : ''),
    ...(generateName ? { generateName } : {}),
    ...(namespace ? { namespace } : {}),
    uid: env.random.uuid(),
    ...(kind.generation ? { generation: 1 } : {}),
    creationTimestamp: timeString(env.clock.now()),
    ...(labels ? { labels } : {}),
    ...(annotations ? { annotations } : {}),
    ...(ownerReferences ? { ownerReferences } : {}),
    ...(finalizers ? { finalizers } : {}),
  }
}

/** Creates from a client's body. */
export function create(
  env: Environment,
  kind: Kind,
  ns: string,
  raw: unknown,
  options: WriteOptions,
  ctx: RequestContext,
): Promise<Outcome> {
  const given = decodeObject(kind, raw, options, ctx)
  const o = upgraded(kind, given)
  if ((raw as KObject).metadata?.resourceVersion)
    throw new StatusError(400, 'BadRequest', 'resourceVersion should not be set on objects to be created')
  placeInNamespace(kind, o, ns)
  return createObject(env, kind.stored?.kind ?? kind, o, options, ctx)
}

/** A new object as it is stored; what its version asks beyond that is checked here. */
function upgraded(kind: Kind, o: KObject): KObject {
  if (!kind.stored) return o
  const e = new FieldErrors()
  kind.validateCreate?.(o, e)
  if (e.any) throw invalid(kind.group, kind.kind, o.metadata.name ?? '', e.causes)
  return kind.stored.up(o)
}

/** Creates a decoded object that is already in its namespace. `managed` replaces the plain ownership of an update (server-side apply). */
export async function createObject(
  env: Environment,
  kind: Kind,
  o: KObject,
  options: WriteOptions,
  ctx: RequestContext,
  managed?: (o: KObject) => KObject['metadata']['managedFields'],
): Promise<Outcome> {
  const generate = !o.metadata.name && o.metadata.generateName
  stamp(kind, o, env)
  kind.defaults?.(o)
  kind.prepareForCreate?.(o)
  const admission: Admission = await admit({ env, kind, object: o, part: 'main', options, ctx }, () => {
    kind.settle?.(o)
    return validateObject(kind, o, ctx)
  })
  const fields =
    managed?.(o) ??
    managedByUpdate(schemaOfKind(kind), undefined, o, {
      manager: options.fieldManager,
      apiVersion: apiVersionOf(kind),
      time: timeString(env.clock.now()),
    })
  if (fields?.length) o.metadata.managedFields = fields
  if (options.dryRun) {
    await checkDryRun(env, kind, o)
    return { object: o, text: unstoredText(kind, encodeBody(o)), created: true }
  }
  for (let tries = 1; ; tries++) {
    const body = encodeBody(o)
    const form = await storedForm(env, kind, o)
    const claims = admission.claims?.() ?? []
    const guards = kind.namespaced ? [namespaceGuard(o.metadata.namespace!)] : []
    const written = await env.store.create(
      versionOf(storedKindOf(kind), form.object, form.body, ctx.by),
      [...guards, ...claims],
      admission.besides?.(),
    )
    if (written.ok) return outcomeOf(kind, o, body, written.rv, true)
    if (written.why === 'exists') {
      if (!generate || tries >= NAME_TRIES) throw alreadyExists(subjectOf(kind, o.metadata.name))
      o.metadata.name = generatedName(o.metadata.generateName!, env.random.bytes(5))
    } else if (written.why === 'beside') await admission.refresh!(tries)
    else if (written.why === 'extra' && written.index < guards.length) throw await namespaceFault(env, kind, o)
    else if (written.why === 'extra') await admission.reclaim!(written.index - guards.length, tries)
    else throw internalError('the write met an impossible conflict')
  }
}

async function namespaceFault(env: Environment, kind: Kind, o: KObject): Promise<StatusError> {
  const ns = o.metadata.namespace!
  const found = await env.store.get({ resource: 'namespaces', ns: '', name: ns })
  if (!found) return notFound({ group: '', resource: 'namespaces', name: ns })
  const e = forbidden(subjectOf(kind, o.metadata.name), `unable to create new content in namespace ${ns} because it is being terminated`)
  return new StatusError(e.code, e.reason, e.message, {
    ...e.details,
    causes: [{ reason: 'NamespaceTerminating', message: `namespace ${ns} is being terminated`, field: 'metadata.namespace' }],
  })
}

async function checkDryRun(env: Environment, kind: Kind, o: KObject) {
  if (kind.namespaced && !(await env.store.get({ resource: 'namespaces', ns: '', name: o.metadata.namespace! })))
    throw notFound({ group: '', resource: 'namespaces', name: o.metadata.namespace! })
  const there = await env.store.get({
    resource: versionOf(kind, o, '', '').resource,
    ns: o.metadata.namespace ?? '',
    name: o.metadata.name,
  })
  if (there) throw alreadyExists(subjectOf(kind, o.metadata.name))
}
