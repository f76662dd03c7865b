// Policies with what they are bound to: which apply to a request, and with which parameters.

import { groupOf, resourceOf } from '../../shared/kinds/index.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import { type Ask, resourcesMatch } from './matching.ts'

export interface Bound {
  policy: KObject
  binding: KObject
  /** One of them for each evaluation; `[undefined]` where the policy has none. */
  params: (KObject | undefined)[]
  /** Why it cannot be evaluated. */
  fault?: string
}

async function paramsOf(a: Ask, policy: KObject, binding: KObject): Promise<(KObject | undefined)[]> {
  const { paramKind } = policy.spec
  if (!paramKind) return [undefined]
  const { env, object } = a.r
  const ref = binding.spec.paramRef
  if (!ref) throw new Error('paramRef is required when paramKind is set')
  const [version] = paramKind.apiVersion.split('/').reverse()
  const kind = env.kinds.all.find((k) => k.group === groupOf(paramKind.apiVersion) && k.version === version && k.kind === paramKind.kind)
  if (!kind) throw new Error(`failed to find resource referenced by paramKind: '${paramKind.apiVersion}, Kind=${paramKind.kind}'`)
  if (!kind.namespaced && ref.namespace) throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`')
  const ns = kind.namespaced ? ref.namespace || object.metadata.namespace : ''
  if (ns === undefined) throw new Error('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources')
  const resource = resourceOf(kind)
  const found = ref.name
    ? [await env.lookup.get(resource, ns, ref.name)].filter((o) => o !== undefined)
    : (await env.lookup.list(resource, ns)).filter((o) => matches(fromLabelSelector(ref.selector ?? {}), o.metadata.labels))
  if (!found.length && ref.parameterNotFoundAction === 'Deny')
    throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction')
  return found.map((o) => ({ apiVersion: paramKind.apiVersion, kind: paramKind.kind, ...o }))
}

/** Every pair of policy and binding that the request is about. */
export async function* boundPolicies(a: Ask, policies: KObject[], bindings: KObject[]): AsyncGenerator<Bound> {
  for (const policy of policies) {
    if (!policy.spec?.matchConstraints || !resourcesMatch(a, policy.spec.matchConstraints)) continue
    for (const binding of bindings) {
      if (binding.spec?.policyName !== policy.metadata.name || !resourcesMatch(a, binding.spec.matchResources)) continue
      try {
        yield { policy, binding, params: await paramsOf(a, policy, binding) }
      } catch (e) {
        yield { policy, binding, params: [], fault: `failed to configure binding: ${(e as Error).message}` }
      }
    }
  }
}
