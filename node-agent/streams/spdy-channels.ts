// exec and attach of a client that speaks SPDY: each of its streams is one channel of ours.
import { Channel } from '../../shared/session/frames.ts'
import type { NodeStream } from '../session/session.ts'
import { SpdySession, type SpdyStream } from './spdy.ts'

const STREAMS_WITHIN = 30_000
const SUCCESS = '{"metadata":{},"status":"Success"}'

interface Flags {
  stdin: boolean
  stdout: boolean
  stderr: boolean
  tty: boolean
}

/** Waits for the streams that the flags ask for. Rejects when they do not come. */
export async function channelsOverSpdy(pipe: NodeStream, flags: Flags): Promise<NodeStream> {
  const expected = ['error', ...(['stdin', 'stdout', 'stderr'] as const).filter((c) => flags[c]), ...(flags.tty ? ['resize'] : [])]
  const streams = new Map<string, SpdyStream>()
  let complete = () => {}
  let fail: (cause: Error) => void = () => {}
  const all = new Promise<void>((resolve, reject) => {
    complete = resolve
    fail = reject
  })
  const session = new SpdySession(
    (bytes) => pipe.write(Channel.stdout, bytes),
    (s) => {
      streams.set(s.headers.streamtype ?? '', s)
      if (expected.every((e) => streams.has(e))) complete()
    },
  )
  const closers: (() => void)[] = []
  let closed = false
  const close = () => {
    if (closed) return
    closed = true
    for (const c of closers.splice(0)) c()
    session.close()
    fail(new Error('the client went'))
  }
  pipe.onData((_, bytes) => session.receive(bytes))
  pipe.onClose(close)
  const timer = setTimeout(() => fail(new Error('timed out waiting for client to create streams')), STREAMS_WITHIN)
  await all.finally(() => clearTimeout(timer))
  const outputs: Record<number, SpdyStream | undefined> = {
    [Channel.stdout]: streams.get('stdout'),
    [Channel.stderr]: streams.get('stderr'),
  }
  return {
    write: async (channel, bytes) => outputs[channel]?.write(bytes),
    end: (status) => {
      void (async () => {
        const error = streams.get('error')!
        await error.write(new TextEncoder().encode(status ?? SUCCESS))
        for (const name of ['stdout', 'stderr', 'error']) await streams.get(name)?.end()
        pipe.end()
      })()
    },
    onData: (handler) => {
      const stdin = streams.get('stdin')
      void stdin?.onData((b) => handler(Channel.stdin, b))
      stdin?.onEnd(() => void handler(Channel.closeStdin, new Uint8Array(0)))
      let line = ''
      void streams.get('resize')?.onData(async (b) => {
        // Sizes are JSON objects one after the other.
        line += Buffer.from(b).toString()
        for (let end = line.indexOf('}'); end >= 0; end = line.indexOf('}')) {
          await handler(Channel.resize, Buffer.from(line.slice(0, end + 1)))
          line = line.slice(end + 1)
        }
        if (line.length > 1024) line = ''
      })
    },
    onClose: (handler) => {
      if (closed) handler()
      else closers.push(handler)
    },
  }
}
