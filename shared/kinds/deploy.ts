// DeployHook and DeployDelivery: our own kinds. A hook is an address that providers call; each call that counts is a delivery, carried out by the engine.
import type { FieldErrors } from '../meta/field-error.ts'
import { configMapKey, dnsSubdomain } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, allVerbs, integer, type Kind, nameColumn, statusVerbs, text } from './kind.ts'

export const DEPLOY_GROUP = 'deploy.kedge.dev'
export const providers = ['GitHub', 'GitLab', 'Gitea', 'Bitbucket', 'DockerHub', 'Registry', 'Generic']
const events = ['push', 'tag', 'pull_request', 'release', 'image']
/** Beyond these a template has nothing to be filled with. */
const variables = ['sha', 'short', 'branch', 'tag', 'ref', 'number', 'repository', 'image', 'imageTag', 'digest', 'namespace', 'hook']
const MAX_HISTORY = 200
const MAX_PREVIEWS = 100

function checkTemplate(at: string, value: string | undefined, e: FieldErrors) {
  if (value === undefined) return
  for (const [whole, name] of value.matchAll(/\{\{\s*(.*?)\s*\}\}/g))
    if (!variables.includes(name!)) e.invalid(at, whole, `there is no such value: use one of ${variables.join(', ')}`)
}

function checkSecret(at: string, ref: any, e: FieldErrors) {
  if (!ref) return
  if (!ref.name) e.required(`${at}.name`)
  else e.format(`${at}.name`, ref.name, dnsSubdomain(ref.name))
  if (ref.key) e.format(`${at}.key`, ref.key, configMapKey(ref.key))
}

function checkUrl(at: string, value: string | undefined, e: FieldErrors) {
  if (value === undefined) return
  if (!/^https?:\/\/[^/\s]+/.test(value)) e.invalid(at, value, 'must be an http or https URL')
}

function checkWorkloads(at: string, list: any[] | undefined, e: FieldErrors) {
  if (!list?.length) e.required(at)
  for (const [i, w] of (list ?? []).entries()) if (!w.name) e.required(`${at}[${i}].name`)
}

function validateHook(o: KObject, e: FieldErrors) {
  const s = o.spec ?? {}
  if (!providers.includes(s.provider)) e.notSupported('spec.provider', s.provider ?? '', providers)
  if (!s.secretRef) e.required('spec.secretRef')
  checkSecret('spec.secretRef', s.secretRef, e)
  const actions = ['setImage', 'restart', 'apply'].filter((a) => s[a])
  if (actions.length !== 1) e.invalid('spec', actions.join(', '), 'exactly one of setImage, restart and apply must be given')
  for (const [i, event] of (s.filters?.events ?? []).entries())
    if (!events.includes(event)) e.notSupported(`spec.filters.events[${i}]`, event, events)
  if (s.fields && s.provider !== 'Generic') e.forbidden('spec.fields', 'only provider Generic has a payload of any form')
  for (const [name, pointer] of Object.entries<string>(s.fields ?? {}))
    if (!pointer.startsWith('/')) e.invalid(`spec.fields[${name}]`, pointer, 'must be a JSON pointer, as /commit/id')
  if (s.setImage) {
    checkWorkloads('spec.setImage.workloads', s.setImage.workloads, e)
    checkTemplate('spec.setImage.image', s.setImage.image, e)
  }
  if (s.restart) checkWorkloads('spec.restart.workloads', s.restart.workloads, e)
  if (s.apply) {
    checkTemplate('spec.apply.archive', s.apply.archive, e)
    checkUrl('spec.apply.archive', s.apply.archive, e)
    checkSecret('spec.apply.credentialsRef', s.apply.credentialsRef, e)
    if (s.apply.path?.split('/').includes('..')) e.invalid('spec.apply.path', s.apply.path, 'must not leave the repository')
    if (!s.apply.archive && ['DockerHub', 'Registry', 'Generic'].includes(s.provider)) e.required('spec.apply.archive')
    for (const [i, image] of (s.apply.images ?? []).entries()) {
      if (!image.name) e.required(`spec.apply.images[${i}].name`)
      for (const f of ['newName', 'newTag']) checkTemplate(`spec.apply.images[${i}].${f}`, image[f], e)
    }
  }
  if (s.preview) {
    if (!s.apply) e.forbidden('spec.preview', 'previews are made by apply')
    checkTemplate('spec.preview.namespace', s.preview.namespace, e)
    if (s.preview.namespace && !/^(\{\{\s*namespace\s*\}\}|[a-z0-9-]+)-/.test(s.preview.namespace))
      e.invalid('spec.preview.namespace', s.preview.namespace, 'must begin with {{namespace}}-')
    if (s.preview.max < 1 || s.preview.max > MAX_PREVIEWS)
      e.invalid('spec.preview.max', s.preview.max, `must be between 1 and ${MAX_PREVIEWS}`)
  }
  const { timeoutSeconds: seconds } = s.rollout ?? {}
  if (seconds < 5 || seconds > 86_400) e.invalid('spec.rollout.timeoutSeconds', seconds, 'must be between 5 and 86400')
  if (s.historyLimit < 1 || s.historyLimit > MAX_HISTORY)
    e.invalid('spec.historyLimit', s.historyLimit, `must be between 1 and ${MAX_HISTORY}`)
  checkSecret('spec.report.tokenRef', s.report?.tokenRef, e)
  checkUrl('spec.report.apiUrl', s.report?.apiUrl, e)
  checkUrl('spec.report.callbackUrl', s.report?.callbackUrl, e)
  if (s.report?.commitStatus && !s.report.tokenRef) e.required('spec.report.tokenRef')
}

