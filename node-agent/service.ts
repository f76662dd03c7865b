// The daemon as a service of systemd: says that it is up, that it is alive, and in a line how it stands. Does nothing where it is none.
import { execFile } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { KEDGE_VERSION } from '../shared/version.ts'
import type { Log } from './log.ts'

/** What the daemon writes beside its data for the installer and the doctor. */
export interface DaemonState {
  pid: number
  version: string
  server: string
  node: string
  /** Whether the session to the control plane is open, and since when it is or is not (ISO 8601). */
  connected: boolean
  since: string
  /** Whether the node was reported Ready. */
  ready: boolean
  message: string
}

export const stateFile = (data: string): string => path.join(data, 'daemon.json')

export class Service {
  readonly #file: string
  readonly #log: Log
  readonly #socket = process.env.NOTIFY_SOCKET
  #state: DaemonState
  #watchdog?: ReturnType<typeof setInterval>

  constructor(data: string, node: string, server: string, log: Log) {
    this.#file = stateFile(data)
    this.#log = log
    this.#state = {
      pid: process.pid,
      version: KEDGE_VERSION,
      server,
      node,
      connected: false,
      since: new Date().toISOString(),
      ready: false,
      message: 'starting',
    }
    this.#write()
  }

  /** The daemon has taken up its work. */
  started(): void {
    this.#notify('READY=1')
    // The event loop answers for the process: three beats within the time that systemd allows.
    const allowed = Number(process.env.WATCHDOG_USEC ?? 0) / 1000
    if (allowed > 0) this.#watchdog = setInterval(() => this.#notify('WATCHDOG=1'), allowed / 3)
  }

  set(change: Partial<Pick<DaemonState, 'connected' | 'ready' | 'message' | 'server'>>): void {
    const since = change.connected !== undefined && change.connected !== this.#state.connected ? { since: new Date().toISOString() } : {}
    this.#state = { ...this.#state, ...change, ...since }
    this.#write()
    const { connected, server, message } = this.#state
    this.#notify(`STATUS=${connected ? `connected to ${server}` : `not connected to ${server}`}; ${message}`)
  }

  /** Ending takes this long, s: systemd is asked to wait. */
  needs(seconds: number): void {
    this.#notify(`EXTEND_TIMEOUT_USEC=${seconds * 1_000_000}`)
  }

  close(): void {
    clearInterval(this.#watchdog)
    this.#notify('STOPPING=1')
  }

  #write(): void {
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(this.#state, null, 1))
      renameSync(`${this.#file}.new`, this.#file)
    } catch (cause) {
      this.#log.warn('the state file could not be written', { cause: (cause as Error).message })
    }
  }

  // Node has no datagram sockets of the Unix kind; systemd brings the command that does.
  #notify(line: string): void {
    if (!this.#socket) return
    execFile('systemd-notify', [`--pid=${process.pid}`, line], { timeout: 10_000 }, (cause) => {
      if (cause) this.#log.warn('systemd could not be told', { line, cause: cause.message })
    })
  }
}
