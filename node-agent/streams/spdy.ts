// SPDY/3.1 as kubectl speaks it in exec and port-forward: streams inside one byte pipe, which the API carries here as it is.
// Windows are left out, as Go's spdystream leaves them out on the other side: the pipe itself holds a fast writer back.
import { constants, createInflate, type Inflate } from 'node:zlib'

const WORDS =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status'.split(
    ' ',
  )
const MORE_WORDS = ['200 OK', 'version', 'HTTP/1.1', 'url', 'public', 'set-cookie', 'keep-alive', 'origin']
const TAIL =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'

const u32 = (n: number): Buffer => {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(n >>> 0)
  return out
}
const counted = (s: string): Buffer => Buffer.concat([u32(Buffer.byteLength(s)), Buffer.from(s)])

/** What both sides' compressors begin with (SPDY/3, 2.6.10.1). */
export const DICTIONARY = Buffer.concat([...WORDS, ...MORE_WORDS].map(counted).concat(Buffer.from(TAIL)))

const Type = { synStream: 1, synReply: 2, rst: 3, settings: 4, ping: 6, goAway: 7, headers: 8 } as const
const FIN = 1
const MAX_CONTROL = 16 * 1024
const MAX_HEADERS = 64 * 1024
const MAX_DATA = 32 * 1024
const MAX_EARLY = 256 * 1024
const MAX_STREAMS = 1024
const NO_HEADERS = Buffer.alloc(4)

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0]
  for (const x of bytes) {
    a = (a + x) % 65_521
    b = (b + a) % 65_521
  }
  return b * 65_536 + a
}

/** An empty stored block, as a flush leaves it: at this Go's inflater hands over what it has. */
const FLUSHED = Buffer.from([0, 0, 0, 0xff, 0xff])

/** Header blocks out, without compressing: stored blocks of one zlib stream, which every inflater reads. */
class HeaderWriter {
  #begun = false
  block(bytes: Buffer): Buffer {
    const size = Buffer.alloc(5)
    size.writeUInt16LE(bytes.length, 1)
    size.writeUInt16LE(~bytes.length & 0xffff, 3)
    const begin = this.#begun ? [] : [Buffer.from([0x78, 0xbb]), u32(adler32(DICTIONARY))]
    this.#begun = true
    return Buffer.concat([...begin, size, bytes, FLUSHED])
  }
}

class HeaderReader {
  // A whole block of headers is read at once: one that is larger waits for ever, and its connection with it.
  readonly #inflate: Inflate = createInflate({
    dictionary: DICTIONARY,
    flush: constants.Z_SYNC_FLUSH,
    ...{ readableHighWaterMark: MAX_HEADERS },
  })
  async read(block: Buffer): Promise<Record<string, string>> {
    await new Promise<void>((resolve, reject) => {
      this.#inflate.once('error', reject)
      this.#inflate.write(block, () => {
        this.#inflate.off('error', reject)
        resolve()
      })
    })
    const bytes: Buffer = this.#inflate.read() ?? NO_HEADERS
    const out: Record<string, string> = {}
    let at = 4
    const word = () => {
      const end = at + 4 + bytes.readUInt32BE(at)
      if (end > bytes.length) throw new RangeError('a header reaches beyond its block')
      const s = bytes.toString('utf8', at + 4, end)
      at = end
      return s
    }
    for (let left = bytes.readUInt32BE(0); left > 0; left--) {
      const name = word().toLowerCase()
      out[name] = word()
    }
    return out
  }
  close(): void {
    this.#inflate.close()
  }
}

export class SpdyStream {
  readonly id: number
  readonly headers: Record<string, string>
  readonly #session: SpdySession
  #onData?: (bytes: Uint8Array) => void | Promise<void>
  #onEnd?: () => void
  #early: Uint8Array[] = []
  #earlyBytes = 0
  /** The other side has said all it had to say. */
  #ended = false
  /** So have we. */
  closed = false

