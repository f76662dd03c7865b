// CertificateSigningRequests: who asks is written into them, who may approve and sign is asked here, and what Kubernetes' own signers are to certify is
// certified with the approval.

import { FRONT_PROXY, pemBlocks } from '../../shared/kinds/certificates.ts'
import { dictionary } from '../../shared/meta/dictionary.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { forbidden, invalid } from '../../shared/status/index.ts'
import { type RequestContext, type SigningRequest, userInfo } from '../registry/context.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Request, Step } from './index.ts'

const RESOURCE = 'certificatesigningrequests'
const GROUP = 'certificates.k8s.io'
const APISERVER_CLIENT = 'kubernetes.io/kube-apiserver-client'
const YEAR = 365 * 24 * 3600 * 1000

const isRequest = (r: Request) => r.kind.group === GROUP && r.kind.plural === RESOURCE
const pemOf = (o: KObject): string => atob(o.spec?.request ?? '')
const refused = (r: Request, why: string) => forbidden(subjectOf(r.kind, r.object.metadata.name), why)

function says(o: KObject, { user }: RequestContext): void {
  const { username: _, uid: __, groups: ___, extra: ____, ...asked } = o.spec ?? {}
  o.spec = { ...asked, ...userInfo(user) }
}

/** Signers are named in full, or all of a domain. */
async function maySign(r: Request, verb: string, name: string): Promise<boolean> {
  const names = [name, `${name.split('/')[0]}/*`]
  for (const n of names) if (await r.env.allowed(r.ctx.user, { verb, group: GROUP, resource: 'signers', name: n })) return true
  return false
}

async function checkRequest(r: Request): Promise<undefined> {
  const { object: o, env } = r
  const asked = await env.authority.readRequest(pemOf(o)).catch((cause) => {
    const message = `Invalid value: ${JSON.stringify(o.spec?.request ?? '')}: ${(cause as Error).message}`
    throw invalid(GROUP, r.kind.kind, o.metadata.name, [{ field: 'spec.request', message, reason: 'FieldValueInvalid' }])
  })
  if (o.spec.signerName === APISERVER_CLIENT && asked.organizations.includes('system:masters'))
    throw refused(r, `use of ${APISERVER_CLIENT} signer with system:masters group is not allowed`)
}

const NODE_ORGANIZATIONS = ['system:nodes']
const exactly = (usages: string[], ...sets: string[][]) =>
  sets.some((s) => s.length === usages.length && s.every((u) => usages.includes(u)))

function isNode(a: SigningRequest): string | undefined {
  if (!equal(a.organizations, NODE_ORGANIZATIONS)) return 'subject organization is not system:nodes'
  return a.commonName.startsWith('system:node:') ? undefined : 'subject common name does not begin with system:node:'
}

/** What each of Kubernetes' signers certifies: why not, or undefined. */
const signers: Record<string, (a: SigningRequest, usages: string[]) => string | undefined> = dictionary({
  [APISERVER_CLIENT]: (a, usages) => {
    // Aggregated API servers believe whoever has this name.
    if (a.commonName === FRONT_PROXY) return `the common name ${FRONT_PROXY} is taken`
    if (!usages.includes('client auth')) return 'usages did not include client auth'
    const strange = usages.find((u) => !['client auth', 'digital signature', 'key encipherment'].includes(u))
    return strange ? `usages did not match: ${strange}` : undefined
  },
  'kubernetes.io/kube-apiserver-client-kubelet': (a, usages) => {
    if (a.names.length) return `${a.names[0]!.type} subjectAltNames are not allowed`
    const wanted = ['digital signature', 'client auth']
    return exactly(usages, wanted, [...wanted, 'key encipherment'])
      ? isNode(a)
      : 'usages did not match [client auth digital signature key encipherment]'
  },
  'kubernetes.io/kubelet-serving': (a, usages) => {
    if (!a.names.some((n) => n.type === 'dns' || n.type === 'ip')) return 'DNS or IP subjectAltName is required'
    const strange = a.names.find((n) => n.type !== 'dns' && n.type !== 'ip')
    if (strange) return `${strange.type} subjectAltNames are not allowed`
    const wanted = ['digital signature', 'server auth']
    return exactly(usages, wanted, [...wanted, 'key encipherment'])
      ? isNode(a)
      : 'usages did not match [digital signature key encipherment server auth]'
  },
})

