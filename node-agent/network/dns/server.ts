// The DNS server of a host, at the cluster's address for it: what is the cluster's it knows, everything else it asks for.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { type Answer, type DecodedPacket, decode, encode, type Packet, type Question } from 'dns-packet'
import { isIPv6 } from '../../../shared/meta/address.ts'
import type { Log } from '../../log.ts'
import { type Forwarder, framed } from './forwarder.ts'
import { afterQuestion, codeOf, compressed, HEADER, idOf, isResponse, numbered } from './wire.ts'
import { type ClusterZone, TTL, type ZoneAnswer } from './zone.ts'

const MOST_KNOWN = 10_000
const MOST_CONNECTIONS = 256
const IDLE_MS = 10_000
const COMPLAIN_EVERY = 10_000
const PLAIN_SIZE = 512
const MOST_UDP = 4096
const MOST_TCP = 65_535
const MOST_ALIASES = 8
/** Of answers with many addresses, so many orders are told by turns. */
const TURNS = 8

const [FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED] = [1, 2, 3, 4, 5]
const AUTHORITATIVE = 1 << 10
const TRUNCATED = 1 << 9
const RECURSION_AVAILABLE = 1 << 7
const DESIRED = 1 << 8

/** Since it began to serve. */
export interface DnsCounters {
  /** By the code of the answer. */
  answered: Map<number, number>
  /** Without being worked out anew, or asked for. */
  known: number
  forwarded: number
}

/** Answers of one question as bytes, in different orders. */
interface Known {
  turns: Buffer[]
  next: number
}

export class DnsServer {
  readonly counters: DnsCounters = { answered: new Map(), known: 0, forwarded: 0 }
  readonly #zone: ClusterZone
  readonly #forwarder: Forwarder
  readonly #log: Log
  /** Whether the zone is whole; before, nobody is told that there is no such name. */
  readonly #ready: () => boolean
  readonly #known = new Map<string, Known>()
  #udp?: UdpSocket
  #tcp?: Server
  readonly #connections = new Set<Socket>()

  constructor(zone: ClusterZone, forwarder: Forwarder, log: Log, ready: () => boolean) {
    this.#zone = zone
    this.#forwarder = forwarder
    this.#log = log
    this.#ready = ready
  }

  /** The zone has changed. */
  changed(): void {
    if (this.#known.size) this.#known.clear()
  }

  /** Listens on both transports; rejects when the port is taken. */
  async listen(address: string, port: number): Promise<void> {
    const udp = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 })
    const tcp = createServer((s) => this.#connected(s))
    tcp.maxConnections = MOST_CONNECTIONS
    this.#udp = udp
    this.#tcp = tcp
    await Promise.all([
      new Promise<void>((resolve, reject) => {
        udp.once('error', reject)
        udp.bind(port, address, () => resolve())
      }),
      new Promise<void>((resolve, reject) => {
        tcp.once('error', reject)
        tcp.listen(port, address, () => resolve())
      }),
    ])
    // A client that is gone is nobody's trouble.
    udp.removeAllListeners('error').on('error', (cause) => this.#log.warn('the DNS socket', { cause: cause.message }))
    udp.on('message', (query, from) => {
      const known = this.#fromKnown(query)
      if (known) return udp.send(known, from.port, from.address)
      void this.#answer(query, false).then((answer) => answer && this.#udp === udp && udp.send(answer, from.port, from.address))
    })
  }

  #connected(socket: Socket): void {
    this.#connections.add(socket)
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#connections.delete(socket))
    let received = Buffer.alloc(0)
    let working: Promise<unknown> = Promise.resolve()
    socket.on('data', (d) => {
      received = Buffer.concat([received, d])
      for (;;) {
        const length = received.length < 2 ? undefined : received.readUInt16BE(0)
        if (length === undefined || received.length < 2 + length) break
        const query = received.subarray(2, 2 + length)
        received = received.subarray(2 + length)
        // One at a time, and no more is read meanwhile.
        socket.pause()
        working = working
          .then(() => this.#answer(query, true))
          .then((answer) => answer && socket.write(framed(answer)))
          .finally(() => socket.resume())
      }
    })
  }

  #fromKnown(query: Buffer): Buffer | undefined {
    const known = query.length > HEADER ? this.#known.get(query.toString('latin1', 2)) : undefined
    if (!known) return undefined
    this.counters.known++
    // A copy: the one before it may not have left yet.
    const message = numbered(known.turns[known.next]!, idOf(query))
    known.next = (known.next + 1) % known.turns.length
    this.#count(message)
    return message
  }

