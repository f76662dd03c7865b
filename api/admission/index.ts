// The admission chain: steps that need cluster state. Those that may change the object come before its validation, those that judge the result
// after it. Order matters; each step is a file.
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Statement } from '../ports/database.ts'
import type { Environment, RequestContext, WriteOptions } from '../registry/context.ts'
import type { Part } from '../registry/update.ts'
import type { Beside } from '../store/store.ts'
import { apiServices } from './api-services.ts'
import { signingRequests, signingRights, trustBundles } from './certificates.ts'
import { claimResize } from './claim-resize.ts'
import { defaultIngressClass, defaultStorageClass } from './default-class.ts'
import { defaultTolerationSeconds } from './default-toleration-seconds.ts'
import { definitions } from './definitions.ts'
import { inUseProtection } from './in-use-protection.ts'
import { limitRanger } from './limit-ranger.ts'
import { mutatingPolicies } from './mutating-policies.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { podNodeSelector, podTolerationRestriction } from './namespace-pods.ts'
import { nodeRestriction } from './node-restriction.ts'
import { nodeTaint } from './node-taint.ts'
import { objectQuota } from './object-quota.ts'
import { ownerReferences } from './owner-references.ts'
import { podRange } from './pod-range.ts'
import { podSecurity } from './pod-security.ts'
import { priority } from './priority.ts'
import { rbacEscalation } from './rbac-escalation.ts'
import { resourceQuota } from './resource-quota.ts'
import { runtimeClass } from './runtime-class.ts'
import { serviceAccount } from './service-account.ts'
import { serviceAllocation } from './service-allocation.ts'
import { validatingPolicies } from './validating-policies.ts'
import { mutatingWebhooks, validatingWebhooks } from './webhooks.ts'

/** Values that the write takes in its own transaction. */
export interface Admission {
  claims?: () => Statement[]
  /** Claim `index` was taken: pick another, or throw when the client asked for that very one. */
  reclaim?: (index: number, tries: number) => void | Promise<void>
  /** Other objects that change with this one, or it is not written. */
  besides?: () => Beside[]
  /** One of them has changed meanwhile: look again, or throw. */
  refresh?: (tries: number) => Promise<void>
}

/** Several steps' claims as one. */
function together(all: Admission[]): Admission {
  if (all.length < 2) return all[0] ?? {}
  return {
    claims: () => all.flatMap((a) => a.claims?.() ?? []),
    reclaim: (index, tries) => {
      let left = index
      for (const a of all) {
        const n = a.claims?.().length ?? 0
        if (left < n) return a.reclaim?.(left, tries)
        left -= n
      }
    },
    besides: () => all.flatMap((a) => a.besides?.() ?? []),
    refresh: async (tries) => {
      for (const a of all) await a.refresh?.(tries)
    },
  }
}

type OtherSubresource = 'attach' | 'binding' | 'eviction' | 'exec' | 'portforward' | 'proxy' | 'token'

export interface Request {
  env: Environment
  kind: Kind
  object: KObject
  old?: KObject
  part: Part | OtherSubresource
  /** What is asked of a subresource that is no part of the object: options of a connection, an Eviction, a Binding, with kind and apiVersion. */
  asked?: { kind: string; apiVersion: string }
  options: WriteOptions
  ctx: RequestContext
}

export interface Step {
  name: string
  /** May change the object; throws a StatusError to refuse. */
  create?: (r: Request) => Promise<Admission | undefined> | Admission | undefined
  update?: (r: Request) => Promise<Admission | undefined> | Admission | undefined
  delete?: (r: Request) => Promise<void> | void
  /** Connections to the object, and what else is asked of it by name. */
  other?: (r: Request, operation: 'CONNECT' | 'CREATE') => Promise<void>
}

const mutating: readonly Step[] = [
  objectQuota,
  namespaceLifecycle,
  nodeRestriction,
  nodeTaint,
  priority,
  runtimeClass,
  podNodeSelector,
  defaultTolerationSeconds,
  podTolerationRestriction,
  serviceAccount,
  defaultStorageClass,
  defaultIngressClass,
  inUseProtection,
  mutatingPolicies,
  mutatingWebhooks,
  limitRanger,
  serviceAllocation,
  podRange,
  rbacEscalation,
  definitions,
  signingRequests,
  apiServices,
]

const validating: readonly Step[] = [
  claimResize,
  podSecurity,
  signingRights,
  trustBundles,
  ownerReferences,
  validatingPolicies,
  validatingWebhooks,
  // The last: only what all others let through counts.
  resourceQuota,
]

/** Takes a write through the chain, with `validate` in its middle, which returns warnings. Throws the StatusError of whoever refuses. */
export async function admit(r: Request, validate: () => string[]): Promise<Admission> {
  await r.env.rules.current()
  const all: Admission[] = []
  const through = async (steps: readonly Step[]) => {
    for (const step of steps) {
      const result = await step[r.old ? 'update' : 'create']?.(r)
      if (result) all.push(result)
    }
  }
  await through(mutating)
  r.ctx.warnings.push(...validate())
  await through(validating)
  return together(all)
}

/** What is asked of an object by way of a subresource of its own kind: exec, eviction and the like. `object` may be no more than its name. */
export async function admitOther(r: Request, operation: 'CONNECT' | 'CREATE'): Promise<void> {
  await r.env.rules.current()
  for (const step of validating) await step.other?.(r, operation)
}

export async function admitDelete(r: Request): Promise<void> {
  await r.env.rules.current()
  for (const steps of [mutating, validating]) for (const step of steps) await step.delete?.(r)
}
