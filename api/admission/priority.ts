// Priority: pods carry the number of their class, or of the one that is the default.
import type { KObject } from '../../shared/meta/object.ts'
import { forbidden } from '../../shared/status/index.ts'
import type { Environment } from '../registry/context.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

const RESOURCE = 'priorityclasses.scheduling.k8s.io'

/** Of several defaults the one that asks for the least. */
async function defaultClass(env: Environment): Promise<KObject | undefined> {
  const all = (await env.lookup.list(RESOURCE, '')).filter((c) => c.globalDefault)
  return all.sort((a, b) => a.value - b.value)[0]
}

export const priority: Step = {
  name: 'Priority',
  create: async ({ env, kind, object }) => {
    if (kind.kind !== 'Pod') return undefined
    const spec = object.spec
    const name: string | undefined = spec.priorityClassName || undefined
    const found = name ? await env.lookup.get(RESOURCE, '', name) : await defaultClass(env)
    const refuse = (why: string) => forbidden(subjectOf(kind, object.metadata.name), why)
    if (name && !found) throw refuse(`no PriorityClass with name ${name} was found`)
    const value: number = found?.value ?? 0
    const policy: string = found?.preemptionPolicy ?? 'PreemptLowerPriority'
    if (spec.priority !== undefined && spec.priority !== value)
      throw refuse(
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      )
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
      throw refuse(
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      )
    if (found) spec.priorityClassName = found.metadata.name
    spec.priority = value
    spec.preemptionPolicy = policy
    return undefined
  },
}
