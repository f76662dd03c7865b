// certificates.k8s.io: who asks for a certificate, who approves, what is signed. That the request is one is checked in api/admission/certificates.ts.

import { humanDuration } from '../meta/duration.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { dnsSubdomain } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, statusVerbs, text } from './kind.ts'

/** Who passes requests on to aggregated API servers, by its certificate's common name. */
export const FRONT_PROXY = 'front-proxy-client'
const LEGACY = 'kubernetes.io/legacy-unknown'
const MIN_SECONDS = 600
const MAX_SIGNER = 571
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
]
/** Conditions that say something by being there. */
const SETTLED = ['Approved', 'Denied', 'Failed']

function validateSigner(name: string | undefined, e: FieldErrors): void {
  const at = 'spec.signerName'
  if (!name) return void e.required(at)
  if (name === LEGACY) return void e.invalid(at, name, 'the legacy signerName is not allowed via this API version')
  const parts = name.split('/')
  if (parts.length !== 2) return void e.invalid(at, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
  const [domain, path] = parts as [string, string]
  const labels = domain.split('.')
  for (const m of dnsSubdomain(domain)) e.invalid(at, domain, m)
  if (labels.length < 2) e.invalid(at, domain, 'should be a domain with at least two segments separated by dots')
  for (const m of dnsSubdomain(path)) e.invalid(at, path, m)
  if (name.length > MAX_SIGNER) e.tooLong(at, MAX_SIGNER)
}

function validateConditions(o: KObject, e: FieldErrors): void {
  const seen = new Set<string>()
  o.status?.conditions?.forEach((c: any, i: number) => {
    const at = `status.conditions[${i}]`
    const statuses = SETTLED.includes(c.type) ? ['True'] : ['False', 'True', 'Unknown']
    if (!c.type) e.required(`${at}.type`)
    if (!c.status) e.required(`${at}.status`)
    else if (!statuses.includes(c.status)) e.notSupported(`${at}.status`, c.status, statuses)
    if (['Approved', 'Denied'].includes(c.type) && seen.has(c.type === 'Approved' ? 'Denied' : 'Approved'))
      e.invalid('status.conditions', c.type, 'Approved and Denied conditions are mutually exclusive')
    if (seen.has(c.type)) e.duplicate(`${at}.type`, c.type)
    seen.add(c.type)
  })
}

const conditionsOf = (o: KObject, type: string): any[] => (o.status?.conditions ?? []).filter((c: any) => c.type === type)

/** What an update of the status, or of the approval, may do to the conditions and the certificate. */
function validateChange(o: KObject, old: KObject, may: { approve?: boolean; sign?: boolean }, e: FieldErrors): void {
  for (const t of SETTLED)
    if (conditionsOf(o, t).length < conditionsOf(old, t).length)
      e.forbidden('status.conditions', `updates may not remove a condition of type ${JSON.stringify(t)}`)
  if (!may.approve)
    for (const t of ['Approved', 'Denied']) {
      const [now, before] = [conditionsOf(o, t), conditionsOf(old, t)]
      if (now.length > before.length) e.forbidden('status.conditions', `updates may not add a condition of type ${JSON.stringify(t)}`)
      else if (now.length === before.length && !equal(now, before))
        e.forbidden('status.conditions', `updates may not modify a condition of type ${JSON.stringify(t)}`)
    }
  const [now, before] = [o.status?.certificate, old.status?.certificate]
  if ((now ?? '') === (before ?? '')) return
  if (!may.sign) e.forbidden('status.certificate', 'updates may not set certificate content')
  else if (before) e.forbidden('status.certificate', 'updates may not modify existing certificate content')
}

function conditionText(o: KObject): string {
  const has = (t: string) => conditionsOf(o, t).length > 0
  const said = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'
  return `${said}${has('Failed') ? ',Failed' : ''}${o.status?.certificate ? ',Issued' : ''}`
}

export const certificateSigningRequest: Kind = plainKind({
  group: 'certificates.k8s.io',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  shortNames: ['csr'],
  namespaced: false,
  type: 'V1CertificateSigningRequest',
  subresources: {
    ...statusSubresource,
    approval: {
      verbs: statusVerbs,
      part: {
        take: (next, asked) => {
          next.status = { ...next.status, conditions: asked.status?.conditions ?? [] }
        },
        validate: (o, old, e) => validateChange(o, old, { approve: true }, e),
      },
    },
  },
  nameFormat: () => [],
  prepareForCreate: (o) => {
    o.status = {}
  },
  prepareForUpdate: (o, old) => {
    o.spec = old.spec
    o.status = old.status
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    if (!s.usages?.length) e.required('spec.usages')
    const seen = new Set<string>()
    s.usages?.forEach((u: string, i: number) => {
      if (!USAGES.includes(u)) e.notSupported(`spec.usages[${i}]`, u, USAGES)
      if (seen.has(u)) e.duplicate(`spec.usages[${i}]`, u)
      seen.add(u)
    })
    validateSigner(s.signerName, e)
    if (s.expirationSeconds < MIN_SECONDS) {
      const detail = 'may not specify a duration less than 600 seconds (10 minutes)'
      e.invalid('spec.expirationSeconds', s.expirationSeconds, detail)
    }
    validateConditions(o, e)
  },
  // The main resource keeps its status: what reaches this comes by way of the status.
  validateUpdate: (o, old, e) => validateChange(o, old, { sign: true }, e),
  fields: (o) => ({ 'spec.signerName': o.spec?.signerName ?? '' }),
  columns: [
    nameColumn,
    ageColumn,
    text('SignerName', 'Who is to sign it.'),
    text('Requestor', 'Who asks for it.'),
    text('RequestedDuration', 'How long it is to be valid.'),
    text('Condition', 'What has been decided, and whether it is issued.'),
  ],
  cells: (o, now) => {
    const { signerName, username, expirationSeconds } = o.spec ?? {}
    const lasts = expirationSeconds === undefined ? '<none>' : humanDuration(expirationSeconds * 1000)
    return [o.metadata.name, ageOf(o, now), signerName || '<none>', username ?? '', lasts, conditionText(o)]
  },
})

const MAX_BUNDLE = 1024 * 1024
const OMITTED = '<value omitted>'

/** The PEM blocks of a text, in order. */
export function pemBlocks(text: string): { type: string; headers: boolean; body: string }[] {
  return [...text.matchAll(/-----BEGIN ([^\n-]+)-----\s*\n([\s\S]*?)-----END \1-----/g)].map(([, type, inner]) => {
    const headers = /^[^\n:]+:/.test(inner!)
    return { type: type!, headers, body: inner!.replace(/\s/g, '') }
  })
}

/** What can be said of a bundle by its text; that its blocks are certificates of authorities is looked at in api/admission/certificates.ts. */
function validateBundle(bundle: string, e: FieldErrors): void {
  const at = 'spec.trustBundle'
  if (bundle.length > MAX_BUNDLE) return void e.tooLong(at, MAX_BUNDLE)
  const blocks = pemBlocks(bundle)
  if (!blocks.length) return void e.invalid(at, OMITTED, 'at least one trust anchor must be provided')
  const seen = new Map<string, number>()
  for (const [i, { type, headers, body }] of blocks.entries()) {
    const before = seen.get(body)
    if (type !== 'CERTIFICATE') e.invalid(at, OMITTED, `entry ${i} has bad block type: ${type}`)
    else if (headers) e.invalid(at, OMITTED, `entry ${i} has PEM block headers`)
    else if (before !== undefined) e.invalid(at, OMITTED, `duplicate trust anchor (indices ${before}, ${i})`)
    seen.set(body, i)
  }
}

function validateBundleName(o: KObject, e: FieldErrors): void {
  const name: string = o.metadata.name ?? ''
  const signer: string = o.spec?.signerName ?? ''
  const prefix = signer ? `${signer.replaceAll('/', ':')}:` : ''
  const at = 'metadata.name'
  if (!name.startsWith(prefix))
    return void e.invalid(at, name, `ClusterTrustBundle for signerName ${signer} must be named with prefix ${prefix}`)
  if (!signer && name.includes(':')) return void e.invalid(at, name, 'ClusterTrustBundle without signer name must not have ":" in its name')
  e.format(at, name, dnsSubdomain(name.slice(prefix.length)))
}

export const clusterTrustBundle: Kind = plainKind({
  group: 'certificates.k8s.io',
  version: 'v1beta1',
  kind: 'ClusterTrustBundle',
  plural: 'clustertrustbundles',
  namespaced: false,
  type: 'V1beta1ClusterTrustBundle',
  nameFormat: () => [],
  validate: (o, e) => {
    if (o.spec?.signerName) validateSigner(o.spec.signerName, e)
    if (o.metadata.name) validateBundleName(o, e)
    validateBundle(o.spec?.trustBundle ?? '', e)
  },
  validateUpdate: (o, old, e) => {
    if ((o.spec?.signerName ?? '') !== (old.spec?.signerName ?? ''))
      e.invalid('spec.signerName', o.spec?.signerName ?? '', 'field is immutable')
  },
  fields: (o) => ({ 'spec.signerName': o.spec?.signerName ?? '' }),
  columns: [nameColumn, text('SignerName', 'Who vouches for what is in it.')],
  cells: (o) => [o.metadata.name, o.spec?.signerName || '<none>'],
})
