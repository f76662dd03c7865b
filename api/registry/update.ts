// Update: read, change, admit, validate, compare-and-swap. Two round trips; a write that changes nothing is none.
import { apiVersionOf, resourceOf } from '../../shared/kinds/index.ts'
import { type Kind, schemaOfKind } from '../../shared/kinds/kind.ts'
import { storedKindOf } from '../../shared/kinds/table.ts'
import { type KObject, type ManagedFieldsEntry, timeString } from '../../shared/meta/object.ts'
import { managedByUpdate } from '../../shared/schema/apply.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { badRequest, conflict, notFound, staleVersion } from '../../shared/status/index.ts'
import { type Admission, admit } from '../admission/index.ts'
import type { Key, Stored } from '../store/store.ts'
import { decodeBody, encodeBody, type Outcome, outcomeOf, storedOutcome, unstoredText, versionOf } from './codec.ts'
import type { Environment, RequestContext, WriteOptions } from './context.ts'
import { readAs, storedForm } from './conversion.ts'
import { decodeObject } from './decode.ts'
import { placeInNamespace, subjectOf, validateObject } from './validate.ts'

const TRIES = 10

export interface Change {
  object: KObject
  /** Ownership, where the change computed it itself (apply). */
  managed?: ManagedFieldsEntry[]
}

/** The subresource that is written: it may change its own part alone. */
export type Part = 'main' | 'status' | 'scale' | 'finalize' | 'binding' | 'ephemeralcontainers' | 'resize' | 'approval'

/**
 * Changes one object by `change`, which gets a fresh copy of what is stored. Lost races read again and retry, unless `change` pinned a version.
 * `change` returning undefined leaves the object as it is.
 */
export async function mutate(
  env: Environment,
  kind: Kind,
  key: Key,
  part: Part,
  change: (old: KObject, stored: Stored) => Change | undefined,
  options: WriteOptions,
  ctx: RequestContext,
): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    const found = await env.store.get(key)
    if (!found) throw notFound(subjectOf(kind, key.name))
    const stored = (await readAs(env, kind, [found]))[0]!
    const old = decodeBody(stored.body, stored.rv)
    const changed = change(decodeBody(stored.body, stored.rv), stored)
    if (!changed) return storedOutcome(kind, stored)
    const pinned = changed.object.metadata.resourceVersion
    if (pinned && pinned !== String(stored.rv)) throw staleVersion(subjectOf(kind, key.name))
    const done = await replace(env, kind, found, stored, old, changed, part, options, ctx)
    if (done) return done
    if (tries >= TRIES) throw conflict(subjectOf(kind, key.name), 'the object keeps being modified; please try again')
  }
}

/** One attempt, at what was found in the store and is `stored` in the kind's version: undefined when another writer was faster. */
async function replace(
  env: Environment,
  kind: Kind,
  found: Stored,
  stored: Stored,
  old: KObject,
  changed: Change,
  part: Part,
  options: WriteOptions,
  ctx: RequestContext,
): Promise<Outcome | undefined> {
  const own = kind.subresources?.[part]?.part
  const o = own ? structuredClone(old) : changed.object
  own?.take(o, changed.object)
  keepSystemFields(o, old)
  if (part === 'main') {
    kind.defaults?.(o)
    kind.prepareForUpdate?.(o, old)
  } else if (own) kind.defaults?.(o)
  else keepOtherParts(o, old, part)
  if (kind.generation && part !== 'status' && part !== 'binding') {
    const spec = (x: KObject) => ({ ...x, metadata: undefined, status: undefined })
    o.metadata.generation = (old.metadata.generation ?? 0) + (equal(spec(o), spec(old)) ? 0 : 1)
  }
  const admission: Admission =
    part === 'binding' ? {} : await admit({ env, kind, object: o, old, part, options, ctx }, () => validateObject(kind, o, ctx, old, part))
  const managed =
    changed.managed ??
    managedByUpdate(schemaOfKind(kind), old, o, {
      manager: options.fieldManager,
      apiVersion: apiVersionOf(kind),
      ...(part === 'main' || part === 'binding' ? {} : { subresource: part }),
      time: timeString(env.clock.now()),
    })
  if (managed.length) o.metadata.managedFields = managed
  else delete o.metadata.managedFields
  const body = encodeBody(o)
  if (sameButManagers(o, old)) return outcomeOf(kind, decodeBody(stored.body, stored.rv), stored.body, stored.rv)
  if (options.dryRun) return { object: o, text: unstoredText(kind, body, stored.rv), created: false }
  const form = await storedForm(env, kind, o)
  const at = storedKindOf(kind)
  const before = at === kind ? old : decodeBody(found.body, found.rv)
  const replaced = { rv: stored.rv, labels: old.metadata.labels ?? {}, fields: at.fields?.(before) ?? {}, body: found.body }
  const version = versionOf(at, form.object, form.body, ctx.by)
  const claims = admission.claims?.() ?? []
  const finished =
    o.metadata.deletionTimestamp && !o.metadata.finalizers?.length && !o.metadata.deletionGracePeriodSeconds && isFinal(kind, o)
  const written = finished
    ? await env.store.delete(version, replaced, claims)
    : await env.store.update(version, replaced, claims, admission.besides?.())
  if (written.ok) return outcomeOf(kind, o, body, written.rv)
  // Another pick is made by the next attempt; asking for a taken value is refused here.
  if (written.why === 'extra') await admission.reclaim?.(written.index, 0)
  return undefined
}

