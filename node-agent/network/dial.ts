// Connections to a port inside a pod's network, loopback included. A small process of ours stands in that network while it is needed
// and hands each connected socket over; the bytes then flow through the daemon alone.
import { type ChildProcess, spawn } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Log } from '../log.ts'

const IDLE = 30_000
const DIAL_TIMEOUT = 30_000
const MAX_DIALERS = 32

interface DialAnswer {
  id: number
  error?: string
}

/** The port on loopback, over either family. The socket comes paused: nothing of what it receives is lost on the way. Rejects with both reasons. */
function dialLoopback(port: number): Promise<Socket> {
  const one = (host: string) =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect({ host, port, allowHalfOpen: true })
      socket.pause()
      socket.setTimeout(DIAL_TIMEOUT, () => socket.destroy(new Error('the connection timed out')))
      socket.once('connect', () => {
        socket.setTimeout(0)
        socket.removeAllListeners('error')
        resolve(socket)
      })
      socket.once('error', reject)
    })
  return one('127.0.0.1').catch((v4) =>
    one('::1').catch((v6) => {
      throw new Error(`IPv4: ${v4.message}, IPv6: ${v6.message}`)
    }),
  )
}

interface Dialer {
  child: ChildProcess
  waiting: Map<number, { resolve: (s: Socket) => void; reject: (e: Error) => void }>
  timer?: ReturnType<typeof setTimeout>
}

export class PodDialers {
  readonly #command: string[]
  readonly #log: Log
  readonly #byNamespace = new Map<string, Dialer>()
  #next = 1

  /** `command` runs `serveDials` in a process of its own. */
  constructor(command: string[], log: Log) {
    this.#command = command
    this.#log = log
  }

  /** A connection to the port on loopback in the network of a process. Rejects when nobody listens there. */
  async dial(pid: number, port: number): Promise<Socket> {
    const netns = `/proc/${pid}/ns/net`
    if (readlinkSync(netns) === readlinkSync('/proc/self/ns/net')) return dialLoopback(port)
    const dialer = this.#byNamespace.get(netns) ?? this.#start(netns)
    clearTimeout(dialer.timer)
    const id = this.#next++
    try {
      return await new Promise<Socket>((resolve, reject) => {
        dialer.waiting.set(id, { resolve, reject })
        dialer.child.send({ id, port })
      })
    } finally {
      dialer.waiting.delete(id)
      clearTimeout(dialer.timer)
      if (!dialer.waiting.size) dialer.timer = setTimeout(() => this.#end(netns), IDLE)
    }
  }

  #start(netns: string): Dialer {
    if (this.#byNamespace.size >= MAX_DIALERS) throw new Error(`connections are forwarded into ${MAX_DIALERS} pods of this node already`)
    const child = spawn('nsenter', [`--net=${netns}`, '--', ...this.#command], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const dialer: Dialer = { child, waiting: new Map() }
    this.#byNamespace.set(netns, dialer)
    const failed = (why: string) => {
      if (this.#byNamespace.get(netns) === dialer) this.#byNamespace.delete(netns)
      clearTimeout(dialer.timer)
      for (const w of dialer.waiting.values()) w.reject(new Error(why))
    }
    child.on('message', ({ id, error }: DialAnswer, socket: unknown) => {
      const w = dialer.waiting.get(id)
      if (!w) return (socket as Socket | undefined)?.destroy()
      if (socket) w.resolve(socket as Socket)
      else w.reject(new Error(error ?? 'the connection was lost on its way'))
    })
    child.on('error', (cause) => failed(cause.message))
    child.on('exit', (code) => {
      if (code) this.#log.warn('the process that dials into a pod ended', { code })
      failed('the process that dials into the pod ended')
    })
    return dialer
  }

  #end(netns: string): void {
    const dialer = this.#byNamespace.get(netns)
    this.#byNamespace.delete(netns)
    clearTimeout(dialer?.timer)
    // It ends with its channel.
    if (dialer?.child.connected) dialer.child.disconnect()
  }

  close(): void {
    for (const netns of [...this.#byNamespace.keys()]) this.#end(netns)
  }
}

/** The process inside: dials what it is asked for until the daemon lets go of it. */
export function serveDials(): Promise<void> {
  process.on('message', ({ id, port }: { id: number; port: number }) => {
    const answer = (a: DialAnswer, socket?: Socket) => process.send?.(a, socket, {}, () => {})
    dialLoopback(port).then(
      (socket) => answer({ id }, socket),
      (cause) => answer({ id, error: cause.message }),
    )
  })
  return new Promise((resolve) => process.once('disconnect', () => resolve()))
}
