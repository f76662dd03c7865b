// ValidatingAdmissionPolicy: rules of the cluster's own, over whatever its users write.
import type { KObject } from '../../shared/meta/object.ts'
import { StatusError } from '../../shared/status/index.ts'
import { type Bound, boundPolicies } from './bindings.ts'
import type { Request, Step } from './index.ts'
import { type Ask, askOf, conditionsHold, Evaluation, type Operation } from './matching.ts'

const MAX_MESSAGE = 5 * 1024
const codes: Record<string, number> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 }

interface Denial {
  message: string
  reason: string
}

async function messageOf(evaluation: Evaluation, v: any): Promise<string> {
  if (v.messageExpression) {
    const made = await evaluation.run(v.messageExpression, ['string']).catch(() => undefined)
    const text = typeof made === 'string' ? made.trim() : ''
    if (text && text.length <= MAX_MESSAGE && !text.includes('\n')) return text
  }
  return v.message?.trim() || `failed expression: ${v.expression.trim()}`
}

/** What the policy has against the request; empty where its conditions do not hold. */
async function denials(a: Ask, policy: KObject, params: KObject | undefined): Promise<Denial[]> {
  const { spec } = policy
  const failed = (e: unknown): Denial[] => (spec.failurePolicy === 'Ignore' ? [] : [{ message: (e as Error).message, reason: 'Invalid' }])
  const evaluation = new Evaluation(a, { params: !!spec.paramKind, variables: spec.variables ?? [] }, params)
  try {
    if (!(await conditionsHold(evaluation, spec.matchConditions))) return []
  } catch (e) {
    return failed(e)
  }
  const out: Denial[] = []
  for (const v of spec.validations ?? [])
    try {
      if ((await evaluation.run(v.expression, ['bool'])) !== true)
        out.push({ message: await messageOf(evaluation, v), reason: v.reason ?? 'Invalid' })
    } catch (e) {
      out.push(...failed(new Error(`expression '${v.expression}' resulted in error: ${(e as Error).message}`)))
    }
  return out
}

function refusal({ r }: Ask, message: string, reason: string): StatusError {
  const { kind, object } = r
  const subject = `${kind.plural}${kind.group ? `.${kind.group}` : ''}${object.metadata.name ? ` ${JSON.stringify(object.metadata.name)}` : ''}`
  return new StatusError(codes[reason] ?? 422, reason as any, `${subject} is forbidden: ${message}`, {
    ...(object.metadata.name ? { name: object.metadata.name } : {}),
    ...(kind.group ? { group: kind.group } : {}),
    kind: kind.plural,
    causes: [{ message } as any],
  })
}

/** What a policy wants to be written down. */
async function annotationsOf(a: Ask, { metadata, spec }: KObject, params: any): Promise<Record<string, string>> {
  const out: Record<string, string> = {}
  if (!spec.auditAnnotations?.length) return out
  const evaluation = new Evaluation(a, { params: !!spec.paramKind, variables: spec.variables }, params)
  for (const { key, valueExpression } of spec.auditAnnotations)
    try {
      const value = await evaluation.run(valueExpression, ['string', 'null_type'])
      if (typeof value === 'string' && value) out[`${metadata.name}/${key}`] = value
    } catch {
      // What cannot be said is left out: the request is not at fault.
    }
  return out
}

async function judge(a: Ask, b: Bound): Promise<void> {
  const { policy, binding } = b
  const names = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}'`
  if (b.fault !== undefined) {
    if (policy.spec.failurePolicy !== 'Ignore') throw refusal(a, `${names} denied request: ${b.fault}`, 'Invalid')
    return
  }
  const { annotations } = a.r.ctx
  const failures: object[] = []
  for (const params of b.params) {
    if (annotations) Object.assign(annotations, await annotationsOf(a, policy, params))
    for (const d of await denials(a, policy, params)) {
      const actions: string[] = binding.spec.validationActions ?? []
      if (actions.includes('Warn'))
        a.r.ctx.warnings.push(
          `Validation failed for ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}': ${d.message}`,
        )
      if (actions.includes('Audit'))
        failures.push({ message: d.message, policy: policy.metadata.name, binding: binding.metadata.name, validationActions: actions })
      if (actions.includes('Deny')) throw refusal(a, `${names} denied request: ${d.message}`, d.reason)
    }
  }
  if (annotations && failures.length) annotations['validation.policy.admission.k8s.io/validation_failure'] = JSON.stringify(failures)
}

async function check(r: Request, operation: Operation): Promise<undefined> {
  const { rules } = r.env
  const policies = rules.all('validatingadmissionpolicies')
  if (!policies.length) return
  const a = await askOf(r, operation)
  if (a) for await (const b of boundPolicies(a, policies, rules.all('validatingadmissionpolicybindings'))) await judge(a, b)
}

export const validatingPolicies: Step = {
  name: 'ValidatingAdmissionPolicy',
  create: (r) => check(r, 'CREATE'),
  update: (r) => check(r, 'UPDATE'),
  delete: (r) => check(r, 'DELETE'),
  other: check,
}