/** The standard signers need nobody to wake them: the approval carries the certificate. */
async function certify({ env, object: o }: Request): Promise<void> {
  const signer = signers[o.spec.signerName]
  const has = (type: string) => o.status?.conditions?.some((c: any) => c.type === type)
  if (!signer || !has('Approved') || has('Failed') || o.status.certificate) return
  const pem = pemOf(o)
  const usages: string[] = o.spec.usages
  const why = signer(await env.authority.readRequest(pem), usages)
  if (why) {
    const now = timeString(env.clock.now())
    const said = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message: why }
    o.status.conditions.push({ ...said, lastUpdateTime: now, lastTransitionTime: now })
    return
  }
  const ttl = Math.min((o.spec.expirationSeconds ?? Number.POSITIVE_INFINITY) * 1000, YEAR)
  o.status.certificate = btoa(await env.authority.sign(pem, usages, ttl))
}

/** When a condition was said and when it last turned, where the writer did not say. */
function stampConditions({ env, object: o, old }: Request): void {
  const now = timeString(env.clock.now())
  for (const c of o.status?.conditions ?? []) {
    c.lastUpdateTime ??= now
    const before = old!.status?.conditions?.find((b: any) => b.type === c.type && b.status === c.status)
    c.lastTransitionTime ??= before?.lastTransitionTime ?? now
  }
}

export const signingRequests: Step = {
  name: 'CertificateSigningRequest',
  create: (r) => {
    if (isRequest(r)) says(r.object, r.ctx)
    return undefined
  },
  update: (r) => {
    if (isRequest(r) && r.part !== 'main') stampConditions(r)
    return undefined
  },
}

/** CertificateApproval, CertificateSigning and CertificateSubjectRestriction. */
export const signingRights: Step = {
  name: 'CertificateApproval',
  create: (r) => (isRequest(r) ? checkRequest(r) : undefined),
  update: async (r) => {
    if (!isRequest(r)) return undefined
    const { old, object: o } = r
    const signer = JSON.stringify(old!.spec.signerName)
    if (r.part === 'approval') {
      if (!(await maySign(r, 'approve', old!.spec.signerName)))
        throw refused(r, `user not permitted to approve requests with signerName ${signer}`)
      await certify(r)
    } else if (r.part === 'status' && !equal(old!.status, o.status) && !(await maySign(r, 'sign', old!.spec.signerName)))
      throw refused(r, `user not permitted to sign requests with signerName ${signer}`)
    return undefined
  },
}

/** Whoever gives out a signer's trust anchors has the right to, and they are what they are said to be. */
export const trustBundles: Step = {
  name: 'ClusterTrustBundleAttest',
  create: (r) => (isBundle(r) ? checkBundle(r) : undefined),
  update: (r) => (isBundle(r) && r.old!.spec.trustBundle !== r.object.spec.trustBundle ? checkBundle(r) : undefined),
}

const isBundle = (r: Request) => r.kind.group === GROUP && r.kind.kind === 'ClusterTrustBundle'

async function checkBundle(r: Request): Promise<undefined> {
  const { signerName, trustBundle } = r.object.spec
  if (signerName && !(await maySign(r, 'attest', signerName)))
    throw refused(r, `user not permitted to attest for signerName ${JSON.stringify(signerName)}`)
  for (const [i, { body }] of pemBlocks(trustBundle).entries()) {
    const why = await r.env.authority.whyNoAnchor(body)
    if (!why) continue
    const message = `Invalid value: "<value omitted>": entry ${i} ${why}`
    throw invalid(GROUP, r.kind.kind, r.object.metadata.name, [{ field: 'spec.trustBundle', message, reason: 'FieldValueInvalid' }])
  }
}
