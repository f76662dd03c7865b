// What runs in the side thread: requests come in as messages, and are answered as by a stateless handler.
import { type MessagePort, parentPort } from 'node:worker_threads'
import { StatusError, unavailable } from '../../../shared/status/index.ts'
import { type Cluster, createCluster } from '../../cluster.ts'
import { errorAnswer } from '../../http/answer.ts'
import { answerResource, type ResourceCall } from '../../http/resource-call.ts'
import type { Database } from '../../ports/database.ts'
import type { NodeCall } from '../../ports/hub.ts'
import { createSeal } from '../../store/seal.ts'
import type { LogEvent } from '../../store/store.ts'
import { openRemote } from '../remote-database.ts'
import { sharingTrips } from '../shared-trips.ts'
import { openEmbedded } from './embedded-database.ts'
import { outboundFor } from './outbound.ts'
import { stderrLog, systemClock, systemRandom } from './ports.ts'
import type { Place } from './side-thread.ts'

interface Asked {
  what: 'call'
  id: number
  n: number
  call: Omit<ResourceCall, 'request'>
  request: { url: string; method: string; headers: [string, string][]; body: Uint8Array }
}

type Reached =
  | { what: 'reached'; n: number; status: number; headers: [string, string][]; body?: ReadableStream<Uint8Array> }
  | { what: 'reached'; n: number; failure: { code: number; message: string } }

export type ToThread =
  | { what: 'open'; id: number; place: Place }
  | { what: 'changes'; id: number; changes: LogEvent[] }
  | { what: 'leave'; id: number; n: number }
  | { what: 'end' }
  | Asked
  | Reached

export interface Answered {
  what: 'answer'
  n: number
  status: number
  headers: [string, string][]
  body: ArrayBuffer
  annotations?: Record<string, string>
  cost: number
}

export type FromThread =
  | { what: 'ready' }
  | { what: 'commit'; id: number; event: LogEvent }
  | { what: 'reach'; id: number; n: number; call: NodeCall }
  | { what: 'left'; n: number }
  | Answered

interface Open {
  cluster: Cluster
  database: Database
}

interface Known {
  open: Promise<Open>
  calls: Set<Promise<void>>
}

/** When everything is answered that was asked of it. */
async function close(known: Known): Promise<void> {
  await Promise.all(known.calls)
  const open = await known.open.catch(() => undefined)
  await open?.database.close()
}

class Program {
  readonly #port: MessagePort
  readonly #clusters = new Map<number, Known>()
  readonly #reaching = new Map<number, (r: Reached) => void>()
  #number = 0

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (m: ToThread) => void this.#hear(m))
    this.#tell({ what: 'ready' })
  }

  #tell(message: FromThread, transfer: (ArrayBuffer | ReadableStream)[] = []): void {
    this.#port.postMessage(message, transfer as ArrayBuffer[])
  }

  async #hear(m: ToThread): Promise<void> {
    if (m.what === 'open') {
      this.#clusters.set(m.id, { open: this.#open(m.id, m.place), calls: new Set() })
      return
    }
    if (m.what === 'reached') {
      this.#reaching.get(m.n)?.(m)
      this.#reaching.delete(m.n)
      return
    }
    if (m.what === 'end') {
      await Promise.all([...this.#clusters.values()].map(close))
      process.exit()
    }
    const known = this.#clusters.get(m.id)
    if (!known) return
    if (m.what === 'call') {
      const done = this.#answer(m, known.open)
      known.calls.add(done)
      return done.finally(() => known.calls.delete(done))
    }
    if (m.what === 'leave') {
      this.#clusters.delete(m.id)
      await close(known)
      return this.#tell({ what: 'left', n: m.n })
    }
    const open = await known.open.catch(() => undefined)
    for (const e of m.changes) open?.cluster.observe(e)
  }

  async #open(id: number, place: Place): Promise<Open> {
    const seal = await createSeal(...(place.keys as [Uint8Array, ...Uint8Array[]]))
    const database = 'file' in place.database ? openEmbedded(place.database.file) : sharingTrips(openRemote(place.database))
    const nobody = () => {
      throw unavailable('this request is for the thread that has the hub')
    }
    const cluster = createCluster({
      database,
      clock: systemClock,
      random: systemRandom,
      log: stderrLog,
      settings: place.settings,
      seal,
      sealKey: place.keys[0]!,
      // Who asks has been found out before.
      statics: new Map(),
      maxAge: place.alone ? Number.POSITIVE_INFINITY : 5000,
      onCommit: (e) => {
        cluster.observe(e)
        const { object: _, ...event } = e
        this.#tell({ what: 'commit', id, event })
      },
      hub: () => ({ publish: () => {}, watch: nobody, open: nobody, reach: (call) => this.#reach(id, call), connected: () => [] }),
      outbound: () => outboundFor(place.reachesInside),
    })
    const { kinds, rules } = cluster.env
    // Where others write, too, each request makes sure that they are not too old.
    if (place.alone) {
      await Promise.all([kinds.load(), rules.load()])
      kinds.live = rules.live = true
    }
    return { cluster, database }
  }

  async #answer({ n, call, request: { url, method, headers, body } }: Asked, opening: Promise<Open>): Promise<void> {
    let cost = 0
    const response = await (async () => {
      const { cluster } = await opening
      await Promise.all([cluster.env.kinds.current(), cluster.env.rules.current()])
      const request = new Request(url, { method, headers, ...(body.length ? { body: body as BodyInit } : {}) })
      return answerResource(cluster, { ...call, request }, { answer: () => undefined, cost: (_, spent) => (cost = spent) })
    })().catch((cause) => errorAnswer(cause, stderrLog, new URL(url).pathname))
    const answer = await response.arrayBuffer()
    const { annotations } = call
    this.#tell(
      {
        what: 'answer',
        n,
        status: response.status,
        headers: [...response.headers],
        body: answer,
        cost,
        ...(annotations ? { annotations } : {}),
      },
      [answer],
    )
  }

  async #reach(id: number, call: NodeCall): Promise<Response> {
    const n = ++this.#number
    const answer = new Promise<Reached>((r) => this.#reaching.set(n, r))
    this.#tell({ what: 'reach', id, n, call }, call.body instanceof ReadableStream ? [call.body] : [])
    const reached = await answer
    if (!('failure' in reached)) return new Response(reached.body ?? null, { status: reached.status, headers: reached.headers })
    const { code, message } = reached.failure
    throw new StatusError(code, code === 504 ? 'Timeout' : 'ServiceUnavailable', message)
  }
}

new Program(parentPort!)
