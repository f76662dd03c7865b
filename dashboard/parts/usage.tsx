// What something uses, as a chart that goes on while it is looked at. Nobody keeps the past of it: Prometheus does, where it is wanted.
import { signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { nanoOf } from '../../shared/meta/quantity.ts'
import { call } from '../client.ts'
import { may } from '../rights.ts'
import type { ChartProps } from './chart.tsx'
import { lazy } from './lazy.tsx'

const EVERY_MS = 10_000
const MOST_POINTS = 360

const Chart = lazy<ChartProps>(async () => (await import('./chart.tsx')).Chart)

export interface Sample {
  /** Seconds since 1970. */
  at: number
  cores: number
  bytes: number
}

export const coresOf = (q: string | undefined): number => Number(nanoOf(q)) / 1e9
export const bytesOf = (q: string | undefined): number => Number(nanoOf(q) / 1_000_000_000n)
const sum = (list: any[]): { cores: number; bytes: number } =>
  list.reduce((t, c) => ({ cores: t.cores + coresOf(c.usage?.cpu), bytes: t.bytes + bytesOf(c.usage?.memory) }), { cores: 0, bytes: 0 })

const coresText = (n: number): string => (n < 1 ? `${Math.round(n * 1000)} m` : n.toFixed(2))
export function bytesText(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let i = 0
  let value = n
  while (value >= 1024 && i < units.length - 1) {
    value /= 1024
    i++
  }
  return `${value >= 100 || i === 0 ? Math.round(value) : value.toFixed(1)} ${units[i]}`
}

interface Props {
  /** Nodes, all or one by its name, or one pod. */
  resource: 'nodes' | 'pods'
  namespace?: string
  name?: string
  /** What there is of it, for the scale. */
  cores?: number
  bytes?: number
}

export function Usage({ resource, namespace = '', name, cores, bytes }: Props) {
  // Another object begins anew.
  const state = useMemo(() => ({ samples: signal<Sample[]>([]), error: signal('') }), [resource, namespace, name])
  const allowed = may({ verb: name ? 'get' : 'list', resource: `${resource}.metrics.k8s.io`, namespace, ...(name ? { name } : {}) })
  useEffect(() => {
    if (!allowed) return
    let timer: ReturnType<typeof setTimeout> | undefined
    const abort = new AbortController()
    const path = `/apis/metrics.k8s.io/v1beta1${namespace ? `/namespaces/${namespace}` : ''}/${resource}${name ? `/${name}` : ''}`
    const look = async () => {
      try {
        if (document.visibilityState === 'visible') {
          const answer = await call('GET', path, { signal: abort.signal })
          const all = (answer.items ?? [answer]).flatMap((i: any) => i.containers ?? [i])
          state.samples.value = [...state.samples.value, { at: Date.now() / 1000, ...sum(all) }].slice(-MOST_POINTS)
          state.error.value = ''
        }
      } catch (cause) {
        if (abort.signal.aborted) return
        state.error.value = (cause as any).code === 404 ? 'Nothing has been measured yet.' : (cause as Error).message
      }
      timer = setTimeout(() => void look(), EVERY_MS)
    }
    void look()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [resource, namespace, name, state, allowed])
  const samples = state.samples.value
  if (!allowed) return null
  const last = samples.at(-1)
  return (
    <section>
      <h2>Usage</h2>
      {!last ? (
        <p class="dim">{state.error.value || 'Measuring…'}</p>
      ) : (
        <div class="charts">
          <figure>
            <figcaption>
              Processor: <b>{coresText(last.cores)}</b>
              {cores ? ` of ${cores} cores` : ' cores'}
            </figcaption>
            <Chart {...{ samples, value: 'cores', most: cores ?? 0, text: coresText }} />
          </figure>
          <figure>
            <figcaption>
              Memory: <b>{bytesText(last.bytes)}</b>
              {bytes ? ` of ${bytesText(bytes)}` : ''}
            </figcaption>
            <Chart {...{ samples, value: 'bytes', most: bytes ?? 0, text: bytesText }} />
          </figure>
        </div>
      )}
    </section>
  )
}
