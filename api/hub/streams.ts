// One stream of a node session: data both ways with credit, so that a slow reader holds its writer and never grows memory.
import { encodeData, type HubFrame, WINDOW } from '../../shared/session/frames.ts'
import type { Duplex } from '../ports/hub.ts'

export class Stream implements Duplex {
  readonly id: number
  readonly #sendFrame: (frame: HubFrame) => void
  readonly #sendBytes: (bytes: Uint8Array) => void
  #credit = WINDOW
  #waiting: (() => void)[] = []
  #consumed = 0
  #dataHandler?: (channel: number, bytes: Uint8Array) => void | Promise<void>
  #closeHandler?: (status?: string) => void
  #early: [number, Uint8Array][] = []
  #chain: Promise<void> = Promise.resolve()
  #sending: Promise<void> = Promise.resolve()
  #closed = false
  #status?: string
  readonly #ended: () => void

  constructor(id: number, sendFrame: (frame: HubFrame) => void, sendBytes: (bytes: Uint8Array) => void, ended: () => void) {
    this.id = id
    this.#sendFrame = sendFrame
    this.#sendBytes = sendBytes
    this.#ended = ended
  }

  /** Resolves when the other side has had room for it; what is sent meanwhile comes after it. */
  send(channel: number, bytes: Uint8Array): Promise<void> {
    this.#sending = this.#sending.then(() => this.#send(channel, bytes))
    return this.#sending
  }

  async #send(channel: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length || at === 0; at += 32 * 1024) {
      const part = bytes.subarray(at, at + 32 * 1024)
      while (this.#credit < part.length && !this.#closed) await new Promise<void>((r) => this.#waiting.push(r))
      if (this.#closed) return
      this.#credit -= part.length
      this.#sendBytes(encodeData(this.id, channel, part))
    }
  }

  close(status?: string): void {
    if (this.#closed) return
    this.#sendFrame({ t: 'close', stream: this.id, ...(status ? { status } : {}) })
    this.#finish(status)
  }

  onData(handler: (channel: number, bytes: Uint8Array) => void | Promise<void>): void {
    this.#dataHandler = handler
    for (const [channel, bytes] of this.#early.splice(0)) this.received(channel, bytes)
  }

  onClose(handler: (status?: string) => void): void {
    this.#closeHandler = handler
    if (this.#closed) void this.#chain.then(() => handler(this.#status))
  }

  /** Data from the node; handed on in order, its credit given back once the handler has taken it. */
  received(channel: number, bytes: Uint8Array): void {
    if (!this.#dataHandler) {
      this.#early.push([channel, bytes])
      return
    }
    const handler = this.#dataHandler
    this.#chain = this.#chain
      .then(() => handler(channel, bytes))
      .catch(() => this.close())
      .then(() => {
        this.#consumed += bytes.length
        if (this.#consumed < WINDOW / 2 || this.#closed) return
        this.#sendFrame({ t: 'credit', stream: this.id, bytes: this.#consumed })
        this.#consumed = 0
      })
  }

  granted(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, WINDOW)
    for (const w of this.#waiting.splice(0)) w()
  }

  /** The node ended the stream, or its session is lost. What was received before is handed on first. */
  ended(status?: string): void {
    this.#finish(status)
  }

  #finish(status?: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#status = status
    this.#ended()
    for (const w of this.#waiting.splice(0)) w()
    const handler = this.#closeHandler
    if (handler) void this.#chain.then(() => handler(status))
  }
}