/** A deleted namespace stays until its spec's finalizers are gone too. */
const isFinal = (kind: Kind, o: KObject) => kind.kind !== 'Namespace' || !o.spec?.finalizers?.length

function keepSystemFields(o: KObject, old: KObject) {
  const m = o.metadata
  // Go's omitempty: what is empty is not written.
  for (const f of ['labels', 'annotations', 'ownerReferences', 'finalizers'] as const) if (m[f] && !Object.keys(m[f]).length) delete m[f]
  const from = old.metadata
  m.name = from.name
  m.uid = from.uid
  m.creationTimestamp = from.creationTimestamp
  for (const f of [
    'namespace',
    'generateName',
    'generation',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'managedFields',
  ] as const) {
    if (from[f] === undefined) delete m[f]
    else (m as any)[f] = from[f]
  }
}

function keepOtherParts(o: KObject, old: KObject, part: Part) {
  const own =
    part === 'scale' || part === 'finalize' || part === 'binding' ? ['spec', ...(part === 'binding' ? ['status'] : [])] : ['status']
  for (const field of new Set([...Object.keys(o), ...Object.keys(old)])) {
    if (field === 'metadata' || own.includes(field)) continue
    if (old[field] === undefined) delete o[field]
    else o[field] = old[field]
  }
  const { ownerReferences, finalizers, labels, annotations } = old.metadata
  // Status writers may set labels and annotations upstream; owners and finalizers they may not.
  if (part !== 'status') Object.assign(o.metadata, { labels, annotations })
  Object.assign(o.metadata, { ownerReferences, finalizers })
  for (const f of ['labels', 'annotations', 'ownerReferences', 'finalizers'] as const) if (o.metadata[f] === undefined) delete o.metadata[f]
}

function sameButManagers(a: KObject, b: KObject): boolean {
  const strip = (o: KObject) => {
    const { managedFields, resourceVersion: _, ...metadata } = o.metadata
    return { ...o, metadata, managers: managedFields?.map(({ time: _t, ...rest }) => rest) }
  }
  return equal(strip(a), strip(b))
}

/** PUT: the body replaces the object (or its status). */
export async function update(
  env: Environment,
  kind: Kind,
  key: Key,
  part: Part,
  raw: unknown,
  options: WriteOptions,
  ctx: RequestContext,
): Promise<Outcome> {
  const o = decodeObject(kind, raw, options, ctx)
  placeInNamespace(kind, o, key.ns)
  if (!o.metadata.name) throw badRequest('name must be provided')
  if (o.metadata.name !== key.name)
    throw badRequest(`the name of the object (${o.metadata.name}) does not match the name on the URL (${key.name})`)
  return mutate(
    env,
    kind.stored?.kind ?? kind,
    key,
    part,
    (old) => {
      if (o.metadata.uid && o.metadata.uid !== old.metadata.uid) throw uidConflict(kind, key, o.metadata.uid, old.metadata.uid)
      const object = structuredClone(o)
      return { object: kind.stored ? kind.stored.up(object, old) : object }
    },
    options,
    ctx,
  ).catch((e) => {
    if (e?.code === 404 && o.metadata.uid && e.details?.name === key.name) throw uidConflict(kind, key, o.metadata.uid, '')
    throw e
  })
}

function uidConflict(kind: Kind, key: Key, wanted: string, found: string) {
  return conflict(
    subjectOf(kind, key.name),
    `StorageError: invalid object, Code: 4, Key: /registry/${resourceOf(kind)}/${key.ns ? `${key.ns}/` : ''}${key.name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${found}`,
  )
}
