// Questions about the rest of the world: sent on to the resolvers that the host has, or to those of a stub domain, and kept as long as they say.
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { isIPv6 } from '../../../shared/meta/address.ts'
import { afterQuestion, codeOf, HEADER, idOf, isResponse, isTruncated, numbered, timing } from './wire.ts'

/** An address, or `address:port`; `[address]:port` for the long ones. */
export type Upstream = string

export interface Upstreams {
  servers: readonly Upstream[]
  /** By the domain (in lower case, without dots at its ends): who knows of it. */
  stubs: ReadonlyMap<string, readonly Upstream[]>
}

const TRY_MS = 2000
const MOST_TRIES = 3
const MOST_OPEN = 1024
const MOST_KEPT = 10_000
/** Answers are kept no longer than this, s; that there is none, even less. */
const MOST_TTL = 300
const MOST_NEGATIVE_TTL = 30
/** How long a server that gave no answer is asked last, ms. */
const SHUNNED = 10_000
const PORT = 53

interface Kept {
  message: Buffer
  times: { offset: number; ttl: number }[]
  at: number
  until: number
}

function addressOf(server: Upstream): { host: string; port: number } {
  const m = /^\[([^\]]+)\](?::(\d+))?$/.exec(server) ?? (server.split(':').length === 2 ? /^([^:]+):(\d+)$/.exec(server) : null)
  return m ? { host: m[1]!, port: Number(m[2] ?? PORT) } : { host: server, port: PORT }
}

export class Forwarder {
  readonly #upstreams: () => Upstreams
  readonly #kept = new Map<string, Kept>()
  readonly #asking = new Map<string, Promise<Buffer>>()
  readonly #shunned = new Map<Upstream, number>()
  #open = 0

  constructor(upstreams: () => Upstreams) {
    this.#upstreams = upstreams
  }

  /** Forgets what it knows: other servers may say otherwise. */
  changed(): void {
    this.#kept.clear()
    this.#shunned.clear()
  }

  /** The answer to a question (`name` in lower case) under the question's number. Rejects when nobody answers. */
  async ask(query: Buffer, name: string, tcp: boolean): Promise<Buffer> {
    const id = idOf(query)
    // The flags that a client sets, and everything behind the header, letter case included.
    const key = `${tcp ? 't' : 'u'}${query.toString('latin1', 2, 4)}${query.toString('latin1', HEADER)}`
    const kept = this.#kept.get(key)
    if (kept && kept.until > performance.now()) return aged(kept, id)
    let asking = this.#asking.get(key)
    if (!asking) {
      asking = this.#askAny(query, name, tcp)
        .then((answer) => this.#keep(key, answer))
        .finally(() => this.#asking.delete(key))
      this.#asking.set(key, asking)
    }
    return numbered(await asking, id)
  }

  #keep(key: string, message: Buffer): Buffer {
    const { at, ttl } = timing(message)
    const isNegative = codeOf(message) === 3 || message.readUInt16BE(6) === 0
    const seconds = Math.min(ttl, isNegative ? MOST_NEGATIVE_TTL : MOST_TTL)
    if (seconds > 0 && !isTruncated(message) && (codeOf(message) === 0 || codeOf(message) === 3)) {
      if (this.#kept.size >= MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!)
      const now = performance.now()
      this.#kept.set(key, { message, times: at, at: now, until: now + seconds * 1000 })
    }
    return message
  }

  #serversFor(name: string): readonly Upstream[] {
    const { servers, stubs } = this.#upstreams()
    for (let rest = name; rest; rest = rest.includes('.') ? rest.slice(rest.indexOf('.') + 1) : '') {
      const stub = stubs.get(rest)
      if (stub) return stub
    }
    return servers
  }

  async #askAny(query: Buffer, name: string, tcp: boolean): Promise<Buffer> {
    if (this.#open >= MOST_OPEN) throw new Error('too many questions are open')
    this.#open++
    try {
      const now = performance.now()
      const isShunned = (s: Upstream) => (this.#shunned.get(s) ?? 0) > now
      const servers = this.#serversFor(name).toSorted((a, b) => Number(isShunned(a)) - Number(isShunned(b)))
      let failure = new Error('there is no resolver to ask: /etc/resolv.conf names none')
      let refused: Buffer | undefined
      // A single server gets a second chance: packets get lost.
      const tries = servers.length === 1 ? [servers[0]!, servers[0]!] : servers.slice(0, MOST_TRIES)
      for (const server of tries) {
        try {
          const answer = await (tcp ? askByTcp(query, server) : askByUdp(query, server))
          this.#shunned.delete(server)
          // What one cannot say another may.
          if (codeOf(answer) !== 2 && codeOf(answer) !== 5) return answer
          refused = answer
        } catch (cause) {
          failure = cause as Error
          this.#shunned.set(server, performance.now() + SHUNNED)
        }
      }
      if (refused) return refused
      throw failure
    } finally {
      this.#open--
    }
  }
}

/** What was kept, with the times that are left. */
function aged({ message, times, at }: Kept, id: number): Buffer {
  const copy = numbered(message, id)
  const passed = Math.floor((performance.now() - at) / 1000)
  if (passed) for (const { offset, ttl } of times) copy.writeUInt32BE(Math.max(0, ttl - passed), offset)
  return copy
}

/** Whether a message answers this question, and no other. */
function answers(message: Buffer, query: Buffer): boolean {
  if (message.length < HEADER || !isResponse(message) || idOf(message) !== idOf(query)) return false
  const end = afterQuestion(query)
  return message.toString('latin1', HEADER, end).toLowerCase() === query.toString('latin1', HEADER, end).toLowerCase()
}

/** A port and a number of its own for each question: nobody else can know both. */
function askByUdp(query: Buffer, server: Upstream): Promise<Buffer> {
  const { host, port } = addressOf(server)
  const own = numbered(query, randomInt(0x10000))
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const done = (act: () => void) => {
      clearTimeout(timer)
      socket.removeAllListeners('message').close()
      act()
    }
    const timer = setTimeout(() => done(() => reject(new Error(`${server} gave no answer in ${TRY_MS} ms`))), TRY_MS)
    socket.on('error', (cause) => done(() => reject(cause)))
    socket.on('message', (m) => {
      if (answers(m, own)) done(() => resolve(m))
    })
    // Connected, so that the kernel drops what others send, and tells when nobody listens.
    socket.connect(port, host, () => socket.send(own))
  })
}

function askByTcp(query: Buffer, server: Upstream): Promise<Buffer> {
  const { host, port } = addressOf(server)
  const own = numbered(query, randomInt(0x10000))
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const done = (act: () => void) => {
      clearTimeout(timer)
      socket.destroy()
      act()
    }
    const timer = setTimeout(() => done(() => reject(new Error(`${server} gave no answer in ${TRY_MS} ms`))), TRY_MS)
    let received = Buffer.alloc(0)
    socket.on('error', (cause) => done(() => reject(cause)))
    socket.on('close', () => done(() => reject(new Error(`${server} hung up`))))
    socket.on('connect', () => socket.write(framed(own)))
    socket.on('data', (d) => {
      received = Buffer.concat([received, d])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const message = received.subarray(2, 2 + received.readUInt16BE(0))
      done(() => (answers(message, own) ? resolve(message) : reject(new Error(`${server} answered another question`))))
    })
  })
}

/** With its length before it, as messages go over TCP. */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(message.length, 0)
  return Buffer.concat([head, message])
}
