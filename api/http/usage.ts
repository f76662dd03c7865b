// metrics.k8s.io: what nodes and pods use right now. Their daemons are asked when somebody asks, and nothing of it is kept.
import type { KObject } from '../../shared/meta/object.ts'
import { parseFieldSelector, parseLabelSelector, type Selector } from '../../shared/meta/selector.ts'
import { badRequest } from '../../shared/status/index.ts'
import { decodeBody } from '../registry/codec.ts'
import { askNodes } from './ask-nodes.ts'
import { answerMade } from './made.ts'
import type { Asked } from './resource.ts'

/** How long a daemon has for its answer, ms: the first question after a while takes it a second. */
const ANSWER_WITHIN = 5000
const PATH = '/stats/summary?only_cpu_and_memory=true'

interface Use {
  time: string
  usageNanoCores?: number
  workingSetBytes?: number
}
interface Measured {
  node: { cpu: Use; memory: Use; windowSeconds: number }
  pods: { podRef: { name: string; namespace: string; uid: string }; containers: { name: string; cpu: Use; memory?: Use }[] }[]
}

/** As quantities; undefined while either is not known. */
function usageOf(cpu: Use, memory: Use | undefined): { cpu: string; memory: string } | undefined {
  if (cpu.usageNanoCores === undefined || memory?.workingSetBytes === undefined) return undefined
  return { cpu: `${cpu.usageNanoCores}n`, memory: `${Math.ceil(memory.workingSetBytes / 1024)}Ki` }
}

/** What each of these nodes says; those that say nothing are left out. */
const measured = ({ cluster }: Asked, nodes: Iterable<string>): Promise<Map<string, Measured>> =>
  askNodes(cluster, nodes, PATH, ANSWER_WITHIN)

/** The objects that a request is about, by its name and selectors. */
async function selected({ cluster, r, query }: Asked, resource: 'nodes' | 'pods'): Promise<KObject[]> {
  const label = query.get('labelSelector')
  const fields: Selector = parseFieldSelector(query.get('fieldSelector') ?? '')
  if (fields.some((f) => !['metadata.name', 'metadata.namespace'].includes(f.key))) throw badRequest('field label not supported')
  const { items } = await cluster.store.list({
    resource,
    ...(r.namespace === undefined ? {} : { ns: r.namespace }),
    ...(r.name === undefined ? {} : { name: r.name }),
    ...(label ? { labels: parseLabelSelector(label) } : {}),
    ...(fields.length ? { fields } : {}),
  })
  return items.map((i) => decodeBody(i.body, i.rv))
}

const made = (of: KObject, now: string, rest: object): KObject => {
  const { name, namespace, labels } = of.metadata
  const metadata = { name, ...(namespace ? { namespace } : {}), creationTimestamp: now, ...(labels ? { labels } : {}) }
  return { metadata: metadata as KObject['metadata'], ...rest }
}
const windowOf = (m: Measured) => `${m.node.windowSeconds.toFixed(3)}s`

/** Of pods whose containers have just begun nothing is said yet. */
export async function usage(a: Asked): Promise<Response> {
  if (a.r.kind.kind === 'NodeMetrics') {
    const nodes = await selected(a, 'nodes')
    const all = await measured(
      a,
      nodes.map((n) => n.metadata.name),
    )
    const items = nodes.flatMap((n) => {
      const m = all.get(n.metadata.name)
      const usage = m && usageOf(m.node.cpu, m.node.memory)
      return usage ? [made(n, m.node.cpu.time, { timestamp: m.node.cpu.time, window: windowOf(m), usage })] : []
    })
    return answerMade(a, items)
  }
  const pods = (await selected(a, 'pods')).filter((p) => p.spec.nodeName && p.status?.phase === 'Running')
  const all = await measured(
    a,
    pods.map((p) => p.spec.nodeName),
  )
  const byUid = new Map([...all].flatMap(([node, m]) => m.pods.map((p) => [p.podRef.uid, { node, ...p }] as const)))
  const items = pods.flatMap((p) => {
    const found = byUid.get(p.metadata.uid)
    const containers = (found?.containers ?? []).map((c) => ({ name: c.name, usage: usageOf(c.cpu, c.memory) }))
    if (!found || !containers.length || containers.some((c) => !c.usage)) return []
    const m = all.get(found.node)!
    return [made(p, m.node.cpu.time, { timestamp: m.node.cpu.time, window: windowOf(m), containers })]
  })
  return answerMade(a, items)
}