  #count(message: Buffer): void {
    const code = codeOf(message)
    this.counters.answered.set(code, (this.counters.answered.get(code) ?? 0) + 1)
  }

  /** The answer to a message; nothing for what is no question. */
  async #answer(query: Buffer, tcp: boolean): Promise<Buffer | undefined> {
    if (query.length < HEADER || isResponse(query)) return undefined
    const answer = await this.#worked(query, tcp).catch((cause) => {
      this.#complain(cause as Error)
      return failed(query, SERVFAIL)
    })
    this.#count(answer)
    return answer
  }

  #complainedAt = Number.NEGATIVE_INFINITY
  /** Now and then: while a resolver is away, every question fails. */
  #complain({ message }: Error): void {
    const now = performance.now()
    if (now - this.#complainedAt < COMPLAIN_EVERY) return
    this.#complainedAt = now
    this.#log.warn('a DNS question could not be answered', { cause: message })
  }

  async #worked(query: Buffer, tcp: boolean): Promise<Buffer> {
    if ((query[2]! & 0x78) !== 0) return failed(query, NOTIMP)
    if (query.readUInt16BE(4) !== 1) return failed(query, FORMERR)
    let packet: DecodedPacket
    let question: Question
    try {
      packet = decode(query)
      question = packet.questions![0]!
    } catch {
      return failed(query, FORMERR)
    }
    if (question.class !== undefined && question.class !== 'IN') return failed(query, REFUSED)
    const name = question.name.toLowerCase().replace(/\.$/, '')
    const own = this.#zone.resolve(name, question.type)
    if (!own) {
      this.counters.forwarded++
      return this.#forwarder.ask(query, name, tcp)
    }
    if (!this.#ready()) return failed(query, SERVFAIL)
    const size = tcp ? MOST_TCP : sizeOf(packet)
    if (own.alias) return this.#followed(packet, question, own.alias, query, size, tcp)
    const first = reply(packet, question, own, this.#zone, size, 0)
    const turns = Math.min(TURNS, own.answers.length || 1)
    if (!tcp) {
      if (this.#known.size >= MOST_KNOWN) this.#known.clear()
      const others = Array.from({ length: turns - 1 }, (_, i) => reply(packet, question, own, this.#zone, size, i + 1))
      this.#known.set(query.toString('latin1', 2), { turns: [first, ...others].map((b) => Buffer.from(b)), next: turns > 1 ? 1 : 0 })
    }
    return first
  }

  /** A name that stands for another: told together with what that one is, wherever it is known. */
  async #followed(packet: DecodedPacket, question: Question, alias: string, query: Buffer, size: number, tcp: boolean): Promise<Buffer> {
    const answers: Answer[] = [{ type: 'CNAME', name: question.name, ttl: TTL, data: alias }]
    let target = alias
    for (let i = 0; i < MOST_ALIASES && question.type !== 'CNAME'; i++) {
      const own = this.#zone.resolve(target, question.type)
      if (!own) {
        answers.push(...(await this.#asked(question, target, query, tcp)))
        break
      }
      answers.push(...own.answers)
      if (!own.alias) break
      answers.push({ type: 'CNAME', name: target, ttl: TTL, data: own.alias })
      target = own.alias
    }
    return reply(packet, question, { exists: true, answers, additionals: [] }, this.#zone, size, 0)
  }

  async #asked(question: Question, name: string, query: Buffer, tcp: boolean): Promise<Answer[]> {
    const asked = encode({ type: 'query', id: idOf(query), flags: DESIRED, questions: [{ type: question.type, name }] })
    this.counters.forwarded++
    const answer = decode(await this.#forwarder.ask(asked, name, tcp))
    return answer.answers ?? []
  }

  async close(): Promise<void> {
    const udp = this.#udp
    const tcp = this.#tcp
    this.#udp = undefined
    this.#tcp = undefined
    for (const s of this.#connections) s.destroy()
    await Promise.all([
      udp && new Promise<void>((r) => udp.close(() => r())),
      tcp?.listening && new Promise<void>((r) => tcp.close(() => r())),
    ])
  }
}

/** What a client takes in one datagram. */
function sizeOf(packet: DecodedPacket): number {
  const opt = (packet.additionals ?? []).find((a) => a.type === 'OPT') as { udpPayloadSize?: number } | undefined
  return opt ? Math.min(Math.max(opt.udpPayloadSize ?? PLAIN_SIZE, PLAIN_SIZE), MOST_UDP) : PLAIN_SIZE
}

/** An answer without records. */
function failed(query: Buffer, code: number): Buffer {
  let end = HEADER
  try {
    if (query.readUInt16BE(4) === 1) end = afterQuestion(query)
  } catch {
    end = HEADER
  }
  const answer = Buffer.from(query.subarray(0, Math.min(end, query.length)))
  answer[2] = 0x80 | (query[2]! & 0x79)
  answer[3] = 0x80 | code
  answer.fill(0, 6, HEADER)
  if (end === HEADER) answer.writeUInt16BE(0, 4)
  return answer
}

/** As many records as there is room for; those that are left out are told of. */
function reply(packet: DecodedPacket, question: Question, found: ZoneAnswer, zone: ClusterZone, size: number, turn: number): Buffer {
  const { exists, answers } = found
  const turned = [...answers.slice(turn), ...answers.slice(0, turn)]
  const opt = (packet.additionals ?? []).some((a) => a.type === 'OPT')
  const own: Answer[] = opt ? [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] } as unknown as Answer] : []
  const made = (records: Answer[], additionals: Answer[], more: number): Buffer =>
    compressed(
      encode({
        type: 'response',
        id: packet.id,
        flags: (packet.flags! & DESIRED) | AUTHORITATIVE | RECURSION_AVAILABLE | more | (exists ? 0 : NXDOMAIN),
        questions: [question],
        // Asked by whatever letters, answered by the same.
        answers: records.map((a) => (a.name === question.name.toLowerCase() ? { ...a, name: question.name } : a)),
        authorities: records.length ? [] : [zone.authority()],
        additionals: [...additionals, ...own],
      } as Packet),
    )
  const whole = made(turned, found.additionals, 0)
  if (whole.length <= size) return whole
  const bare = made(turned, [], 0)
  if (bare.length <= size) return bare
  let [fits, not] = [0, turned.length]
  while (not - fits > 1) {
    const middle = (fits + not) >> 1
    if (made(turned.slice(0, middle), [], TRUNCATED).length <= size) fits = middle
    else not = middle
  }
  return made(turned.slice(0, fits), [], TRUNCATED)
}
