// SPDY frames as Go's spdystream writes them, and what is answered.
import { constants, createDeflate, createInflate } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { DICTIONARY, SpdySession, type SpdyStream } from './spdy.ts'

const u32 = (n: number) => {
  const b = Buffer.alloc(4)
  b.writeUInt32BE(n)
  return b
}

/** A client whose headers are really compressed, in one zlib stream, as Go's are. */
function client() {
  const deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH })
  const pack = async (headers: Record<string, string>) => {
    const words = Object.entries(headers).flat()
    const block = Buffer.concat([u32(words.length / 2), ...words.flatMap((w) => [u32(w.length), Buffer.from(w)])])
    await new Promise<void>((r) => deflate.write(block, () => r()))
    return deflate.read() as Buffer
  }
  const control = (type: number, flags: number, body: Buffer) => {
    const head = Buffer.from([0x80, 3, 0, type, flags, 0, 0, 0])
    head.writeUIntBE(body.length, 5, 3)
    return Buffer.concat([head, body])
  }
  return {
    syn: async (id: number, headers: Record<string, string>) =>
      control(1, 0, Buffer.concat([u32(id), u32(0), Buffer.from([0, 0]), await pack(headers)])),
    data: (id: number, text: string, fin = false) => {
      const head = Buffer.concat([u32(id), u32(text.length)])
      if (fin) head[4] = 1
      return Buffer.concat([head, Buffer.from(text)])
    },
    control,
  }
}

function server() {
  const sent: Buffer[] = []
  const streams: SpdyStream[] = []
  const session = new SpdySession(
    async (b) => void sent.push(Buffer.from(b)),
    (s) => void streams.push(s),
  )
  return { session, sent, streams }
}

describe('a session', () => {
  test('the dictionary is the one of SPDY/3', () => expect(DICTIONARY.length).toBe(1423))

  test('streams come with their headers, compressed in one run, in pieces of any size', async () => {
    const c = client()
    const { session, streams } = server()
    const bytes = Buffer.concat([
      await c.syn(1, { streamtype: 'error', port: '80', requestid: '0' }),
      await c.syn(3, { streamtype: 'data', port: '80', requestid: '0' }),
      c.data(3, 'GET /'),
      c.data(3, '', true),
    ])
    for (let at = 0; at < bytes.length; at += 7) await session.receive(bytes.subarray(at, at + 7))
    expect(streams.map((s) => s.headers)).toEqual([
      { streamtype: 'error', port: '80', requestid: '0' },
      { streamtype: 'data', port: '80', requestid: '0' },
    ])
    let text = ''
    await streams[1]!.onData((b) => void (text += Buffer.from(b)))
    const ended = new Promise<void>((r) => streams[1]!.onEnd(r))
    await ended
    expect(text).toBe('GET /')
  })

  test('each stream is answered, by header blocks that any inflater reads', async () => {
    const c = client()
    const { session, sent } = server()
    await session.receive(await c.syn(1, { a: 'b' }))
    await session.receive(await c.syn(3, { a: 'b' }))
    const inflate = createInflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH })
    for (const [i, frame] of sent.entries()) {
      expect(frame.readUInt32BE(0)).toBe(0x80030002)
      expect(frame.readUInt32BE(8)).toBe(i * 2 + 1)
      await new Promise<void>((r) => inflate.write(frame.subarray(12), () => r()))
      expect(inflate.read()).toEqual(u32(0))
    }
  })

  test('pings come back, resets end the stream', async () => {
    const c = client()
    const { session, sent, streams } = server()
    await session.receive(await c.syn(1, { a: 'b' }))
    await session.receive(c.control(6, 0, u32(7)))
    expect(sent.at(-1)).toEqual(c.control(6, 0, u32(7)))
    const ended = new Promise<void>((r) => streams[0]!.onEnd(r))
    await session.receive(c.control(3, 0, Buffer.concat([u32(1), u32(5)])))
    await ended
    expect(session.streams.size).toBe(0)
  })

  test('a long data frame is handed on before it is whole', async () => {
    const c = client()
    const { session, streams } = server()
    await session.receive(await c.syn(1, { a: 'b' }))
    let got = 0
    await streams[0]!.onData((b) => void (got += b.length))
    const frame = c.data(1, 'x'.repeat(100_000))
    await session.receive(frame.subarray(0, 60_000))
    expect(got).toBe(59_992)
    await session.receive(frame.subarray(60_000))
    expect(got).toBe(100_000)
  })

  test.each([
    ['a header block that is none', Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
    ['a control frame without end', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
  ])('%s is refused', async (_what, bytes) => {
    await expect(server().session.receive(bytes)).rejects.toThrow()
  })
})
