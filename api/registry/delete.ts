// Delete: preconditions, grace, finalizers and propagation; an object goes when nothing holds it.
import { resourceOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { badRequest, conflict, invalid, notFound } from '../../shared/status/index.ts'
import { admitDelete } from '../admission/index.ts'
import type { Key } from '../store/store.ts'
import { decodeBody, encodeBody, versionOf } from './codec.ts'
import type { Environment, RequestContext } from './context.ts'
import { subjectOf } from './validate.ts'

export interface DeleteOptions {
  gracePeriodSeconds?: number
  propagationPolicy?: string
  orphanDependents?: boolean
  preconditions?: { uid?: string; resourceVersion?: string }
  dryRun?: boolean
}

export interface Deleted {
  object: KObject
  rv: number
  /** Gone; otherwise it waits for its grace or finalizers. */
  final: boolean
}

const TRIES = 10
const policies = ['Orphan', 'Background', 'Foreground']

function checkOptions(o: DeleteOptions) {
  if (o.propagationPolicy !== undefined && !policies.includes(o.propagationPolicy))
    throw invalid('meta.k8s.io', 'DeleteOptions', '', [
      {
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(o.propagationPolicy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
        field: 'propagationPolicy',
      },
    ])
  if (o.propagationPolicy !== undefined && o.orphanDependents !== undefined)
    throw badRequest('orphanDependents and deletionPropagation cannot be both set')
}

function checkPreconditions(kind: Kind, key: Key, found: KObject, rv: number, p: DeleteOptions['preconditions']) {
  const subject = { ...subjectOf(kind, key.name), resource: kind.kind }
  if (p?.uid && p.uid !== found.metadata.uid)
    throw conflict(
      subject,
      `the UID in the precondition (${p.uid}) does not match the UID in record (${found.metadata.uid}). The object might have been deleted and then recreated`,
    )
  if (p?.resourceVersion && p.resourceVersion !== String(rv))
    throw conflict(
      subject,
      `the ResourceVersion in the precondition (${p.resourceVersion}) does not match the ResourceVersion in record (${rv}). The object might have been modified`,
    )
}

function finalizersAfter(o: KObject, options: DeleteOptions): string[] {
  const kept = (o.metadata.finalizers ?? []).filter((f) => f !== 'orphan' && f !== 'foregroundDeletion')
  const had = (f: string) => !!o.metadata.finalizers?.includes(f)
  const policy =
    options.propagationPolicy ??
    (options.orphanDependents === true ? 'Orphan' : options.orphanDependents === false ? 'Background' : undefined)
  if (policy === 'Orphan' || (policy === undefined && had('orphan'))) return [...kept, 'orphan']
  if (policy === 'Foreground' || (policy === undefined && had('foregroundDeletion'))) return [...kept, 'foregroundDeletion']
  return kept
}

/** What deletions have of the options of other writes. */
const deletion = { fieldManager: '', fieldValidation: 'Ignore' } as const

/** Deletes one object, or marks it as being deleted. Throws 404, and 409 on failed preconditions. */
export async function remove(env: Environment, kind: Kind, key: Key, options: DeleteOptions, ctx: RequestContext): Promise<Deleted> {
  checkOptions(options)
  for (let tries = 1; ; tries++) {
    const stored = await env.store.get(key)
    if (!stored) throw notFound(subjectOf(kind, key.name))
    const old = decodeBody(stored.body, stored.rv)
    checkPreconditions(kind, key, old, stored.rv, options.preconditions)
    await admitDelete({ env, kind, object: old, part: 'main', options: { dryRun: !!options.dryRun, ...deletion }, ctx })
    const o = decodeBody(stored.body, stored.rv)
    const finalizers = finalizersAfter(o, options)
    const grace = kind.gracePeriod?.(o, options.gracePeriodSeconds) ?? 0
    const already = o.metadata.deletionTimestamp
    const left = already ? Math.min(grace, o.metadata.deletionGracePeriodSeconds ?? 0) : grace
    const held = finalizers.length > 0 || (kind.kind === 'Namespace' && o.spec?.finalizers?.length)
    if (finalizers.length) o.metadata.finalizers = finalizers
    else delete o.metadata.finalizers
    const replaced = { rv: stored.rv, labels: old.metadata.labels ?? {}, fields: kind.fields?.(old) ?? {}, body: stored.body }
    if (!held && left === 0) {
      if (options.dryRun) return { object: old, rv: stored.rv, final: true }
      // Kinds that can wait say that this one did not have to.
      if (kind.kind === 'Pod') {
        o.metadata.deletionTimestamp ??= timeString(env.clock.now())
        o.metadata.deletionGracePeriodSeconds = 0
      }
      const written = await env.store.delete(versionOf(kind, o, encodeBody(o), ctx.by), replaced)
      if (written.ok) return { object: o, rv: written.rv, final: true }
    } else {
      if (!already || left < (o.metadata.deletionGracePeriodSeconds ?? 0)) {
        o.metadata.deletionTimestamp = timeString(env.clock.now() + left * 1000)
        o.metadata.deletionGracePeriodSeconds = left
        if (kind.generation && !already) o.metadata.generation = (o.metadata.generation ?? 0) + 1
      }
      if (kind.kind === 'Namespace') o.status = { ...o.status, phase: 'Terminating' }
      const body = encodeBody(o)
      if (body === stored.body || options.dryRun) return { object: o, rv: stored.rv, final: false }
      const written = await env.store.update(versionOf(kind, o, body, ctx.by), replaced)
      if (written.ok) return { object: o, rv: written.rv, final: false }
    }
    if (tries >= TRIES) throw conflict(subjectOf(kind, key.name), 'the object keeps being modified; please try again')
  }
}

export const keyFor = (kind: Kind, ns: string, name: string): Key => ({ resource: resourceOf(kind), ns: kind.namespaced ? ns : '', name })
