// Docker's files of what containers said (json-file): a line of JSON for each, the newest file without a number. Searched by text and time.
import { copyFileSync, createReadStream, existsSync, linkSync, rmSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type LogLine, type LogQuery, newestLines } from '../../shared/logs.ts'

/** As many as Docker keeps of one container. */
const MOST_FILES = 5

export interface LogFile {
  namespace: string
  pod: string
  uid: string
  labels: Record<string, string>
  container: string
  restarts: number
  file: string
}

/** A container's files, the oldest first. */
export const filesOf = (first: string): string[] => {
  const all = Array.from({ length: MOST_FILES }, (_, i) => (i ? `${first}.${i}` : first))
  return all.filter((f) => existsSync(f)).reverse()
}

/** A file under another name as well, whatever becomes of the first. */
export function place(from: string, to: string): void {
  rmSync(to, { force: true })
  try {
    linkSync(from, to)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EXDEV') throw cause
    // Docker's folder is another disk.
    copyFileSync(from, to)
  }
}

/** What matches in these files: the newest `limit` lines, by their times. */
export async function search(files: readonly LogFile[], q: LogQuery): Promise<LogLine[]> {
  // As it stands in a line of JSON, before that is taken apart.
  const text = q.text === undefined ? undefined : JSON.stringify(q.text).slice(1, -1)
  let found: LogLine[] = []
  for (const f of files) {
    if (q.since !== undefined && modified(f.file) < q.since) continue
    const lines = createInterface({ input: createReadStream(f.file), crlfDelay: Number.POSITIVE_INFINITY })
    try {
      for await (const line of lines) {
        if (text !== undefined && !line.includes(text)) continue
        const said = parsed(line)
        if (!said || (q.since !== undefined && said.at < q.since) || (q.until !== undefined && said.at > q.until)) continue
        found.push({
          time: said.time,
          namespace: f.namespace,
          pod: f.pod,
          uid: f.uid,
          container: f.container,
          stream: said.stream,
          text: said.text,
        })
        if (found.length >= 2 * q.limit) found = newestLines(found, q.limit)
      }
    } catch {
      // It went while it was read.
    }
  }
  return newestLines(found, q.limit)
}

function parsed(line: string): { time: string; at: number; stream: string; text: string } | undefined {
  try {
    const { log, stream, time } = JSON.parse(line)
    return { time, at: Date.parse(time), stream, text: String(log).replace(/\n$/, '') }
  } catch {
    // The line that a power cut broke off.
    return undefined
  }
}

function modified(file: string): number {
  try {
    return statSync(file).mtimeMs
  } catch {
    return 0
  }
}
