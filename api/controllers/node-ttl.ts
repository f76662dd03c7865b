// TTL: tells nodes by an annotation how long they may go by what they have of secrets and config maps; the larger the cluster, the longer. Kedge's
// daemons are told of changes and need no such hint; kubelets that join do.
import type { KObject } from '../../shared/meta/object.ts'
import type { Controller } from '../engine/types.ts'

const ANNOTATION = 'node.alpha.kubernetes.io/ttl'
/** Seconds, and the numbers of nodes between which they hold: ranges overlap, so that a node more or less does not move all. */
const STEPS = [
  { from: 0, to: 100, ttl: 0 },
  { from: 90, to: 500, ttl: 15 },
  { from: 450, to: 1000, ttl: 30 },
  { from: 900, to: 2000, ttl: 60 },
  { from: 1800, to: 10_000, ttl: 300 },
]

/** The value for so many nodes, for one that has `before`. */
export function ttlFor(nodes: number, before: number | undefined): number {
  const held = STEPS.find((s) => s.ttl === before)
  if (held && nodes >= held.from && nodes <= held.to) return held.ttl
  return (STEPS.find((s) => nodes <= s.to) ?? STEPS.at(-1)!).ttl
}

export const nodeTtl: Controller<{ node: KObject; nodes: number }> = {
  name: 'ttl-controller',
  all: (r) => r.list('nodes').map((n) => n.metadata.name),
  wakes: {
    nodes: ({ old, new: now }, reader) => {
      if (old && now) return []
      const all = reader.list('nodes')
      const before = all.length + (now ? -1 : 1)
      const moved = STEPS.some((s) =>
        [s.from, s.to].some((edge) => before <= edge !== all.length <= edge || before >= edge !== all.length >= edge),
      )
      return moved ? all.map((n) => n.metadata.name) : now ? [now.metadata.name] : []
    },
  },
  view: (key, reader) => {
    const node = reader.get('nodes', '', key)
    return node && { node, nodes: reader.list('nodes').length }
  },
  reconcile: (_key, { node, nodes }) => {
    const { annotations } = node.metadata
    const value = String(ttlFor(nodes, annotations?.[ANNOTATION] === undefined ? undefined : Number(annotations[ANNOTATION])))
    if (annotations?.[ANNOTATION] === value) return { writes: [] }
    const metadata = { ...node.metadata, annotations: { ...annotations, [ANNOTATION]: value } }
    return { writes: [{ verb: 'update', resource: 'nodes', object: { ...node, metadata } }] }
  },
}
