// Custom resources that are not stored as they are shown: their schema got new defaults, or a webhook makes their versions of each other. The latter are
// of the version that was asked for from the door to the store, and are converted at its edge: on the way in to the version that is stored, on the way
// out from the version that they were stored in.
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { internalError } from '../../shared/status/index.ts'
import { CallFailed, callWebhook } from '../admission/webhook-client.ts'
import type { Stored } from '../store/store.ts'
import { decodeBody, encodeBody } from './codec.ts'
import type { Environment } from './context.ts'

const TIMEOUT_SECONDS = 30
const BATCH = 500
/** In which version a body is; the storage version of its time. No field of a resource begins like this. */
const MARK = '$storedVersion'

/** Has the webhook make objects of `from` into those of `to`. Throws 500 in upstream's words. */
async function call(env: Environment, kind: Kind, objects: KObject[], from: string, to: string): Promise<KObject[]> {
  const { clientConfig, reviewVersions } = kind.conversion!
  const version = (v: string) => `${kind.group}/${v}`
  const failed = (why: string) => internalError(`conversion webhook for ${version(from)}, Kind=${kind.kind} failed: ${why}`)
  const uid = env.random.uuid()
  const asked = objects.map((o) => ({ ...o, apiVersion: version(from), kind: kind.kind }))
  const apiVersion = `apiextensions.k8s.io/${reviewVersions.find((v) => v === 'v1' || v === 'v1beta1')}`
  const review = { kind: 'ConversionReview', apiVersion, request: { uid, desiredAPIVersion: version(to), objects: asked } }
  let response: any
  try {
    response = JSON.parse(await callWebhook(env, clientConfig, TIMEOUT_SECONDS, review, 'failed to call webhook')).response
  } catch (cause) {
    throw failed(cause instanceof CallFailed ? cause.message : 'the answer is not JSON')
  }
  if (response?.uid !== uid) throw failed(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response?.uid ?? '')}`)
  if (response.result?.status !== 'Success')
    throw failed(response.result?.message ?? `response.result.status was ${JSON.stringify(response.result?.status ?? '')}, not "Success"`)
  const converted: any[] = response.convertedObjects ?? []
  if (converted.length !== objects.length) throw failed(`webhook returned ${converted.length} objects, expected ${objects.length}`)
  return converted.map((c, i) => {
    const { apiVersion: got, kind: k, ...o } = c ?? {}
    if (got !== version(to) || k !== kind.kind)
      throw failed(`returned object at index ${i} is of ${got}, Kind=${k}, expected ${version(to)}, Kind=${kind.kind}`)
    const { metadata } = objects[i]!
    for (const f of ['name', 'namespace', 'uid'] as const)
      if (o.metadata?.[f] !== metadata[f]) throw failed(`returned object at index ${i}: metadata.${f} may not change`)
    // A webhook may change labels and annotations, and nothing else of the metadata.
    const { labels, annotations } = o.metadata
    const kept = { ...metadata, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) }
    if (!labels) delete kept.labels
    if (!annotations) delete kept.annotations
    return { ...o, metadata: kept }
  })
}

/** A body with the defaults that its schema has now. What a webhook makes of it gets those of its own version. */
function defaulted(kind: Kind, { body, rv }: Pick<Stored, 'body' | 'rv'>): string {
  const o = decodeBody(body, rv)
  if (o[MARK] === undefined || o[MARK] === kind.version) kind.defaults!(o)
  return encodeBody(o)
}

/** Whether what is stored is not simply what is shown. */
export const isMadeOnRead = (kind: Kind): boolean => !!kind.conversion || !!kind.defaultsOnRead

/** Stored objects with their bodies in the version of `kind`. */
export async function readAs<S extends Pick<Stored, 'body' | 'rv'>>(env: Environment, kind: Kind, items: S[]): Promise<S[]> {
  if (kind.defaultsOnRead) items = items.map((i) => ({ ...i, body: defaulted(kind, i) }))
  if (!kind.conversion) return items
  const out = [...items]
  const byVersion = new Map<string, number[]>()
  const objects = items.map((i) => decodeBody(i.body, i.rv))
  objects.forEach((o, i) => {
    const from = o[MARK] ?? kind.conversion!.first
    delete o[MARK]
    if (from === kind.version) out[i] = { ...items[i]!, body: encodeBody(o) }
    else byVersion.set(from, [...(byVersion.get(from) ?? []), i])
  })
  for (const [from, indices] of byVersion)
    for (let at = 0; at < indices.length; at += BATCH) {
      const some = indices.slice(at, at + BATCH)
      const converted = await call(
        env,
        kind,
        some.map((i) => objects[i]!),
        from,
        kind.version,
      )
      some.forEach((i, n) => {
        out[i] = { ...items[i]!, body: encodeBody(converted[n]!) }
      })
    }
  return out
}

/** An object of `kind` as it is stored: the object, and its text. */
export async function storedForm(env: Environment, kind: Kind, o: KObject): Promise<{ object: KObject; body: string }> {
  if (!kind.conversion) return { object: o, body: encodeBody(o) }
  const { version } = kind.conversion.storage
  const [object] = kind.version === version ? [o] : await call(env, kind, [o], kind.version, version)
  return { object: object!, body: encodeBody({ ...object!, [MARK]: version }) }
}