const actionOf = (s: any): string => {
  const names = (list: any[] = []) => list.map((w) => w.name).join(',')
  if (s?.setImage) return `set image of ${names(s.setImage.workloads)}`
  if (s?.restart) return `restart ${names(s.restart.workloads)}`
  return s?.apply ? `apply ${s.apply.path || '.'}${s.preview ? ', previews' : ''}` : ''
}

export const deployHook: Kind = {
  group: DEPLOY_GROUP,
  version: 'v1',
  kind: 'DeployHook',
  plural: 'deployhooks',
  singular: 'deployhook',
  shortNames: ['dh'],
  namespaced: true,
  type: 'V1DeployHook',
  verbs: allVerbs,
  subresources: { status: { verbs: statusVerbs } },
  generation: true,
  defaults: (o) => {
    const s = (o.spec ??= {})
    s.serviceAccountName ||= 'default'
    s.historyLimit ??= 20
    s.rollout ??= {}
    s.rollout.timeoutSeconds ??= 300
    s.rollout.rollback ??= true
    for (const w of [...(s.setImage?.workloads ?? []), ...(s.restart?.workloads ?? [])]) w.kind ||= 'Deployment'
    if (s.preview) {
      s.preview.namespace ||= '{{namespace}}-pr-{{number}}'
      s.preview.max ??= 10
    }
  },
  prepareForCreate: (o) => {
    o.status = {}
  },
  prepareForUpdate: (o, old) => {
    o.status = old.status
  },
  validate: validateHook,
  columns: [
    nameColumn,
    text('Provider', 'Who calls.'),
    text('Action', 'What is done then.'),
    integer('Deliveries', 'Calls that became deliveries.'),
    text('Last', 'How the newest delivery stands.'),
    ageColumn,
    text('Service-Account', 'Whose rights the hook has.', 1),
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.provider ?? '',
    actionOf(o.spec),
    o.status?.accepted ?? 0,
    o.status?.lastPhase || '<none>',
    ageOf(o, now),
    o.spec?.serviceAccountName ?? '',
  ],
}

/** `acme/web@1a2b3c4`, or whatever it is about. */
export function subjectOfFacts(f: Record<string, string> = {}): string {
  if (f.image) return f.digest && !f.imageTag ? `${f.image}@${f.digest.slice(0, 19)}` : `${f.image}${f.imageTag ? `:${f.imageTag}` : ''}`
  const at = f.tag || f.sha?.slice(0, 7)
  const request = f.number ? ` #${f.number}` : ''
  return `${f.repository ?? ''}${request}${at ? `@${at}` : ''}`
}

export const deployDelivery: Kind = {
  group: DEPLOY_GROUP,
  version: 'v1',
  kind: 'DeployDelivery',
  plural: 'deploydeliveries',
  singular: 'deploydelivery',
  shortNames: ['dd'],
  namespaced: true,
  type: 'V1DeployDelivery',
  verbs: allVerbs,
  subresources: { status: { verbs: statusVerbs } },
  prepareForCreate: (o) => {
    o.status = {}
  },
  prepareForUpdate: (o, old) => {
    o.status = old.status
  },
  validate: (o, e) => {
    if (!o.spec?.hook) e.required('spec.hook')
  },
  validateUpdate: (o, old, e) => {
    if (!equal(o.spec, old.spec)) e.forbidden('spec', 'a delivery never changes: replay makes a new one')
  },
  fields: (o) => ({ 'spec.hook': o.spec?.hook ?? '', 'status.phase': o.status?.phase ?? '' }),
  columns: [
    nameColumn,
    text('Hook', 'The hook that was called.'),
    text('Event', 'What happened.'),
    text('What', 'To what.'),
    text('Phase', 'How it stands.'),
    ageColumn,
    text('Message', 'Why.', 1),
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.hook ?? '',
    o.spec?.facts?.event ?? '',
    subjectOfFacts(o.spec?.facts),
    o.status?.phase || 'Pending',
    ageOf(o, now),
    o.status?.message ?? '',
  ],
}
