// ImageLocality: nodes that have a pod's images already need not fetch them. Images that few nodes have count less, so that not everything goes there.
import type { NodeInfo, SchedulingContext, ScorePlugin } from './types.ts'

const NAME = 'ImageLocality'
const MB = 1024 * 1024
/** Per container: below the first it does not matter, beyond the second no more than that. */
const FROM = 23 * MB
const TO = 1000 * MB

/** A name without a tag means the newest. */
const normalized = (image: string): string => (/[:@][^/]*$/.test(image) ? image : `${image}:latest`)

/** On how many nodes each image lies. */
function spreadOf({ nodes }: SchedulingContext): Map<string, number> {
  const on = new Map<string, number>()
  for (const { node } of nodes)
    for (const image of node.status?.images ?? []) for (const name of image.names ?? []) on.set(name, (on.get(name) ?? 0) + 1)
  return on
}

const sizesOf = ({ node }: NodeInfo): Map<string, number> =>
  new Map((node.status?.images ?? []).flatMap((i: any) => (i.names ?? []).map((n: string) => [n, i.sizeBytes ?? 0] as const)))

export const imageLocality: ScorePlugin = {
  name: NAME,
  weight: 1,
  score: (pod, info, context) => {
    if (!info.node.status?.images?.length) return 0
    const on = context.once(NAME, () => spreadOf(context))
    const sizes = sizesOf(info)
    const containers: any[] = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]
    const sum = containers.reduce((n, c) => {
      const image = normalized(c.image ?? '')
      return n + ((sizes.get(image) ?? 0) * (on.get(image) ?? 0)) / context.nodes.length
    }, 0)
    const [from, to] = [FROM, TO * containers.length]
    return (100 * (Math.min(Math.max(sum, from), to) - from)) / (to - from)
  },
}
