// The reviews: who am I, may I, whose token is this. Asked over HTTP, answered by the same authorizer that guards every request.

import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { badRequest } from '../../shared/status/index.ts'
import { identify } from '../auth/authentication.ts'
import type { Cluster } from '../cluster.ts'
import { type Attributes, type Identity, userInfo } from '../registry/context.ts'

function attributes(spec: any): Attributes {
  const r = spec.resourceAttributes
  const p = spec.nonResourceAttributes
  if (!!r === !!p) throw badRequest('exactly one of nonResourceAttributes or resourceAttributes must be specified')
  if (p) return { verb: p.verb ?? '', path: p.path ?? '' }
  return {
    verb: r.verb ?? '',
    group: r.group ?? '',
    resource: r.resource ?? '',
    ...(r.subresource ? { subresource: r.subresource } : {}),
    ...(r.namespace ? { namespace: r.namespace } : {}),
    ...(r.name ? { name: r.name } : {}),
  }
}

async function access(cluster: Cluster, user: Identity, spec: any) {
  const allowed = await cluster.authorizer.allows(user, attributes(spec))
  return { allowed, ...(allowed ? { reason: '' } : {}) }
}

/** The answered review: the request's object with its status. */
export async function review(cluster: Cluster, kind: Kind, object: KObject, user: Identity, ns?: string): Promise<KObject> {
  const spec = object.spec ?? {}
  const answer = (status: any): KObject => ({
    kind: kind.kind,
    apiVersion: apiVersionOf(kind),
    ...object,
    metadata: { ...object.metadata, creationTimestamp: null as never },
    status,
  })
  switch (kind.kind) {
    case 'SelfSubjectAccessReview':
      return answer(await access(cluster, user, spec))
    case 'SubjectAccessReview':
    case 'LocalSubjectAccessReview': {
      if (!spec.user && !spec.groups?.length) throw badRequest('at least one of user or group must be specified')
      if (ns && spec.resourceAttributes?.namespace !== ns)
        throw badRequest('spec.resourceAttributes.namespace must match metadata.namespace')
      return answer(await access(cluster, { username: spec.user ?? '', uid: spec.uid, groups: spec.groups ?? [], extra: spec.extra }, spec))
    }
    case 'SelfSubjectRulesReview': {
      if (!spec.namespace) throw badRequest('no namespace on request')
      const rules = await cluster.authorizer.rulesFor(user, spec.namespace)
      return answer({
        resourceRules: rules
          .filter((r) => !r.nonResourceURLs?.length)
          .map((r) => ({
            verbs: r.verbs,
            apiGroups: r.apiGroups,
            resources: r.resources,
            ...(r.resourceNames ? { resourceNames: r.resourceNames } : {}),
          })),
        nonResourceRules: rules
          .filter((r) => r.nonResourceURLs?.length)
          .map((r) => ({ verbs: r.verbs, nonResourceURLs: r.nonResourceURLs })),
        incomplete: false,
      })
    }
    case 'SelfSubjectReview':
      return answer({ userInfo: userInfo(user) })
    default: {
      const found = spec.token ? await identify(cluster.authenticators, spec.token) : undefined
      if (!found || found.groups.includes('system:bootstrappers')) return answer({ user: {}, error: 'invalid bearer token' })
      return answer({ authenticated: true, user: userInfo(found) })
    }
  }
}
