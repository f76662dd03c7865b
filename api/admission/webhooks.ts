// Admission webhooks: services inside the cluster, dialled through its nodes, or URLs. The mutating ones are asked one after another, the
// validating ones all at once.
import { fromBase64Text } from '../../shared/meta/base64.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { jsonPatch } from '../../shared/schema/patch.ts'
import { badRequest, internalError, StatusError } from '../../shared/status/index.ts'
import { changeTo } from './change.ts'
import type { Request, Step } from './index.ts'
import { type Ask, askOf, conditionsHold, Evaluation, type Operation, refreshed, requestFacts, webhookMatches } from './matching.ts'
import { CallFailed, callWebhook } from './webhook-client.ts'

interface Answer {
  uid: string
  allowed: boolean
  status?: { code?: number; reason?: string; message?: string }
  patch?: string
  patchType?: string
  warnings?: string[]
  auditAnnotations?: Record<string, string>
}

/** Asks one webhook. Throws CallFailed when it cannot be asked, or answers with what is no review. */
async function call(a: Ask, w: any): Promise<Answer> {
  const { env, options } = a.r
  const uid = env.random.uuid()
  const version = w.admissionReviewVersions.find((v: string) => v === 'v1' || v === 'v1beta1')
  if (!version) throw new CallFailed('webhook does not accept known AdmissionReview versions (v1, v1beta1)')
  const review = {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: { uid, ...requestFacts(a), object: a.object ?? null, oldObject: a.oldObject ?? null, dryRun: !!options.dryRun },
  }
  const text = await callWebhook(env, w.clientConfig, w.timeoutSeconds, review, 'failed to call webhook')
  let response: Answer | undefined
  try {
    response = JSON.parse(text).response
  } catch {
    throw new CallFailed('failed to call webhook: the answer is not JSON')
  }
  if (!response) throw new CallFailed('webhook response was absent')
  if (response.uid !== uid && version === 'v1')
    throw new CallFailed(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`)
  if (response.patch && version === 'v1' && response.patchType !== 'JSONPatch')
    throw new CallFailed(`webhook returned response.patch but response.patchType was ${JSON.stringify(response.patchType ?? '')}`)
  return response
}

function denied(w: any, { status }: Answer): StatusError {
  const by = `admission webhook ${JSON.stringify(w.name)} denied the request`
  const why = status?.message || status?.reason
  const code = (status?.code ?? 0) < 400 ? 400 : status!.code!
  return new StatusError(code, (status?.reason ?? '') as any, why ? `${by}: ${why}` : `${by} without explanation`)
}

/** The answer, when the webhook is to be asked and can be; it has not refused. */
async function ask(a: Ask, w: any): Promise<Answer | undefined> {
  if (!webhookMatches(a, w)) return undefined
  const lenient = w.failurePolicy === 'Ignore'
  try {
    if (!(await conditionsHold(new Evaluation(a), w.matchConditions))) return undefined
  } catch (e) {
    if (lenient) return undefined
    throw internalError(`failed calling webhook ${JSON.stringify(w.name)}: ${(e as Error).message}`)
  }
  if (a.r.options.dryRun && w.sideEffects !== 'None' && w.sideEffects !== 'NoneOnDryRun')
    throw badRequest(`admission webhook ${JSON.stringify(w.name)} does not support dry run`)
  let answer: Answer
  try {
    answer = await call(a, w)
  } catch (e) {
    if (!(e instanceof CallFailed)) throw e
    if (lenient) return undefined
    throw internalError(`failed calling webhook ${JSON.stringify(w.name)}: ${e.message}`)
  }
  a.r.ctx.warnings.push(...(answer.warnings ?? []))
  const { annotations } = a.r.ctx
  if (annotations) for (const [k, v] of Object.entries(answer.auditAnnotations ?? {})) annotations[`${w.name}/${k}`] = String(v)
  if (!answer.allowed) throw denied(w, answer)
  return answer
}

const hooksOf = (configurations: KObject[]): any[] => configurations.flatMap((c) => c.webhooks ?? [])

/** Lets one webhook change the object; whether it did. */
async function changed(a: Ask, w: any): Promise<boolean> {
  const answer = await ask(a, w)
  if (!answer?.patch || !a.object) return false
  const before = structuredClone(a.r.object)
  try {
    changeTo(a.r, jsonPatch(a.object, JSON.parse(fromBase64Text(answer.patch))))
  } catch (e) {
    throw internalError(`webhook ${JSON.stringify(w.name)}: ${(e as Error).message}`)
  }
  return !equal(before, a.r.object)
}

async function mutate(r: Request, operation: Operation): Promise<undefined> {
  const hooks = hooksOf(r.env.rules.all('mutatingwebhookconfigurations'))
  if (!hooks.length) return
  let a = await askOf(r, operation)
  if (!a) return
  const again: any[] = []
  let last = -1
  for (const [i, w] of hooks.entries()) {
    if (w.reinvocationPolicy === 'IfNeeded' && webhookMatches(a, w)) again.push([i, w])
    if (!(await changed(a, w))) continue
    last = i
    a = refreshed(a)
  }
  // Who was asked before somebody else changed the object may want to see it once more.
  for (const [i, w] of again) if (i < last && (await changed(a, w))) a = refreshed(a)
}

async function validate(r: Request, operation: Operation): Promise<undefined> {
  const hooks = hooksOf(r.env.rules.all('validatingwebhookconfigurations'))
  if (!hooks.length) return
  const a = await askOf(r, operation)
  if (!a) return
  const outcomes = await Promise.allSettled(hooks.map((w) => ask(a, w)))
  for (const o of outcomes) if (o.status === 'rejected') throw o.reason
}

const onWrites = (name: string, run: (r: Request, operation: Operation) => Promise<undefined>): Step => ({
  name,
  create: (r) => run(r, 'CREATE'),
  update: (r) => run(r, 'UPDATE'),
  delete: (r) => run(r, 'DELETE'),
})

export const mutatingWebhooks = onWrites('MutatingAdmissionWebhook', mutate)
export const validatingWebhooks: Step = { ...onWrites('ValidatingAdmissionWebhook', validate), other: validate }
