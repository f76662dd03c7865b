// Searching what pods have said, on all nodes, those that are gone too: by pod, label, container, text and time.
import { useEffect, useState } from 'preact/hooks'
import type { LogLine } from '../../shared/logs.ts'
import { call } from '../client.ts'
import { type Line, LogLines } from '../parts/log-lines.tsx'
import { namespace, route, setQuery } from '../route.ts'

const SPANS: [string, string][] = [
  ['900', 'the last 15 minutes'],
  ['3600', 'the last hour'],
  ['21600', 'the last 6 hours'],
  ['86400', 'the last day'],
  ['', 'all that is kept'],
]
const MOST = '5000'

export function LogsPage() {
  const { query } = route.value
  const [lines, setLines] = useState<Line[] | undefined>()
  const [said, setSaid] = useState('')
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const ns = query.get('ns') ?? namespace.value ?? ''
  const search = async () => {
    const q = route.value.query
    const of = q.get('ns') || namespace.value || 'default'
    setBusy(true)
    setError('')
    try {
      const span = q.get('span') ?? '900'
      const asked: Record<string, string> = { limit: MOST }
      for (const [name, key] of [
        ['pod', 'pod'],
        ['labelSelector', 'labels'],
        ['container', 'container'],
        ['text', 'text'],
      ] as const)
        if (q.get(key)) asked[name] = q.get(key)!
      if (span) asked.since = new Date(Date.now() - Number(span) * 1000).toISOString()
      const answer = await call('GET', `/kedge/v1/namespaces/${encodeURIComponent(of)}/logs`, { query: asked })
      setLines(
        answer.lines.map((l: LogLine, id: number) => ({
          id,
          before: `${l.time.slice(0, 23).replace('T', ' ')} ${l.pod} ${l.container}`,
          text: l.text,
          bad: l.stream === 'stderr',
        })),
      )
      const { asked: nodes, answered } = answer.nodes
      setSaid(
        `${answer.lines.length}${answer.lines.length >= Number(MOST) ? ' or more' : ''} lines in ${of}${answered < nodes ? `; ${nodes - answered} of ${nodes} nodes did not answer` : ''}`,
      )
    } catch (cause) {
      setError((cause as Error).message)
    }
    setBusy(false)
  }
  const wanted = route.value.query.toString()
  // Whoever comes with a question sees its answer.
  useEffect(() => {
    if (wanted) void search()
  }, [])
  const field = (key: string, title: string, placeholder = '') => (
    <label>
      <span>{title}</span>
      <input
        type="search"
        value={query.get(key) ?? ''}
        placeholder={placeholder}
        onInput={(e) => setQuery({ [key]: e.currentTarget.value })}
      />
    </label>
  )
  return (
    <>
      <header class="page">
        <h1>Logs</h1>
      </header>
      <form
        class="filters"
        onSubmit={(e) => {
          e.preventDefault()
          void search()
        }}
      >
        <label>
          <span>Namespace</span>
          <input value={ns} placeholder="default" onInput={(e) => setQuery({ ns: e.currentTarget.value })} />
        </label>
        {field('text', 'Text')}
        {field('labels', 'Labels', 'app=web')}
        {field('pod', 'Pod')}
        {field('container', 'Container')}
        <label>
          <span>From</span>
          <select value={query.get('span') ?? '900'} onChange={(e) => setQuery({ span: e.currentTarget.value })}>
            {SPANS.map(([v, t]) => (
              <option key={v} value={v}>
                {t}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="primary" disabled={busy}>
          Search
        </button>
      </form>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {lines && (
        <section class="logs">
          <p class="dim" role="status">
            {said}
          </p>
          {lines.length > 0 && <LogLines lines={lines} label="Found lines" />}
        </section>
      )}
    </>
  )
}
