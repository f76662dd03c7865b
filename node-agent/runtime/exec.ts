// Commands in running containers: with streams for kubectl, and with captured output for probes and hooks.
import type { Duplex } from 'node:stream'
import { Channel } from '../../shared/session/frames.ts'
import type { NodeStream } from '../session/session.ts'
import type { Runtime } from './docker.ts'

const MAX_OUTPUT = 16 * 1024

export const failure = (code: number, reason: string, message: string): string =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code })
const exitStatus = (code: number): string =>
  code === 0
    ? '{"metadata":{},"status":"Success"}'
    : JSON.stringify({
        metadata: {},
        status: 'Failure',
        message: `command terminated with non-zero exit code: exit status ${code}`,
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
      })

/** Splits Docker's frames (type, length, data) and hands each on before it reads more. */
async function demultiplex(
  source: AsyncIterable<Buffer>,
  raw: boolean,
  take: (channel: number, bytes: Buffer) => Promise<void>,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of source) {
    if (raw) {
      await take(Channel.stdout, chunk)
      continue
    }
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk
    while (rest.length >= 8) {
      const length = rest.readUInt32BE(4)
      if (rest.length < 8 + length) break
      await take(rest[0] === 2 ? Channel.stderr : Channel.stdout, rest.subarray(8, 8 + length))
      rest = rest.subarray(8 + length)
    }
  }
}

/** Output and exit code of a command; rejects when it takes longer than allowed. */
export async function run(runtime: Runtime, id: string, command: string[], timeoutMs: number): Promise<{ code: number; output: string }> {
  const e = await runtime.docker.getContainer(id).exec({ Cmd: command, AttachStdout: true, AttachStderr: true })
  const stream = (await e.start({ Detach: false, Tty: false })) as unknown as Duplex
  let output = ''
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      stream.destroy()
      reject(new Error(`command ${JSON.stringify(command.join(' '))} timed out`))
    }, timeoutMs)
  })
  try {
    await Promise.race([
      demultiplex(stream, false, async (_, b) => {
        if (output.length < MAX_OUTPUT) output += b.toString()
      }),
      timeout,
    ])
  } finally {
    clearTimeout(timer)
  }
  return { code: (await e.inspect()).ExitCode ?? -1, output }
}

interface Flags {
  stdin: boolean
  stdout: boolean
  stderr: boolean
  tty: boolean
}

function connect(stream: NodeStream, duplex: Duplex, flags: Flags, resize: (h: number, w: number) => Promise<unknown>): Promise<void> {
  stream.onData(async (channel, bytes) => {
    if (channel === Channel.stdin && flags.stdin) {
      if (!duplex.writable) return
      if (!duplex.write(bytes)) await new Promise<void>((r) => duplex.once('drain', r).once('close', r))
    } else if (channel === Channel.closeStdin) duplex.end()
    else if (channel === Channel.resize) {
      const { Width, Height } = JSON.parse(Buffer.from(bytes).toString())
      await resize(Height, Width).catch(() => {})
    }
  })
  stream.onClose(() => duplex.destroy())
  duplex.on('error', () => {})
  return demultiplex(duplex, flags.tty, async (channel, bytes) => {
    if (channel === Channel.stderr ? flags.stderr : flags.stdout) await stream.write(channel, bytes)
  }).catch(() => {})
}

/** Runs a command for a client until it ends; the exit code travels in the closing Status. */
export async function serveExec(runtime: Runtime, id: string, command: string[], flags: Flags, stream: NodeStream): Promise<void> {
  const e = await runtime.docker
    .getContainer(id)
    .exec({ Cmd: command, AttachStdin: flags.stdin, AttachStdout: true, AttachStderr: !flags.tty, Tty: flags.tty })
  const duplex = (await e.start({ hijack: true, stdin: flags.stdin, Tty: flags.tty } as never)) as unknown as Duplex
  await connect(stream, duplex, flags, (h, w) => e.resize({ h, w }))
  const info = await e.inspect()
  // 126 and 127 with no process: the command could not be started.
  if ((info.ExitCode === 126 || info.ExitCode === 127) && !info.Pid)
    stream.end(
      failure(
        500,
        'InternalError',
        `error executing command in container: failed to exec in container: exec: ${JSON.stringify(command[0])}: executable file not found or not executable (exit code ${info.ExitCode})`,
      ),
    )
  else stream.end(exitStatus(info.ExitCode ?? 0))
}

export async function serveAttach(runtime: Runtime, id: string, flags: Flags, stream: NodeStream): Promise<void> {
  const c = runtime.docker.getContainer(id)
  const tty = !!(await c.inspect()).Config.Tty
  const duplex = (await c.attach({
    stream: true,
    hijack: true,
    stdin: flags.stdin,
    stdout: flags.stdout,
    stderr: flags.stderr,
  })) as unknown as Duplex
  // Docker would wait for one that has ended meanwhile to be started again.
  if (!(await c.inspect()).State.Running) {
    duplex.destroy()
    return stream.end(failure(400, 'BadRequest', 'the container has ended'))
  }
  await connect(stream, duplex, { ...flags, tty }, (h, w) => c.resize({ h, w }))
  stream.end()
}

export interface LogOptions {
  follow: boolean
  timestamps: boolean
  tailLines?: number
  since?: number
  limitBytes?: number
}

async function* once(all: Buffer): AsyncGenerator<Buffer> {
  yield all
}

/** The end of what a container has said: so many lines, and of them so many characters. */
export async function lastLines(runtime: Runtime, id: string, lines: number, most: number): Promise<string> {
  const c = runtime.docker.getContainer(id)
  const tty = !!(await c.inspect()).Config.Tty
  const all = (await c.logs({ stdout: true, stderr: true, tail: lines, follow: false })) as unknown as Buffer
  let text = ''
  await demultiplex(once(all), tty, async (_, bytes) => {
    text += bytes.toString()
  })
  return text.slice(-most)
}

/** A container's output, old and (following) new, until it ends or the client goes. */
export async function serveLogs(runtime: Runtime, id: string, o: LogOptions, stream: NodeStream): Promise<void> {
  const c = runtime.docker.getContainer(id)
  const tty = !!(await c.inspect()).Config.Tty
  const options = {
    stdout: true,
    stderr: true,
    timestamps: o.timestamps,
    ...(o.tailLines !== undefined ? { tail: o.tailLines } : {}),
    ...(o.since !== undefined ? { since: o.since } : {}),
  }
  let left = o.limitBytes ?? Number.POSITIVE_INFINITY
  const take = async (_: number, bytes: Buffer) => {
    const part = bytes.length > left ? bytes.subarray(0, left) : bytes
    left -= part.length
    if (part.length) await stream.write(Channel.stdout, part)
    if (left <= 0) throw new Error('limit reached')
  }
  // Even an empty log is an answer.
  await stream.write(Channel.stdout, new Uint8Array(0))
  try {
    if (o.follow) {
      const source = (await c.logs({ ...options, follow: true })) as unknown as Duplex
      stream.onClose(() => source.destroy())
      await demultiplex(source, tty, take)
    } else {
      const all = (await c.logs({ ...options, follow: false })) as unknown as Buffer
      await demultiplex(once(all), tty, take)
    }
  } catch {
    // The client went, or has had what it asked for.
  }
  stream.end()
}
