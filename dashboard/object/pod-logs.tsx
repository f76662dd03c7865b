// What a pod's containers say, as it is said; the last lines of those before a restart too.
import { signal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { ApiError, request } from '../client.ts'
import { type Line, LogLines } from '../parts/log-lines.tsx'
import { ContainerChoice, containersOf } from './pod.tsx'

const MOST = 20_000
const FIRST = 2000
const AGAIN_MS = 2000

/** Terminals' colours mean nothing here. */
// That is what colours are.
const plain = (text: string) => text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')

interface Wanted {
  path: string
  container: string
  previous: boolean
  timestamps: boolean
}

class Reading {
  readonly lines = signal<Line[]>([])
  readonly error = signal('')
  readonly ended = signal(false)
  readonly #abort = new AbortController()
  #next = 0
  #planned = false
  #waiting: Line[] = []

  constructor(w: Wanted) {
    void this.#read(w)
  }

  async #read({ path, container, previous, timestamps }: Wanted): Promise<void> {
    const { signal } = this.#abort
    // Times are asked for always: by them it goes on where it was when the connection has ended.
    let [last, seen] = ['', '']
    const take = (lines: string[]) => {
      const news = lines.flatMap((line) => {
        const at = line.indexOf(' ')
        const time = line.slice(0, at)
        if (at > 0 && time <= seen) return []
        if (at > 0) last = time
        return [timestamps ? line : line.slice(at + 1)]
      })
      if (news.length) this.#add(news)
    }
    while (!signal.aborted) {
      try {
        seen = last
        const query: Record<string, string> = {
          container,
          timestamps: 'true',
          ...(last ? { sinceTime: last } : { tailLines: String(FIRST) }),
          ...(previous ? { previous: 'true' } : { follow: 'true' }),
        }
        const answer = await request('GET', path, { query, signal, accept: '*/*' })
        this.error.value = ''
        const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
        let rest = ''
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          const lines = (rest + part.value).split('\n')
          rest = lines.pop()!
          take(lines)
        }
        if (rest) take([rest])
        this.ended.value = true
        return
      } catch (cause) {
        if (signal.aborted) return
        const e = cause as ApiError
        this.error.value = e.message
        if (e instanceof ApiError && [403, 404].includes(e.code)) return
        await new Promise((r) => setTimeout(r, AGAIN_MS))
      }
    }
  }

  #add(texts: string[]): void {
    for (const text of texts) this.#waiting.push({ id: this.#next++, text: plain(text) })
    if (this.#planned) return
    this.#planned = true
    setTimeout(() => {
      this.#planned = false
      this.lines.value = [...this.lines.value, ...this.#waiting].slice(-MOST)
      this.#waiting = []
    }, 50)
  }
  close(): void {
    this.#abort.abort()
  }
}

function download(name: string, lines: Line[]): void {
  const a = document.createElement('a')
  a.href = URL.createObjectURL(new Blob([lines.map((l) => `${l.text}\n`).join('')], { type: 'text/plain' }))
  a.download = name
  a.click()
  URL.revokeObjectURL(a.href)
}

export function PodLogs({ object: o }: { object: any }) {
  const { namespace, name } = o.metadata
  const containers = containersOf(o)
  const chosen = o.metadata.annotations?.['kubectl.kubernetes.io/default-container'] ?? o.spec.containers[0].name
  const [container, setContainer] = useState<string>(chosen)
  const [previous, setPrevious] = useState(false)
  const [timestamps, setTimestamps] = useState(false)
  const [text, setText] = useState('')
  const restarts = containers.find((c) => c.name === container)?.status.restartCount ?? 0
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/log`
  const reading = useMemo(
    () => new Reading({ path, container, previous, timestamps }),
    // A container that has started anew says new things.
    [path, container, previous, timestamps, restarts],
  )
  useEffect(() => () => reading.close(), [reading])
  const all = reading.lines.value
  const wanted = text.toLowerCase()
  const lines = useMemo(() => (wanted ? all.filter((l) => l.text.toLowerCase().includes(wanted)) : all), [all, wanted])
  return (
    <section class="logs">
      <div class="filters">
        <ContainerChoice among={containers} chosen={container} choose={setContainer} />
        <label>
          <span>Only lines with</span>
          <input type="search" value={text} onInput={(e) => setText(e.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={timestamps} onChange={(e) => setTimestamps(e.currentTarget.checked)} /> Times
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={previous}
            disabled={!restarts && !previous}
            onChange={(e) => setPrevious(e.currentTarget.checked)}
          />{' '}
          Before the last restart
        </label>
        <button type="button" disabled={!lines.length} onClick={() => download(`${name}-${container}.log`, lines)}>
          Download
        </button>
        <span class="dim" role="status">
          {lines.length} lines{reading.ended.value ? ', ended' : ''}
        </span>
      </div>
      {reading.error.value && (
        <p class="error" role="alert">
          {reading.error.value}
        </p>
      )}
      <LogLines lines={lines} label={`Logs of ${container}`} />
    </section>
  )
}
