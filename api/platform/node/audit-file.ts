// The audit log as a file: an event a line, a new file when it is large, the oldest dropped. `-` is the standard output.
import { createWriteStream, renameSync, rmSync, statSync, type WriteStream } from 'node:fs'
import type { Audit } from '../../ports/audit.ts'
import type { Log } from '../../ports/log.ts'

const MAX_SIZE = 100 * 1024 * 1024
const BACKUPS = 10
/** What may wait to be written; what comes beyond that is lost, and counted. */
const MAX_PENDING = 16 * 1024 * 1024

export function auditFile(file: string, log: Log): Audit & { close(): Promise<void> } {
  if (file === '-') return { write: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`), close: async () => {} }
  let stream: WriteStream
  let size = 0
  let lost = 0
  const open = () => {
    stream = createWriteStream(file, { flags: 'a', mode: 0o600 })
    stream.on('error', (cause) => log.error('the audit log cannot be written', cause, { file }))
    size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  }
  const rotate = () => {
    stream.end()
    rmSync(`${file}.${BACKUPS}`, { force: true })
    for (let n = BACKUPS - 1; n >= 0; n--)
      try {
        renameSync(n ? `${file}.${n}` : file, `${file}.${n + 1}`)
      } catch {
        // There are not so many yet.
      }
    open()
  }
  open()
  return {
    write: (event) => {
      if (stream.writableLength > MAX_PENDING) {
        if (!lost++) log.warn('audit events are lost: the disk is too slow', { file })
        return
      }
      lost = 0
      const line = `${JSON.stringify(event)}\n`
      if (size + line.length > MAX_SIZE) rotate()
      size += line.length
      stream.write(line)
    },
    close: () => new Promise((done) => stream.end(done)),
  }
}
