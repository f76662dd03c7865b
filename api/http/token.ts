// serviceaccounts/NAME/token: short-lived tokens for an audience, bound to a pod or secret when asked.
import { timeString } from '../../shared/meta/object.ts'
import { conflict, forbidden, invalid, notFound } from '../../shared/status/index.ts'
import { nodeOf } from '../admission/node-restriction.ts'
import { subjectOf } from '../registry/validate.ts'
import { json } from './answer.ts'
import { admitted } from './other-admission.ts'
import { type Asked, body } from './resource.ts'

const MIN_SECONDS = 600
const MAX_SECONDS = 1 << 30

export async function createToken(a: Asked): Promise<Response> {
  const { cluster, r } = a
  const raw: any = await body(a)
  const spec = raw?.spec ?? {}
  const seconds = spec.expirationSeconds ?? 3600
  const fault = (field: string, message: string) =>
    invalid('authentication.k8s.io', 'TokenRequest', r.name!, [{ reason: 'FieldValueInvalid', field, message }])
  if (seconds < MIN_SECONDS)
    throw fault('spec.expirationSeconds', `Invalid value: ${seconds}: may not specify a duration less than 10 minutes`)
  if (seconds > MAX_SECONDS)
    throw fault('spec.expirationSeconds', `Invalid value: ${seconds}: may not specify a duration larger than 2^32 seconds`)
  const account = await cluster.env.lookup.get('serviceaccounts', r.namespace!, r.name!)
  if (!account) throw notFound(subjectOf(r.kind, r.name))
  const bound = spec.boundObjectRef
  const node = nodeOf(a.user)
  if (node && bound?.kind !== 'Pod')
    throw forbidden(subjectOf(r.kind, r.name), 'node may only request service account tokens that are bound to a pod')
  if (bound) {
    const resource = bound.kind === 'Pod' ? 'pods' : bound.kind === 'Secret' ? 'secrets' : undefined
    if (!resource)
      throw fault('spec.boundObjectRef.kind', `Unsupported value: ${JSON.stringify(bound.kind)}: supported values: "Pod", "Secret"`)
    const object = await cluster.env.lookup.get(resource, r.namespace!, bound.name)
    if (!object) throw notFound({ group: '', resource, name: bound.name })
    if (bound.uid && bound.uid !== object.metadata.uid)
      throw conflict(
        { group: '', resource, name: bound.name },
        `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      )
    if (node && object.spec?.nodeName !== node)
      throw forbidden(subjectOf(r.kind, r.name), 'node requested token bound to a pod scheduled on a different node')
    bound.uid = object.metadata.uid
  }
  await admitted(a, 'CREATE', 'authentication.k8s.io/v1', 'TokenRequest', raw)
  const audiences: string[] = spec.audiences?.length ? spec.audiences : [cluster.authenticators.accounts.issuer]
  const token = await cluster.authenticators.accounts.issue(r.namespace!, r.name!, account.metadata.uid, audiences, seconds, bound)
  return json(
    JSON.stringify({
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name: r.name, namespace: r.namespace, creationTimestamp: timeString(cluster.clock.now()) },
      spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: bound ?? null },
      status: { token, expirationTimestamp: timeString(cluster.clock.now() + seconds * 1000) },
    }),
    201,
  )
}
