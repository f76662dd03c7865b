// TaintNodesByCondition: a new node takes no pods until it has said that it is ready.
import type { Step } from './index.ts'

const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }

export const nodeTaint: Step = {
  name: 'TaintNodesByCondition',
  create: ({ kind, object }) => {
    if (kind.kind !== 'Node') return undefined
    const taints: any[] = object.spec.taints ?? []
    if (!taints.some((t) => t.key === taint.key && t.effect === taint.effect)) object.spec.taints = [...taints, { ...taint }]
  },
}