  constructor(id: number, headers: Record<string, string>, session: SpdySession) {
    this.id = id
    this.headers = headers
    this.#session = session
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.closed; at += MAX_DATA) {
      await this.#session.send(dataFrame(this.id, 0, bytes.subarray(at, at + MAX_DATA)))
    }
  }

  async end(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.#session.send(dataFrame(this.id, FIN, new Uint8Array(0)))
    if (this.#ended) this.#session.streams.delete(this.id)
  }

  async onData(handler: (bytes: Uint8Array) => void | Promise<void>): Promise<void> {
    this.#onData = handler
    for (const b of this.#early.splice(0)) await handler(b)
  }

  onEnd(handler: () => void): void {
    if (this.#ended) handler()
    else this.#onEnd = handler
  }

  async received(bytes: Uint8Array): Promise<void> {
    if (this.#onData) return this.#onData(bytes)
    if ((this.#earlyBytes += bytes.length) > MAX_EARLY) throw new Error('too much data for a stream that nobody reads yet')
    this.#early.push(bytes)
  }

  finished(reset: boolean): void {
    if (reset) this.closed = true
    if (this.#ended) return
    this.#ended = true
    if (this.closed) this.#session.streams.delete(this.id)
    this.#onEnd?.()
  }
}

function controlFrame(type: number, flags: number, ...parts: Uint8Array[]): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt16BE(0x8003, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt32BE(
    parts.reduce((n, p) => n + p.length, 0),
    4,
  )
  head[4] = flags
  return Buffer.concat([head, ...parts])
}

function dataFrame(id: number, flags: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(id, 0)
  head.writeUInt32BE(bytes.length, 4)
  head[4] = flags
  return Buffer.concat([head, bytes])
}

/** The server's end of a session. `receive` takes the peer's bytes and resolves when they are used up; errors of the peer reject it. */
export class SpdySession {
  readonly streams = new Map<number, SpdyStream>()
  readonly #out: (bytes: Uint8Array) => Promise<void>
  readonly #onStream: (s: SpdyStream) => void
  readonly #writer = new HeaderWriter()
  readonly #reader = new HeaderReader()
  #rest: Buffer = Buffer.alloc(0)

  constructor(out: (bytes: Uint8Array) => Promise<void>, onStream: (s: SpdyStream) => void) {
    this.#out = out
    this.#onStream = onStream
  }

  send(frame: Uint8Array): Promise<void> {
    return this.#out(frame)
  }

  async receive(bytes: Uint8Array): Promise<void> {
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, bytes]) : Buffer.from(bytes)
    while (this.#rest.length >= 8) {
      const control = this.#rest[0]! & 0x80
      const length = this.#rest.readUIntBE(5, 3)
      if (control && length > MAX_CONTROL) throw new RangeError('the control frame is too long')
      // Data is handed on as it comes: a frame of 16 MB is no reason to hold one.
      if (!control && length > this.#rest.length - 8 && this.#rest.length - 8 >= MAX_DATA) {
        const part = this.#rest.subarray(8)
        const head = Buffer.from(this.#rest.subarray(0, 8))
        head.writeUIntBE(length - part.length, 5, 3)
        this.#rest = head
        await this.streams.get(head.readUInt32BE(0))?.received(part)
        return
      }
      if (this.#rest.length < 8 + length) return
      const frame = this.#rest.subarray(0, 8 + length)
      this.#rest = this.#rest.subarray(8 + length)
      await (control ? this.#control(frame.readUInt16BE(2), frame[4]!, frame.subarray(8)) : this.#data(frame))
    }
  }

  async #data(frame: Buffer): Promise<void> {
    const stream = this.streams.get(frame.readUInt32BE(0))
    if (!stream) return
    if (frame.length > 8) await stream.received(frame.subarray(8))
    if (frame[4]! & FIN) stream.finished(false)
  }

  async #control(type: number, flags: number, body: Buffer): Promise<void> {
    switch (type) {
      case Type.synStream: {
        const id = body.readUInt32BE(0) & 0x7fffffff
        const headers = await this.#reader.read(body.subarray(10))
        if (this.streams.size >= MAX_STREAMS) return this.send(controlFrame(Type.rst, 0, u32(id), u32(3)))
        const stream = new SpdyStream(id, headers, this)
        this.streams.set(id, stream)
        await this.send(controlFrame(Type.synReply, 0, u32(id), this.#writer.block(NO_HEADERS)))
        this.#onStream(stream)
        if (flags & FIN) stream.finished(false)
        return
      }
      case Type.headers:
      case Type.synReply:
        // Nothing of ours is in them, but the inflater has to have seen them.
        await this.#reader.read(body.subarray(4))
        return
      case Type.rst: {
        const id = body.readUInt32BE(0)
        this.streams.get(id)?.finished(true)
        this.streams.delete(id)
        return
      }
      case Type.ping:
        return this.send(controlFrame(Type.ping, 0, body.subarray(0, 4)))
    }
  }

  close(): void {
    this.#reader.close()
    for (const s of [...this.streams.values()]) s.finished(true)
    this.streams.clear()
  }
}
