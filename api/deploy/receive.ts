// POST /hooks/NAMESPACE/NAME[/TOKEN]: a provider calls. The call is verified, read, filtered and written down; the engine does the rest.

import { DEPLOY_GROUP, deployDelivery, deployHook } from '../../shared/kinds/deploy.ts'
import { resourceOf } from '../../shared/kinds/index.ts'
import { fromBase64Text } from '../../shared/meta/base64.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { badRequest, notFound, StatusError } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'
import { json } from '../http/answer.ts'
import { readBytes } from '../http/body.ts'
import { systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { filteredOut, Malformed, type Reading, readPayload } from './payload.ts'
import { deliveryId, sha256, signs, verified } from './verify.ts'

export const HOOK_PATH = '/hooks/'

/** The same words whether the hook, or a hosted cluster, is not there. */
export const noHook = (path: string) =>
  notFound({ group: DEPLOY_GROUP, resource: 'deployhooks', name: path.slice(HOOK_PATH.length).split('/')[1] ?? '' })

const COMPONENT = 'deploy-hooks'
const options = { fieldManager: COMPONENT, fieldValidation: 'Ignore' as const }
/** How many calls a hook remembers beyond the deliveries that it keeps. */
const MAX_SEEN = 500
const FLUSH_EVERY = 10_000
const MAX_COUNTED = 1000

type Count = 'accepted' | 'ignored' | 'duplicates' | 'refused'

/** Counts since the last write, by cluster and hook: what anybody can cause may not cost a write each. */
const pending = new WeakMap<Cluster, Map<string, { counts: Partial<Record<Count, number>>; at: number }>>()

async function count(cluster: Cluster, hook: KObject, what: Count, change: (status: any) => void = () => {}, now = false): Promise<void> {
  const { namespace, name, uid } = hook.metadata
  const all = pending.get(cluster) ?? new Map()
  pending.set(cluster, all)
  const entry = all.get(uid) ?? { counts: {}, at: 0 }
  entry.counts[what] = (entry.counts[what] ?? 0) + 1
  if (all.size >= MAX_COUNTED && !all.has(uid)) all.delete(all.keys().next().value!)
  all.set(uid, entry)
  if (!now && cluster.clock.now() - entry.at < FLUSH_EVERY) return
  const { counts } = entry
  entry.counts = {}
  entry.at = cluster.clock.now()
  await mutate(
    cluster.env,
    deployHook,
    keyFor(deployHook, namespace!, name),
    'status',
    (old) => {
      const status = { ...old.status }
      for (const [k, n] of Object.entries(counts)) status[k] = (status[k] ?? 0) + n!
      change(status)
      delete old.metadata.resourceVersion
      return { object: { ...old, status } }
    },
    options,
    systemContext(COMPONENT),
  ).catch((cause) => {
    if (cause?.code !== 404) cluster.log.error('the calls of a hook could not be counted', cause, { namespace, hook: name })
  })
}

const secretOf = async (cluster: Cluster, hook: KObject | undefined): Promise<string | undefined> => {
  const ref = hook?.spec?.secretRef
  const found = ref && (await cluster.env.lookup.get('secrets', hook.metadata.namespace!, ref.name))
  return decodeKey(found, ref?.key ?? 'secret')
}

/** A key of a Secret as text. */
export function decodeKey(secret: KObject | undefined, key: string): string | undefined {
  const value = secret?.data?.[key]
  return value === undefined ? undefined : fromBase64Text(value).trimEnd()
}

const answer = (status: string, more: object = {}, code = 200) => json(JSON.stringify({ status, ...more }), code)
const refused = () => new StatusError(401, 'Unauthorized', 'the signature or token does not fit: compare the secret at both ends')

/** Whoever knows neither hook nor secret learns nothing but the code. Throws StatusErrors. */
export async function receive(cluster: Cluster, ns: string, name: string, token: string | undefined, request: Request): Promise<Response> {
  const body = await readBytes(request)
  const header = (n: string) => request.headers.get(n) ?? undefined
  const hook = await cluster.env.lookup.get(resourceOf(deployHook), ns, name)
  const genuine = await verified(hook?.spec.provider ?? 'GitHub', await secretOf(cluster, hook), body, header, token)
  if (!hook) throw noHook(`${HOOK_PATH}${ns}/${name}`)
  const refuse = async (why: StatusError) => {
    await count(cluster, hook, 'refused')
    return why
  }
  if (!genuine) throw await refuse(refused())

  const { spec } = hook
  let reading: Reading
  try {
    reading = readPayload(spec.provider, JSON.parse(payloadText(body, header('content-type'))), header, spec.fields)
  } catch (cause) {
    if (!(cause instanceof Malformed) && !(cause instanceof SyntaxError)) throw cause
    throw await refuse(badRequest(`the payload cannot be read: ${cause instanceof Malformed ? cause.message : 'it is no JSON'}`))
  }
  const why = 'ignored' in reading ? reading.ignored : spec.suspend ? 'the hook is suspended' : filteredOut(spec, reading)
  if (why !== undefined || 'ignored' in reading) {
    await count(cluster, hook, 'ignored')
    return answer('ignored', { reason: why })
  }

  const digest = await sha256(body)
  const id = deliveryId(spec.provider, header)
  // A signed body is told apart by itself: whoever repeats it could have changed the id. A token says nothing of the body: then the id has to.
  const mark = (
    signs(spec.provider, header)
      ? digest
      : id
        ? await sha256(new TextEncoder().encode(id))
        : spec.provider === 'DockerHub'
          ? digest
          : cluster.env.random.uuid().replaceAll('-', '')
  ).slice(0, 16)
  if (hook.status?.seen?.includes(mark)) return duplicate(cluster, hook)
  const delivery = {
    metadata: {
      // Cut where a part of a name may end.
      name: `${name.slice(0, 200).replace(/[.-]+$/, '')}-${mark}`,
      namespace: ns,
      ownerReferences: [{ apiVersion: `${DEPLOY_GROUP}/v1`, kind: 'DeployHook', name, uid: hook.metadata.uid }],
    },
    spec: {
      hook: name,
      ...(id ? { id } : {}),
      digest: `sha256:${digest}`,
      received: new Date(cluster.clock.now()).toISOString().replace('Z', '000Z'),
      facts: reading.facts,
    },
  }
  try {
    await create(cluster.env, deployDelivery, ns, delivery, options, systemContext(COMPONENT))
  } catch (cause) {
    if ((cause as StatusError).code === 409) return duplicate(cluster, hook)
    throw cause
  }
  const { name: made } = delivery.metadata
  await count(
    cluster,
    hook,
    'accepted',
    (status) => {
      status.seen = [...(status.seen ?? []), mark].slice(-MAX_SEEN)
      status.lastDelivery = made
      status.lastPhase = 'Pending'
    },
    true,
  )
  return answer('accepted', { delivery: made }, 202)
}

async function duplicate(cluster: Cluster, hook: KObject): Promise<Response> {
  await count(cluster, hook, 'duplicates')
  return answer('duplicate')
}

/** Some providers send the JSON as a form's field. */
function payloadText(body: Uint8Array, type = ''): string {
  const text = new TextDecoder().decode(body)
  return type.startsWith('application/x-www-form-urlencoded') ? (new URLSearchParams(text).get('payload') ?? '') : text
}
