// PodSecurity: pods keep to the level that their namespace's labels name; templates of pods and changed labels get warnings.
import { resourceOf } from '../../shared/kinds/index.ts'
import { FieldErrors } from '../../shared/meta/field-error.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { against, detailsText, policyOf, type Standard, sameStandard, standardText, stricter } from '../../shared/pod-security/policy.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { forbidden, invalid } from '../../shared/status/index.ts'
import { decodeBody } from '../registry/codec.ts'
import type { Environment, RequestContext } from '../registry/context.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Request, Step } from './index.ts'

const MAX_PODS = 3000

const templates: Record<string, (o: KObject) => any> = {
  podtemplates: (o) => o.template,
  replicationcontrollers: (o) => o.spec?.template,
  'replicasets.apps': (o) => o.spec?.template,
  'deployments.apps': (o) => o.spec?.template,
  'daemonsets.apps': (o) => o.spec?.template,
  'statefulsets.apps': (o) => o.spec?.template,
  'jobs.batch': (o) => o.spec?.template,
  'cronjobs.batch': (o) => o.spec?.jobTemplate?.spec?.template,
}

/** Whether an update touches what a level may forbid: images, and containers that were not there. */
function significant(pod: KObject, old: KObject): boolean {
  const images = (o: KObject, list: string) => (o.spec[list] ?? []).map((c: any) => c.image)
  if (['containers', 'initContainers'].some((l) => !equal(images(pod, l), images(old, l)))) return true
  const before = new Map((old.spec.ephemeralContainers ?? []).map((c: any) => [c.name, c.image]))
  return (pod.spec.ephemeralContainers ?? []).some((c: any) => before.get(c.name) !== c.image)
}

const note = ({ annotations }: RequestContext, key: string, text: string): undefined => {
  if (annotations) annotations[`pod-security.kubernetes.io/${key}`] = text
}

async function judge({ env, kind, object, ctx }: Request, pod: any, enforce: boolean): Promise<undefined> {
  const namespace = await env.lookup.get('namespaces', '', object.metadata.namespace!)
  if (!namespace) return
  const { defaults, exemptions } = env.settings.podSecurity ?? {}
  const exempt =
    (exemptions?.namespaces?.includes(namespace.metadata.name) && 'namespace') ||
    (exemptions?.usernames?.includes(ctx.user.username) && 'user') ||
    (exemptions?.runtimeClasses?.includes(pod.spec.runtimeClassName ?? '') && 'runtimeClass')
  if (exempt) return note(ctx, 'exempt', exempt)
  const policy = policyOf(namespace.metadata.labels, undefined, defaults)
  if (enforce) {
    note(ctx, 'enforce-policy', standardText(policy.enforce))
    const found = against(policy.enforce, pod)
    if (found.length)
      throw forbidden(
        subjectOf(kind, object.metadata.name),
        `violates PodSecurity "${standardText(policy.enforce)}": ${detailsText(found)}`,
      )
  }
  const noted = against(policy.audit, pod)
  if (noted.length) note(ctx, 'audit-violations', `would violate PodSecurity "${standardText(policy.audit)}": ${detailsText(noted)}`)
  const found = against(policy.warn, pod)
  if (found.length) ctx.warnings.push(`would violate PodSecurity "${standardText(policy.warn)}": ${detailsText(found)}`)
}

async function labels(r: Request): Promise<undefined> {
  const e = new FieldErrors()
  const policy = policyOf(r.object.metadata.labels, e)
  const before = new FieldErrors()
  const was = r.old && policyOf(r.old.metadata.labels, before)
  // Labels that were wrong already do not hold up other changes.
  if (e.any && !equal(e.causes, before.causes)) throw invalid('', 'Namespace', r.object.metadata.name, e.causes)
  if (!was || sameStandard(policy.enforce, was.enforce) || policy.enforce.level === 'privileged') return
  if (policy.enforce.minor === was.enforce.minor && !stricter(policy.enforce.level, was.enforce.level)) return
  r.ctx.warnings.push(...(await running(r.env, r.object.metadata.name, policy.enforce)))
}

/** What pods that run already do against a new level; one line per reason, with the first pod of each. */
async function running(env: Environment, ns: string, standard: Standard): Promise<string[]> {
  const { items, remaining } = await env.store.list({ resource: 'pods', ns, limit: MAX_PODS })
  const byReason = new Map<string, string[]>()
  for (const { body, rv } of items) {
    const pod = decodeBody(body, rv)
    const found = against(standard, pod)
    if (!found.length) continue
    const reason = found.map((v) => v.reason).join(', ')
    byReason.set(reason, [...(byReason.get(reason) ?? []), pod.metadata.name])
  }
  const lines = [...byReason].map(([reason, names]) => {
    const others = names.length - 1
    return `${names.sort()[0]}${others ? ` (and ${others} other pod${others > 1 ? 's' : ''})` : ''}: ${reason}`
  })
  return [
    ...(remaining
      ? [`new PodSecurity enforce level only checked against the first ${items.length} of ${items.length + remaining} existing pods`]
      : []),
    ...(lines.length ? [`existing pods in namespace "${ns}" violate the new PodSecurity enforce level "${standardText(standard)}"`] : []),
    ...lines.sort(),
  ]
}

function check(r: Request): Promise<undefined> | undefined {
  const { kind, object, old, part } = r
  const resource = resourceOf(kind)
  if (resource === 'pods') {
    if (part !== 'main' && part !== 'ephemeralcontainers') return
    return old && !significant(object, old) ? undefined : judge(r, object, true)
  }
  if (part !== 'main') return
  if (resource === 'namespaces') return labels(r)
  const template = templates[resource]?.(object)
  return template?.spec ? judge(r, template, false) : undefined
}

export const podSecurity: Step = { name: 'PodSecurity', create: check, update: check }
