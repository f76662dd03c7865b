// Sends what containers say on: to each output in its own time, at least once. Nothing is held in memory beyond one batch: what has not been sent stands in
// the files, and where each output is in them is on disk. What a container said that is removed meanwhile is kept until it has been sent.
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Family } from '../../../shared/exposition.ts'
import { type LogRecord, type Output, outputsOf, requestOf, verdictOf } from '../../../shared/log-outputs.ts'
import type { Log } from '../../log.ts'
import type { LogCounters } from '../counters.ts'
import { filesOf, place } from '../log-files.ts'
import { inodes, type Originals, type Position, readOn } from './tail.ts'

/** A batch at most. */
const MOST_RECORDS = 1000
const MOST_BYTES = 1024 * 1024
/** How long what has been said waits for more, ms. */
const TOGETHER = 200
const [RETRY, MAX_RETRY] = [1000, 60_000]
const ANSWER_WITHIN = 30_000
/** The name of no output. */
const COUNTING = '=counters'
/** What is kept of containers that are gone until it has been sent, bytes; beyond it the oldest goes unsent. */
const MOST_SPOOLED = 512 * 1024 * 1024

/** A container as it is told of. */
export interface Speaker {
  id: string
  /** The newest of its files. */
  logPath: string
  namespace: string
  pod: string
  uid: string
  container: string
  image: string
  labels: Record<string, string>
}

/** The outputs of a machine's `logs.yaml`. Throws with what is wrong in it. */
export async function outputsIn(file: string): Promise<Output[]> {
  const { parse } = await import('yaml')
  return outputsOf(parse(readFileSync(file, 'utf8')), file)
}

/** Where lines go: an output, or whoever counts them. */
interface Sink {
  /** What its positions are remembered by. */
  name: string
  /** Undefined until that is known: what is said is kept. */
  wants(namespace: string): boolean | undefined
  /** How many of them are not taken and will not be sent again. Rejects where they are to be sent again. */
  take(records: readonly LogRecord[]): Promise<number>
  /** What is written down with the positions, and read back at a start. */
  kept?: { readonly state: unknown; restore(state: unknown): void }
}

interface Source extends Speaker {
  /** It will say no more. */
  ended: boolean
  originals?: Originals
}

export interface ForwarderOptions {
  data: string
  node: string
  outputs: readonly Output[]
  counters: LogCounters
  log: Log
  fetch?: typeof fetch
}

interface Lane {
  sink: Sink
  /** By container. */
  positions: Map<string, Position>
  /** Something may have been said since the last look. */
  stirred: boolean
  wake?: () => void
  /** Whose turn it is to be read first. */
  turn: number
  counts: { sent: number; refused: number; failures: number; lost: number }
}

export class LogForwarder {
  readonly #o: ForwarderOptions
  readonly #spool: string
  readonly #sources = new Map<string, Source>()
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #lanes: Lane[]
  readonly #loops: Promise<void>[] = []
  readonly #ended = new AbortController()
  #closed = false

