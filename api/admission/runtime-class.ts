// RuntimeClass: a pod of a class takes on its overhead, and goes where its nodes are.
import { equal } from '../../shared/schema/field-set.ts'
import { forbidden } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Step } from './index.ts'

export const runtimeClass: Step = {
  name: 'RuntimeClass',
  create: async ({ env, kind, object }) => {
    if (kind.kind !== 'Pod') return undefined
    const spec = object.spec
    const refuse = (why: string) => forbidden(subjectOf(kind, object.metadata.name), `pod rejected: ${why}`)
    const name: string | undefined = spec.runtimeClassName
    if (name === undefined) {
      if (spec.overhead && Object.keys(spec.overhead).length)
        throw refuse('Pod Overhead set without corresponding RuntimeClass defined Overhead')
      return undefined
    }
    const found = await env.lookup.get('runtimeclasses.node.k8s.io', '', name)
    if (!found) throw refuse(`RuntimeClass ${JSON.stringify(name)} not found`)
    const overhead = found.overhead?.podFixed
    if (spec.overhead && !equal(spec.overhead, overhead ?? {})) throw refuse("Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    if (overhead) spec.overhead = structuredClone(overhead)
    const { nodeSelector = {}, tolerations = [] } = found.scheduling ?? {}
    for (const [k, v] of Object.entries(nodeSelector))
      if (spec.nodeSelector?.[k] !== undefined && spec.nodeSelector[k] !== v)
        throw refuse(`conflict: runtimeClass.scheduling.nodeSelector[${k}] = ${v}; pod.spec.nodeSelector[${k}] = ${spec.nodeSelector[k]}`)
    if (Object.keys(nodeSelector).length) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector }
    const more = tolerations.filter((t: object) => !spec.tolerations?.some((x: object) => equal(x, t)))
    if (more.length) spec.tolerations = [...(spec.tolerations ?? []), ...structuredClone(more)]
    return undefined
  },
}
