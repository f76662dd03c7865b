// Lists that stay true: read page by page, then watched over a socket, read anew when the watch is too old. One loop for tables and for objects.
import { signal } from '@preact/signals'
import { WATCH_PROTOCOL } from '../shared/session/watch.ts'
import { ApiError, call, openSocket } from './client.ts'

const PAGE = 500
const FIRST_DELAY = 1000
const MAX_DELAY = 30_000

export type LiveState = 'loading' | 'live' | 'away'

interface Follow {
  path: string
  query?: Record<string, string>
  accept?: string
  /** A page of the list; `first` begins it anew. */
  page(body: any, first: boolean): void
  /** The list is whole. */
  whole(): void
  event(type: string, object: any): void
  state(state: LiveState, error?: ApiError): void
}

const sleep = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    const stop = () => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', stop, { once: true })
  })

/** Resolves when the watch has ended; true when it can be taken up again where it was. */
async function watch(o: Follow, from: { rv: string }, signal: AbortSignal): Promise<boolean> {
  const query = {
    ...o.query,
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: from.rv,
    ...(o.accept ? { accept: o.accept } : {}),
  }
  const socket = await openSocket(o.path, query, WATCH_PROTOCOL)
  const close = () => socket.close()
  // Somebody may have gone while it was opened.
  if (signal.aborted) close()
  signal.addEventListener('abort', close)
  let opened = false
  let lost = false
  await new Promise<void>((resolve) => {
    socket.onopen = () => {
      opened = true
      if (!signal.aborted) o.state('live')
    }
    socket.onmessage = ({ data }) => {
      const { type, object } = JSON.parse(data)
      if (type === 'ERROR') {
        lost = true
        return socket.close()
      }
      const rv = object.metadata?.resourceVersion ?? object.rows?.[0]?.object?.metadata?.resourceVersion
      if (rv) from.rv = rv
      if (type !== 'BOOKMARK' && !signal.aborted) o.event(type, object)
    }
    socket.onclose = () => resolve()
  })
  signal.removeEventListener('abort', close)
  return opened && !lost
}

/** Until the signal says otherwise. What is refused (403, 404) ends it; whoever is away is asked again, with a growing delay. */
async function follow(o: Follow, signal: AbortSignal): Promise<void> {
  let delay = FIRST_DELAY
  let version: { rv: string } | undefined
  while (!signal.aborted) {
    try {
      if (!version) {
        let token = ''
        let first = true
        let rv = ''
        do {
          const query = { ...o.query, limit: String(PAGE), ...(token ? { continue: token } : {}) }
          const body = await call('GET', o.path, { query, signal, ...(o.accept ? { accept: o.accept } : {}) })
          if (signal.aborted) return
          o.page(body, first)
          first = false
          token = body.metadata.continue ?? ''
          rv = body.metadata.resourceVersion
        } while (token)
        version = { rv }
        o.whole()
      }
      const begun = performance.now()
      if (!(await watch(o, version, signal))) version = undefined
      if (performance.now() - begun > FIRST_DELAY) delay = FIRST_DELAY
    } catch (cause) {
      if (signal.aborted) return
      const error = cause instanceof ApiError ? cause : new ApiError(0, String(cause))
      if (error.code === 410) version = undefined
      o.state('away', error)
      if ([401, 403, 404, 405].includes(error.code)) return
    }
    if (signal.aborted) return
    await sleep(delay, signal)
    delay = Math.min(delay * 2, MAX_DELAY)
  }
}

/** Changes of one moment are shown together. */
function gathered(run: () => void): () => void {
  let planned = false
  return () => {
    if (planned) return
    planned = true
    setTimeout(() => {
      planned = false
      run()
    }, 50)
  }
}

interface Column {
  name: string
  type: string
  priority: number
  description: string
}

export interface Row {
  key: string
  namespace: string
  name: string
  cells: any[]
  metadata: any
  /** As far as it was asked for: its metadata, or all of it. */
  object: any
}

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'

/** What both kinds of live lists show of how they are. */
class Live {
  readonly state = signal<LiveState>('loading')
  readonly error = signal<ApiError | undefined>(undefined)
  /** Whether the list has been read to its end. */
  readonly whole = signal(false)
  readonly #abort = new AbortController()

  protected begin(path: string, query: Record<string, string>, o: Pick<Follow, 'page' | 'event' | 'accept'>): void {
    const state = (s: LiveState, error?: ApiError) => {
      this.state.value = s
      this.error.value = error
    }
    const whole = () => {
      this.whole.value = true
    }
    void follow({ ...o, path, query, state, whole }, this.#abort.signal)
  }
  close(): void {
    this.#abort.abort()
  }
}

/** Rows as the server prints them, of any kind. */
export class LiveTable extends Live {
  readonly columns = signal<Column[]>([])
  readonly rows = signal<Row[]>([])
  readonly #rows = new Map<string, Row>()
  readonly #show = gathered(() => {
    this.rows.value = [...this.#rows.values()]
  })

  constructor(path: string, query: Record<string, string> = {}) {
    super()
    this.begin(path, query, {
      accept: TABLE,
      page: (body, first) => {
        if (first) this.#rows.clear()
        if (body.columnDefinitions?.length) this.columns.value = body.columnDefinitions
        for (const row of body.rows ?? []) this.#put(row)
        this.#show()
      },
      event: (type, object) => {
        for (const row of object.rows ?? [])
          if (type === 'DELETED') this.#rows.delete(keyOf(row.object.metadata))
          else this.#put(row)
        this.#show()
      },
    })
  }

  #put({ cells, object }: any): void {
    const { metadata } = object
    const key = keyOf(metadata)
    delete metadata.managedFields
    this.#rows.set(key, { key, namespace: metadata.namespace ?? '', name: metadata.name, cells, metadata, object })
  }
}

const keyOf = (m: any): string => `${m.namespace ?? ''}/${m.name}`

/** Whole objects: of few, or of one by its name. */
export class LiveObjects extends Live {
  readonly items = signal<any[]>([])
  readonly #items = new Map<string, any>()
  readonly #show = gathered(() => {
    this.items.value = [...this.#items.values()]
  })

  constructor(path: string, query: Record<string, string> = {}) {
    super()
    this.begin(path, query, {
      page: (body, first) => {
        if (first) this.#items.clear()
        const of = { apiVersion: body.apiVersion, kind: body.kind?.replace(/List$/, '') }
        for (const o of body.items ?? []) this.#items.set(keyOf(o.metadata), { ...of, ...o })
        this.#show()
      },
      event: (type, object) => {
        if (type === 'DELETED') this.#items.delete(keyOf(object.metadata))
        else this.#items.set(keyOf(object.metadata), object)
        this.#show()
      },
    })
  }
}
