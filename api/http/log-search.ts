// GET /kedge/v1/namespaces/NAMESPACE/logs: what its pods have said, on all nodes, those that are gone too; by pod, label, container, text and time.
import { type LogLine, logQueryOf, newestLines } from '../../shared/logs.ts'
import { parseLabelSelector } from '../../shared/meta/selector.ts'
import type { Cluster } from '../cluster.ts'
import type { Identity } from '../registry/context.ts'
import { json } from './answer.ts'
import { askNodes } from './ask-nodes.ts'

/** How long a node may search, ms. */
const PATIENCE = 30_000

/** For whoever may read logs there. Lines in the order of their times; `nodes` says who was asked and who has answered. */
export async function searchLogs(cluster: Cluster, user: Identity, namespace: string, params: URLSearchParams): Promise<Response> {
  await cluster.authorizer.require(user, { verb: 'get', group: '', resource: 'pods', subresource: 'log', namespace })
  const q = logQueryOf(params)
  if (q.labelSelector !== undefined) parseLabelSelector(q.labelSelector)
  const { items } = await cluster.store.list({ resource: 'nodes' })
  const path = `/logs/search?${new URLSearchParams({ ...Object.fromEntries(params), namespace })}`
  const answers = await askNodes<LogLine[]>(
    cluster,
    items.map((i) => i.name),
    path,
    PATIENCE,
  )
  const nodes = { asked: items.length, answered: answers.size }
  return json(JSON.stringify({ nodes, lines: newestLines([...answers.values()].flat(), q.limit) }))
}
