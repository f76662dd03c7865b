// What whoever is signed in may do. Nothing is shown that would be refused; the server decides all the same.
import { signal } from '@preact/signals'
import { type Rule, ruleAllows } from '../shared/rbac.ts'
import { call } from './client.ts'
import { kindOf } from './kinds.ts'

export interface Question {
  verb: string
  /** `pods`, `deployments.apps`. */
  resource: string
  subresource?: string
  /** Of all namespaces, or of no namespace, where it is empty. */
  namespace?: string
  name?: string
}

/** How long an answer holds, ms. */
const MAX_AGE = 60_000

interface Answer<T> {
  at: number
  /** Undefined until it is there. */
  value: T | undefined
}
const answers = new Map<string, Answer<unknown>>()
/** Moves when an answer has come: whoever has asked asks again. */
const moved = signal(0)
export const forgetRights = () => answers.clear()

function ask<T>(key: string, read: () => Promise<T>): T | undefined {
  moved.value
  const known = answers.get(key) as Answer<T> | undefined
  if (known && performance.now() - known.at < MAX_AGE) return known.value
  const answer: Answer<T> = { at: performance.now(), value: known?.value }
  answers.set(key, answer)
  read()
    .then((value) => {
      const isNews = JSON.stringify(value) !== JSON.stringify(answer.value)
      answer.value = value
      if (isNews) moved.value++
    })
    .catch(() => answers.delete(key))
  return answer.value
}

const rulesOf = (namespace: string): Rule[] | undefined =>
  ask(`rules ${namespace}`, async () => {
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } }
    return (await call('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { body })).status.resourceRules
  })

/** Whether it is allowed; false while that is not known, and drawn again when it is. */
export function may(q: Question): boolean {
  const k = kindOf(q.resource)
  if (!k) return false
  if (k.namespaced && q.namespace) {
    const rules = rulesOf(q.namespace)
    return !!rules?.some((r) => ruleAllows(r, { ...q, group: k.group, resource: k.plural }))
  }
  const { verb, subresource, name } = q
  const resourceAttributes = {
    verb,
    group: k.group,
    resource: k.plural,
    ...(subresource ? { subresource } : {}),
    ...(name ? { name } : {}),
  }
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } }
  return !!ask(`access ${JSON.stringify(resourceAttributes)}`, async () => {
    return (await call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { body })).status.allowed as boolean
  })
}
