// Sends the cluster's Events on, as nodes do with what containers say: at least once, in the order of the log. How far each output is stands in the database.

import { type LogRecord, type Output, requestOf, verdictOf } from '../../shared/log-outputs.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Cluster } from '../cluster.ts'
import type { LocalHub } from '../hub/local-hub.ts'
import { decodeBody } from '../registry/codec.ts'
import { Compacted, type LogEvent } from '../store/store.ts'

const MOST = 500
/** How long Events wait for others, ms. */
const TOGETHER = 500
const [RETRY, MAX_RETRY] = [1000, 60_000]
const ANSWER_WITHIN = 30_000

const timeOf = (e: KObject): string => {
  const time: string = e.lastTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp
  return time.includes('.') ? time : time.replace('Z', '.000000000Z')
}

function recordOf(e: KObject, rv: number): LogRecord {
  const about = e.involvedObject ?? e.regarding ?? {}
  const isPod = about.kind === 'Pod'
  return {
    id: `${e.metadata.uid}-${rv}`,
    time: timeOf(e),
    stream: '',
    text: e.message ?? e.note ?? '',
    containerId: '',
    namespace: about.namespace ?? e.metadata.namespace ?? '',
    pod: isPod ? (about.name ?? '') : '',
    uid: isPod ? (about.uid ?? '') : '',
    container: /\{(.+)\}/.exec(about.fieldPath ?? '')?.[1] ?? '',
    image: '',
    node: e.source?.host ?? e.reportingInstance ?? '',
    labels: {},
    event: {
      kind: about.kind ?? '',
      name: about.name ?? '',
      reason: e.reason ?? '',
      type: e.type ?? '',
      count: String(e.count ?? e.series?.count ?? 1),
      component: e.source?.component || e.reportingComponent || '',
    },
  }
}

/** Goes on until it is closed, whatever the outputs do. */
export function exportEvents(cluster: Cluster, hub: LocalHub, outputs: readonly Output[]): { close(): Promise<void> } {
  const { store, log, env } = cluster
  const ended = new AbortController()
  const wakes = new Set<() => void>()
  const stop = hub.fanOut.subscribe((e: LogEvent) => {
    if (e.resource === 'events') for (const wake of wakes) wake()
  })
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        ended.signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      ended.signal.addEventListener('abort', done)
      if (ended.signal.aborted) done()
    })

  async function send(output: Output, records: readonly LogRecord[]): Promise<void> {
    if (!records.length) return
    const { url, type, body } = requestOf(output, records)
    const answer = await env.outbound(url, {
      method: 'POST',
      headers: { 'content-type': type, 'user-agent': 'kedge', ...output.headers },
      body,
      signal: AbortSignal.any([ended.signal, AbortSignal.timeout(ANSWER_WITHIN)]),
    })
    const verdict = verdictOf(output, answer.status, await answer.text(), records.length)
    if (verdict.again) throw new Error(verdict.why ?? `${url} answered ${answer.status}`)
    if (verdict.refused)
      log.warn('an output does not take some events', { output: output.name, events: verdict.refused, cause: verdict.why ?? '' })
  }

  async function run(output: Output): Promise<void> {
    const key = `exported/${output.name}`
    // An output begins with what the log still knows.
    let at: number | undefined
    let stirred = true
    let wake = () => {}
    wakes.add(() => {
      stirred = true
      wake()
    })
    for (let delay = RETRY; !ended.signal.aborted; ) {
      try {
        at ??= Number(await store.metaValue(key, async () => String((await store.head()).floor)))
        stirred = false
        const { events, head } = await store.since(at, MOST, 'events')
        const told = events.filter((e) => e.verb !== 'delete').map((e) => recordOf(decodeBody(e.body, e.rv), e.rv))
        await send(output, output.namespaces ? told.filter((r) => output.namespaces!.includes(r.namespace)) : told)
        const next = events.length === MOST ? events.at(-1)!.rv : head
        // A position that is behind by what is no Event costs nothing.
        if (events.length) await store.database.write([{ sql: 'UPDATE meta SET value = ? WHERE key = ?', args: [String(next), key] }])
        at = next
        delay = RETRY
        if (events.length === MOST) continue
        if (!stirred && !ended.signal.aborted)
          await new Promise<void>((r) => {
            wake = r
          })
        await pause(TOGETHER)
      } catch (cause) {
        if (ended.signal.aborted) return
        if (cause instanceof Compacted) {
          // Of a cluster that was at rest for long this is nothing.
          log.info('the log no longer reaches to where events were sent until: they are sent from here on', { output: output.name })
          at = cause.floor
          continue
        }
        if (delay === RETRY) log.warn('events cannot be sent; trying again', { output: output.name, cause: (cause as Error).message })
        await pause(delay)
        delay = Math.min(2 * delay, MAX_RETRY)
      }
    }
  }

  const loops = outputs.map(run)
  return {
    close: async () => {
      stop()
      ended.abort()
      for (const wake of wakes) wake()
      await Promise.all(loops)
    },
  }
}
