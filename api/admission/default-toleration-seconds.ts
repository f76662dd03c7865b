// DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or cannot be reached, unless they say otherwise.
import type { Step } from './index.ts'

const SECONDS = 300
const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']

export const defaultTolerationSeconds: Step = {
  name: 'DefaultTolerationSeconds',
  create: ({ kind, object }) => {
    if (kind.kind !== 'Pod') return undefined
    const given: any[] = object.spec.tolerations ?? []
    const missing = taints.filter((key) => !given.some((t) => (t.key === key || !t.key) && (!t.effect || t.effect === 'NoExecute')))
    if (missing.length)
      object.spec.tolerations = [
        ...given,
        ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: SECONDS })),
      ]
  },
}
