// MutatingAdmissionPolicy: changes that the cluster makes to what its users write, by expressions.
import { toJson } from '../../shared/cel/values.ts'
import { apiVersionOf } from '../../shared/kinds/index.ts'
import { schemaOfKind } from '../../shared/kinds/kind.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { mergeApplied } from '../../shared/schema/apply.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { jsonPatch } from '../../shared/schema/patch.ts'
import { forbidden, type StatusError } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import { boundPolicies } from './bindings.ts'
import { changeTo } from './change.ts'
import type { Request, Step } from './index.ts'
import { type Ask, askOf, conditionsHold, Evaluation, type Operation, refreshed } from './matching.ts'

async function mutated(evaluation: Evaluation, a: Ask, mutation: any): Promise<unknown> {
  const { kind } = a.r
  if (mutation.patchType === 'JSONPatch') {
    const operations: any = toJson(await evaluation.run(mutation.jsonPatch.expression))
    return jsonPatch(a.object, operations)
  }
  const patch: any = toJson(await evaluation.run(mutation.applyConfiguration.expression))
  if (typeof patch !== 'object' || patch === null) throw new Error('applyConfiguration must evaluate to an object')
  return mergeApplied(schemaOfKind(kind), a.object, { apiVersion: apiVersionOf(kind), kind: kind.kind, ...patch })
}

/** Applies one policy; the request as it is afterwards. */
async function applyPolicy(a: Ask, policy: KObject, params: KObject | undefined): Promise<Ask> {
  const { spec } = policy
  const scope = { params: !!spec.paramKind, variables: spec.variables ?? [] }
  let now = a
  if (!(await conditionsHold(new Evaluation(now, scope, params), spec.matchConditions))) return now
  for (const m of spec.mutations ?? []) {
    changeTo(now.r, await mutated(new Evaluation(now, scope, params), now, m))
    now = refreshed(now)
  }
  return now
}

async function run(a: Ask, only?: (policy: KObject) => boolean): Promise<void> {
  const { rules } = a.r.env
  let now = a
  const all = rules.all('mutatingadmissionpolicies')
  for await (const b of boundPolicies(a, only ? all.filter(only) : all, rules.all('mutatingadmissionpolicybindings'))) {
    const names = `MutatingAdmissionPolicy '${b.policy.metadata.name}' with binding '${b.binding.metadata.name}'`
    const fail = (why: string): StatusError => forbidden(subjectOf(a.r.kind, a.r.object.metadata.name), `${names} denied request: ${why}`)
    const lenient = b.policy.spec.failurePolicy === 'Ignore'
    if (b.fault !== undefined && !lenient) throw fail(b.fault)
    for (const params of b.params) {
      const before = structuredClone(now.r.object)
      try {
        now = await applyPolicy(now, b.policy, params)
      } catch (e) {
        // Half of a policy is none of it.
        replaceAll(now.r.object, before)
        now = refreshed(now)
        if (!lenient) throw fail((e as Error).message)
      }
    }
  }
}

function replaceAll(o: KObject, by: KObject): void {
  for (const k of Object.keys(o)) delete o[k]
  Object.assign(o, by)
}

async function mutate(r: Request, operation: Operation): Promise<undefined> {
  if (!r.env.rules.all('mutatingadmissionpolicies').length) return
  const a = await askOf(r, operation)
  if (!a) return
  const before = structuredClone(r.object)
  await run(a)
  // What others changed afterwards may concern whoever asked to be asked again.
  if (!equal(before, r.object)) await run(refreshed(a), (p) => p.spec.reinvocationPolicy === 'IfNeeded')
}

export const mutatingPolicies: Step = {
  name: 'MutatingAdmissionPolicy',
  create: (r) => mutate(r, 'CREATE'),
  update: (r) => mutate(r, 'UPDATE'),
}
