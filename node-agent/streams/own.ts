// What this daemon answers itself to requests for its node (nodes/NAME/proxy without a port), by kubelet's paths.
import { EXPOSITION_TYPE, exposition, type Family } from '../../shared/exposition.ts'
import { logQueryOf } from '../../shared/logs.ts'
import { matches, parseLabelSelector } from '../../shared/meta/selector.ts'
import { Channel, type NodeAnswer, type NodeFetch } from '../../shared/session/frames.ts'
import { StatusError } from '../../shared/status/index.ts'
import { type LogFile, search } from '../logs/log-files.ts'
import { failure } from '../runtime/exec.ts'
import type { NodeStream } from '../session/session.ts'
import { cadvisorMetrics, ownMetrics, probeMetrics, resourceMetrics } from '../stats/expositions.ts'
import type { Summary, SummarySource } from '../stats/summary.ts'

interface Answer {
  status: number
  type: string
  body: string
}
const plain = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body })
const metrics = (families: Family[]): Answer => ({ status: 200, type: EXPOSITION_TYPE, body: exposition(families) })
const json = (value: unknown): Answer => ({ status: 200, type: 'application/json', body: JSON.stringify(value) })

export interface OwnAnswers {
  /** The files of what pods of a namespace have said, those that are gone first. */
  logFiles(namespace: string): LogFile[]
  summary(): Summary
  /** What it is made of. */
  source(): SummarySource
  /** The pods of this node, as they are known here. */
  pods(): any[]
}

/** Lines of what pods of a namespace have said, as JSON. */
async function found(params: URLSearchParams, o: OwnAnswers): Promise<Answer> {
  const q = logQueryOf(params)
  const selector = q.labelSelector === undefined ? undefined : parseLabelSelector(q.labelSelector)
  const files = o
    .logFiles(params.get('namespace') ?? '')
    .filter((f) => (q.pod === undefined || f.pod === q.pod) && (q.container === undefined || f.container === q.container))
    .filter((f) => !selector || matches(selector, f.labels))
  return json(await search(files, q))
}

async function answerTo(method: string, path: string, o: OwnAnswers): Promise<Answer> {
  const url = new URL(path, 'http://node')
  if (method !== 'GET' && method !== 'HEAD') return plain(405, '405 method not allowed\n')
  switch (url.pathname) {
    case '/healthz':
      return plain(200, 'ok')
    case '/pods':
      return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: o.pods() })
    case '/stats/summary':
      return json(await o.summary().read(url.searchParams.get('only_cpu_and_memory') === 'true'))
    case '/logs/search':
      return found(url.searchParams, o)
    case '/metrics/resource':
      return metrics(resourceMetrics(o.source()))
    case '/metrics/cadvisor':
      return metrics(cadvisorMetrics(o.source()))
    case '/metrics/probes':
      return metrics(probeMetrics(o.source()))
    case '/metrics':
      return metrics(await ownMetrics(o.source()))
    default:
      return plain(404, '404 page not found\n')
  }
}

/** Answers through the stream; nothing is read from it. */
export async function serveOwn({ method, path }: NodeFetch, stream: NodeStream, o: OwnAnswers): Promise<void> {
  try {
    const { status, type, body } = await answerTo(method, path, o)
    const bytes = Buffer.from(method === 'HEAD' ? '' : body)
    const head: NodeAnswer = { status, headers: [['content-type', type]] }
    await stream.write(Channel.error, Buffer.from(JSON.stringify(head)))
    if (bytes.length) await stream.write(Channel.stdout, bytes)
    stream.end()
  } catch (cause) {
    if (cause instanceof StatusError) return stream.end(JSON.stringify(cause.toStatus()))
    stream.end(failure(500, 'InternalError', (cause as Error).message))
  }
}
