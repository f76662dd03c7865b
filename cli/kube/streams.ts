// exec and attach over a WebSocket: channels for standard input, output, error, the outcome and the terminal's size.
import type WebSocket from 'ws'
import type { Client } from './client.ts'
import { Failure, Plain } from './command.ts'

export interface Streams {
  stdin?: NodeJS.ReadableStream
  stdout: (bytes: Buffer) => void | Promise<void>
  stderr: (bytes: Buffer) => void
  tty: boolean
}

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const CLOSE = Buffer.from([255, 0])
const MAX_BUFFERED = 4 << 20

/** The exit code of the command. Throws what the server refused. */
export async function stream(client: Client, path: string, s: Streams): Promise<number> {
  const socket = await client.socket(path, PROTOCOLS)
  const raw = s.tty && process.stdin.isTTY
  const send = (channel: number, bytes: Buffer) => {
    if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Buffer.from([channel]), bytes]))
  }
  const resize = () => send(4, Buffer.from(JSON.stringify({ Width: process.stdout.columns ?? 80, Height: process.stdout.rows ?? 24 })))
  if (raw) {
    process.stdin.setRawMode(true)
    resize()
    process.stdout.on('resize', resize)
  }
  const input = s.stdin
  const onData = (d: Buffer) => {
    send(0, Buffer.from(d))
    if (socket.bufferedAmount > MAX_BUFFERED) {
      input!.pause()
      const again = setInterval(() => {
        if (socket.bufferedAmount > MAX_BUFFERED / 2 && socket.readyState === socket.OPEN) return
        clearInterval(again)
        input!.resume()
      }, 20)
    }
  }
  const onEnd = () => {
    if (socket.protocol === PROTOCOLS[0] && socket.readyState === socket.OPEN) socket.send(CLOSE)
  }
  input?.on('data', onData)
  input?.on('end', onEnd)
  try {
    return await outcome(socket, s)
  } finally {
    input?.off('data', onData)
    input?.off('end', onEnd)
    input?.pause()
    if (raw) process.stdin.setRawMode(false)
    process.stdout.off('resize', resize)
    socket.terminate()
  }
}

function outcome(socket: WebSocket, s: Streams): Promise<number> {
  return new Promise((resolve, reject) => {
    let status: any
    let chain: Promise<void> = Promise.resolve()
    socket.on('message', (data: Buffer) => {
      const [channel] = data
      const bytes = data.subarray(1)
      if (channel === 1 && bytes.length) chain = chain.then(() => s.stdout(bytes))
      else if (channel === 2 && bytes.length) s.stderr(bytes)
      else if (channel === 3) status = JSON.parse(bytes.toString() || '{}')
    })
    socket.on('error', reject)
    socket.on('close', () => {
      void chain.then(() => {
        if (!status || status.status === 'Success') return resolve(0)
        const code = status.details?.causes?.find((c: any) => c.reason === 'ExitCode')?.message
        if (status.reason === 'NonZeroExitCode' && code) return reject(new Plain(`command terminated with exit code ${code}`, Number(code)))
        reject(new Failure(status.message ?? 'the stream ended'))
      })
    })
  })
}