  constructor(o: ForwarderOptions) {
    this.#o = o
    this.#spool = path.join(o.data, 'forward')
    mkdirSync(this.#spool, { recursive: true, mode: 0o700 })
    const counting: Sink = {
      name: COUNTING,
      wants: (ns) => o.counters.wants(ns),
      take: async (records) => {
        o.counters.take(records)
        return 0
      },
      kept: o.counters,
    }
    this.#lanes = [...o.outputs.map((output) => this.#sinkOf(output)), counting].map((sink) => ({
      sink,
      positions: this.#positions(sink),
      stirred: false,
      turn: 0,
      counts: { sent: 0, refused: 0, failures: 0, lost: 0 },
    }))
    this.#load()
  }

  start(): void {
    for (const lane of this.#lanes) this.#loops.push(this.#run(lane))
  }

  /** Others are counted now. */
  countersChanged(): void {
    this.#wake()
  }

  /** A container that is there. */
  add(speaker: Speaker): void {
    if (this.#sources.has(speaker.id) || this.#closed) return
    this.#sources.set(speaker.id, { ...speaker, ended: false })
    try {
      this.#watchers.set(
        speaker.id,
        watch(path.dirname(speaker.logPath), () => this.#wake()),
      )
    } catch {
      // It has gone by now; its files are read all the same.
    }
    this.#wake()
  }

  /** Before a container is removed: its files stay until they have been sent. */
  removing(id: string): void {
    const source = this.#sources.get(id)
    if (!source || source.ended) return
    this.#watchers.get(id)?.close()
    this.#watchers.delete(id)
    const folder = path.join(this.#spool, id)
    const kept = path.join(folder, 'json.log')
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const originals: Record<string, number> = {}
      for (const from of filesOf(source.logPath)) {
        const to = `${kept}${from.slice(source.logPath.length)}`
        place(from, to)
        originals[statSync(to).ino] = statSync(from).ino
      }
      source.originals = originals
      source.logPath = kept
      source.ended = true
      writeFileSync(path.join(folder, 'speaker.json'), JSON.stringify(source))
    } catch (cause) {
      this.#o.log.warn('what a container said could not be kept for sending', {
        pod: `${source.namespace}/${source.pod}`,
        cause: (cause as Error).message,
      })
      this.#drop(source)
    }
    this.#bound()
    this.#wake()
  }

  families(): Family[] {
    const of = (name: string, help: string, value: (l: Lane) => number): Family => ({
      name: `kedge_log_forward_${name}_total`,
      help,
      type: 'counter',
      samples: this.#lanes.filter((l) => l.sink.name !== COUNTING).map((l) => ({ labels: { output: l.sink.name }, value: value(l) })),
    })
    return [
      of('records', 'Lines that an output has taken.', (l) => l.counts.sent),
      of('refused', 'Lines that an output does not take.', (l) => l.counts.refused),
      of('failures', 'Attempts to send that came to nothing.', (l) => l.counts.failures),
      of('lost_files', 'Files that were gone before they were sent.', (l) => l.counts.lost),
      ...this.#o.counters.families(),
    ]
  }

  /** What has not been sent is sent after the next start. */
  async close(): Promise<void> {
    this.#closed = true
    this.#ended.abort()
    for (const w of this.#watchers.values()) w.close()
    this.#wake()
    await Promise.all(this.#loops)
  }

  #wake(): void {
    for (const lane of this.#lanes) {
      lane.stirred = true
      lane.wake?.()
    }
  }

  async #run(lane: Lane): Promise<void> {
    let delay = RETRY
    while (!this.#closed) {
      try {
        lane.stirred = false
        const { records, next } = await this.#collect(lane)
        if (!records.length) {
          if (this.#advance(lane, next)) this.#save(lane)
          this.#finish()
          await this.#woken(lane)
          continue
        }
        const refused = await lane.sink.take(records)
        this.#advance(lane, next)
        this.#save(lane)
        lane.counts.sent += records.length - refused
        lane.counts.refused += refused
        delay = RETRY
      } catch (cause) {
        lane.counts.failures++
        if (delay === RETRY)
          this.#o.log.warn('logs cannot be sent; trying again', { output: lane.sink.name, cause: (cause as Error).message })
        await this.#pause(delay)
        delay = Math.min(2 * delay, MAX_RETRY)
      }
    }
  }

  /** The next lines, of all containers by turns, and where each is to go on after them. */
  async #collect(lane: Lane): Promise<{ records: LogRecord[]; next: Map<string, Position> }> {
    const records: LogRecord[] = []
    const next = new Map<string, Position>()
    let bytes = 0
    const all = [...this.#sources.values()]
    // Each time another is the first, for one that says much could fill every batch.
    const first = all.length ? lane.turn++ % all.length : 0
    for (const source of [...all.slice(first), ...all.slice(0, first)]) {
      if (!lane.sink.wants(source.namespace)) continue
      for (let end = false; !end && records.length < MOST_RECORDS && bytes < MOST_BYTES; ) {
        const piece = await readOn(source.logPath, next.get(source.id) ?? lane.positions.get(source.id), source.originals)
        if (piece.gap) lane.counts.lost++
        for (const line of piece.lines) {
          const record = recordOf(source, line, this.#o.node)
          if (record) records.push(record)
          bytes += line.text.length
        }
        next.set(source.id, piece.next)
        end = piece.end
      }
    }
    return { records, next }
  }

  /** Whether anything is further on. */
  #advance(lane: Lane, next: ReadonlyMap<string, Position>): boolean {
    let isFurther = false
    for (const [id, to] of next) {
      const from = lane.positions.get(id)
      if (from?.inode === to.inode && from.offset === to.offset) continue
      lane.positions.set(id, to)
      isFurther = true
    }
    return isFurther
  }

  /** Of what has ended and was sent to all, nothing stays. */
  #finish(): void {
    for (const source of this.#sources.values()) {
      if (!source.ended) continue
      const end = inodes(source.logPath, source.originals).at(-1)
      const isSent = (l: Lane) => {
        const wanted = l.sink.wants(source.namespace)
        if (!wanted) return wanted === false
        const at = l.positions.get(source.id)
        return !end || (at?.inode === end.inode && at.offset >= end.size)
      }
      if (this.#lanes.every(isSent)) this.#drop(source)
    }
  }

  #drop(source: Source): void {
    this.#sources.delete(source.id)
    rmSync(path.join(this.#spool, source.id), { recursive: true, force: true })
    for (const lane of this.#lanes) if (lane.positions.delete(source.id)) this.#save(lane)
  }

  #bound(): void {
    const spooled = [...this.#sources.values()].filter((s) => s.ended)
    const size = (s: Source) => filesOf(s.logPath).reduce((n, f) => n + statSync(f).size, 0)
    let total = spooled.reduce((n, s) => n + size(s), 0)
    for (const s of spooled) {
      if (total <= MOST_SPOOLED) return
      total -= size(s)
      for (const lane of this.#lanes) lane.counts.lost++
      this.#drop(s)
    }
  }

  #sinkOf(output: Output): Sink {
    return {
      name: output.name,
      wants: (ns) => !output.namespaces || output.namespaces.includes(ns),
      take: async (records) => {
        const { url, type, body } = requestOf(output, records)
        const answer = await (this.#o.fetch ?? fetch)(url, {
          method: 'POST',
          headers: { 'content-type': type, 'user-agent': 'kedge', ...output.headers },
          body,
          signal: AbortSignal.any([this.#ended.signal, AbortSignal.timeout(ANSWER_WITHIN)]),
        })
        const verdict = verdictOf(output, answer.status, await answer.text(), records.length)
        if (verdict.again) throw new Error(verdict.why ?? `${url} answered ${answer.status}`)
        if (verdict.refused)
          this.#o.log.warn('an output does not take some lines', { output: output.name, lines: verdict.refused, cause: verdict.why ?? '' })
        return verdict.refused
      },
    }
  }

  /** Until something may have been said; a moment later, for more to come along. */
  async #woken(lane: Lane): Promise<void> {
    if (!this.#closed && !lane.stirred) await new Promise<void>((r) => (lane.wake = r))
    lane.wake = undefined
    if (!this.#closed) await this.#pause(TOGETHER)
  }

  /** Whoever closes does not wait for it. */
  #pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: this.#ended.signal, ref: false }).catch(() => {})

  #fileOf = ({ name }: Sink) => path.join(this.#spool, `positions-${name.replaceAll(/[^\w.-]/g, '_')}.json`)

  #positions(sink: Sink): Map<string, Position> {
    try {
      const { positions, state } = JSON.parse(readFileSync(this.#fileOf(sink), 'utf8'))
      sink.kept?.restore(state)
      return new Map(Object.entries(positions as Record<string, Position>))
    } catch {
      return new Map()
    }
  }
  /** Positions and what came of them in one file: neither is ever further than the other. */
  #save({ sink, positions }: Lane): void {
    const file = this.#fileOf(sink)
    writeFileSync(`${file}.new`, JSON.stringify({ positions: Object.fromEntries(positions), state: sink.kept?.state }), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }

  /** What was kept for sending before this start. */
  #load(): void {
    for (const id of readdirSync(this.#spool)) {
      const folder = path.join(this.#spool, id)
      if (!statSync(folder).isDirectory()) continue
      const file = path.join(folder, 'speaker.json')
      if (existsSync(file)) this.#sources.set(id, JSON.parse(readFileSync(file, 'utf8')))
      else rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** A line as Docker wrote it; undefined for one that was broken off. */
function recordOf(s: Source, line: { text: string; offset: number; inode: number }, node: string): LogRecord | undefined {
  try {
    const { log, stream, time } = JSON.parse(line.text)
    return {
      id: `${s.id.slice(0, 24)}-${line.inode}-${line.offset}`,
      time,
      stream,
      text: String(log).replace(/\n$/, ''),
      containerId: s.id,
      namespace: s.namespace,
      pod: s.pod,
      uid: s.uid,
      container: s.container,
      image: s.image,
      node,
      labels: s.labels,
    }
  } catch {
    return undefined
  }
}
