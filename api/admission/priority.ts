// Priority: pods carry their class's number. The two built-in classes are all there is until PriorityClass is served.
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

const builtIn: Record<string, number> = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 }

export const priority: Step = {
  name: 'Priority',
  create: ({ kind, object }) => {
    if (kind.kind !== 'Pod') return undefined
    const name: string | undefined = object.spec.priorityClassName
    if (name && !(name in builtIn)) throw forbidden(subjectOf(kind, object.metadata.name), `no PriorityClass with name ${name} was found`)
    object.spec.priority = name ? builtIn[name] : 0
    object.spec.preemptionPolicy ??= 'PreemptLowerPriority'
  },
}
