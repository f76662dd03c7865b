// Traces by OpenTelemetry: what one request set off, through registry, log, engine and back, as spans that are sent to an OTLP endpoint (HTTP, JSON). Sent in
// batches; what cannot be sent in time is dropped and counted, for nothing waits for it.
import type { Family } from '../../shared/exposition.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'

export interface TraceSettings {
  /** Spans go to `ENDPOINT/v1/traces`. */
  endpoint: string
  headers?: Record<string, string>
  /** How many of the requests that bring no decision along are traced, 0 to 1. */
  ratio: number
}

export interface Span {
  /** W3C's traceparent of what comes of it. */
  readonly context: string
  set(name: string, value: string | number): void
  /** Once; `error` is what went wrong. */
  end(error?: string): void
}

type Attributes = Record<string, string | number>

/** As OTLP numbers them. */
const KINDS = { internal: 1, server: 2 } as const
const MOST_WAITING = 4096
const MOST_TOGETHER = 512
const TOGETHER_MS = 1000
const ANSWER_WITHIN = 10_000
const MOST_UNDER_WAY = 4
/** Objects whose traces are remembered, for those that go on with them. */
const MOST_REMEMBERED = 2000

const hex = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('')
const anyValue = (v: string | number) => (typeof v === 'string' ? { stringValue: v } : { intValue: String(v) })
const attributesOf = (all: Attributes) => Object.entries(all).map(([key, v]) => ({ key, value: anyValue(v) }))

/** A traceparent's parts; undefined for what is none. */
export function parseContext(text: string | undefined): { trace: string; span: string; isSampled: boolean } | undefined {
  const m = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text ?? '')
  if (!m || /^0+$/.test(m[1]!) || /^0+$/.test(m[2]!)) return undefined
  return { trace: m[1]!, span: m[2]!, isSampled: (Number.parseInt(m[3]!, 16) & 1) === 1 }
}

const WRITTEN = /"trace":"(00-[0-9a-f]{32}-[0-9a-f]{16}-01)"/
/** The trace that a version was written in, by what the log says of its writer. */
export const traceOf = (by: string | undefined): string | undefined => (by ? WRITTEN.exec(by)?.[1] : undefined)

export class Tracer {
  readonly #settings: TraceSettings
  readonly #clock: Clock
  readonly #random: Random
  readonly #log: Log
  readonly #fetch: typeof fetch
  readonly #resource: Attributes
  #waiting: object[] = []
  #timer?: ReturnType<typeof setTimeout>
  /** When each began, ms: of those whose request was cut off nobody hears again. */
  #underWay: number[] = []
  #isAway = false
  readonly #counts = { sent: 0, dropped: 0 }
  readonly #remembered = new Map<string, string>()

  constructor(
    settings: TraceSettings,
    { clock, random, log }: { clock: Clock; random: Random; log: Log },
    resource: Attributes = {},
    through: typeof fetch = (input, init) => fetch(input, init),
  ) {
    this.#settings = settings
    this.#clock = clock
    this.#random = random
    this.#log = log
    this.#fetch = through
    this.#resource = { 'service.name': 'kedge', ...resource }
  }

  /** What begins now, as part of `parent` (a traceparent) where there is one; undefined where it is not to be traced. */
  start(name: string, kind: keyof typeof KINDS, parent: string | undefined, attributes: Attributes = {}): Span | undefined {
    const from = parseContext(parent)
    if (from ? !from.isSampled : this.#chance() >= this.#settings.ratio) return undefined
    const trace = from?.trace ?? hex(this.#random.bytes(16))
    const span = hex(this.#random.bytes(8))
    const begun = this.#clock.now()
    const all = { ...attributes }
    return {
      context: `00-${trace}-${span}-01`,
      set: (key, value) => {
        all[key] = value
      },
      end: (error) =>
        this.#add({
          traceId: trace,
          spanId: span,
          ...(from ? { parentSpanId: from.span } : {}),
          name,
          kind: KINDS[kind],
          startTimeUnixNano: `${begun}000000`,
          endTimeUnixNano: `${this.#clock.now()}000000`,
          attributes: attributesOf(all),
          status: error === undefined ? {} : { code: 2, message: error },
        }),
    }
  }

  /** Whoever asks for this object later goes on with the trace. */
  remember(key: string, context: string): void {
    this.#remembered.delete(key)
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!)
    this.#remembered.set(key, context)
  }
  recall(key: string): string | undefined {
    return this.#remembered.get(key)
  }

  /** Sends what waits, as far as not too much is under way. Never rejects. Waits for nothing that another request has begun: on Workers that never ends. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#waiting.length) {
      const now = this.#clock.now()
      this.#underWay = this.#underWay.filter((begun) => now - begun < ANSWER_WITHIN)
      if (this.#underWay.length >= MOST_UNDER_WAY) return this.#plan()
      this.#underWay.push(now)
      await this.#send(this.#waiting.splice(0, MOST_TOGETHER))
      const at = this.#underWay.indexOf(now)
      if (at >= 0) this.#underWay.splice(at, 1)
    }
  }

  families(): Family[] {
    return [
      {
        name: 'kedge_trace_spans_total',
        help: 'Spans that were sent, and those that could not be.',
        type: 'counter',
        samples: Object.entries(this.#counts).map(([result, value]) => ({ labels: { result }, value })),
      },
    ]
  }

  #chance(): number {
    const [a = 0, b = 0] = this.#random.bytes(2)
    return (a * 256 + b) / 65_536
  }

  #add(span: object): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#counts.dropped++
      return
    }
    this.#waiting.push(span)
    if (this.#waiting.length >= MOST_TOGETHER) void this.flush()
    else this.#plan()
  }
  #plan(): void {
    this.#timer ??= setTimeout(() => void this.flush(), TOGETHER_MS)
    // A server that ends does not wait for it.
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  async #send(spans: object[]): Promise<void> {
    const body = {
      resourceSpans: [{ resource: { attributes: attributesOf(this.#resource) }, scopeSpans: [{ scope: { name: 'kedge' }, spans }] }],
    }
    try {
      const answer = await this.#fetch(`${this.#settings.endpoint.replace(/\/$/, '')}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...this.#settings.headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_WITHIN),
      })
      await answer.body?.cancel()
      if (!answer.ok) throw new Error(`it answered ${answer.status}`)
      this.#counts.sent += spans.length
      this.#isAway = false
    } catch (cause) {
      this.#counts.dropped += spans.length
      // Said once until it is back.
      if (!this.#isAway) this.#log.warn('traces cannot be sent', { endpoint: this.#settings.endpoint, cause: (cause as Error).message })
      this.#isAway = true
    }
  }
}
