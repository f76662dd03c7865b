// What a process tells of its serving, with kube-apiserver's and kube-controller-manager's names and labels: requests here, and whatever others add.
import { exposition, type Family } from '../../shared/exposition.ts'
import { Counter, Histogram } from './instruments.ts'

const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]
const BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
const COMPONENT = { component: 'apiserver' }

/** What a request was about, as far as metrics distinguish. */
export interface Served {
  verb: string
  group: string
  version: string
  resource: string
  subresource: string
  /** `cluster`, `namespace` or `resource`; empty for what is no resource. */
  scope: string
}
/** As upstream says them; anything else is one. */
const VERBS: Record<string, string> = {
  create: 'POST',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
  get: 'GET',
  head: 'GET',
  list: 'LIST',
  patch: 'PATCH',
  post: 'POST',
  put: 'PUT',
  update: 'PUT',
  watch: 'WATCH',
}
const verbText = (verb: string): string => VERBS[verb] ?? 'other'

/** What one process has served, on its way to another. */
export type Taken = ReturnType<Metrics['take']>

type Source = () => Family[] | Promise<Family[]>

export class Metrics {
  readonly #requests = new Counter(
    'apiserver_request_total',
    'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
  )
  readonly #durations = new Histogram(
    'apiserver_request_duration_seconds',
    'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
    SECONDS,
  )
  readonly #sizes = new Histogram(
    'apiserver_response_sizes',
    'Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.',
    BYTES,
  )
  readonly #sources = new Set<Source>()
  readonly #inflight = { readOnly: 0, mutating: 0 }

  /** Others tell what they know when they are asked, until they end it. */
  add(source: Source): () => void {
    this.#sources.add(source)
    return () => this.#sources.delete(source)
  }

  /** A request that is no stream has begun; to be called when it ends. */
  enter(isMutating: boolean): () => void {
    const kind = isMutating ? 'mutating' : 'readOnly'
    this.#inflight[kind]++
    return () => {
      this.#inflight[kind]--
    }
  }

  /** `seconds` and `bytes` where they say something: not of streams. */
  served(r: Served, code: number, seconds: number | undefined, bytes: number | undefined): void {
    const labels = {
      ...COMPONENT,
      group: r.group,
      resource: r.resource,
      scope: r.scope,
      subresource: r.subresource,
      verb: verbText(r.verb),
      version: r.version,
    }
    this.#requests.add({ code: String(code), dry_run: '', ...labels })
    if (seconds !== undefined) this.#durations.observe({ dry_run: '', ...labels }, seconds)
    if (bytes !== undefined) this.#sizes.observe(labels, bytes)
  }

  /** Whether there is anything to take. */
  get any(): boolean {
    return this.#requests.any
  }
  /** What was served so far, for whoever tells of it. */
  take() {
    return { requests: this.#requests.take(), durations: this.#durations.take(), sizes: this.#sizes.take() }
  }
  /** What others have served. */
  merge(t: Taken): void {
    this.#requests.merge(t.requests)
    this.#durations.merge(t.durations)
    this.#sizes.merge(t.sizes)
  }

  async text(): Promise<string> {
    const inflight = Object.entries(this.#inflight).map(([request_kind, value]) => ({ labels: { request_kind }, value }))
    const others = await Promise.all([...this.#sources].map((s) => s()))
    return exposition([
      ...this.#requests.families(),
      ...this.#durations.families(),
      ...this.#sizes.families(),
      {
        name: 'apiserver_current_inflight_requests',
        help: 'Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
        type: 'gauge',
        samples: inflight,
      },
      ...others.flat(),
    ])
  }
}
