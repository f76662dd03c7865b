// Reading on where it was left off: through files that Docker writes, renames and takes away. A file is known by its inode, whatever it is called.

import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { filesOf } from '../log-files.ts'

export interface Position {
  inode: number
  /** Bytes of it that have been read. */
  offset: number
}

export interface Piece {
  lines: { text: string; offset: number; inode: number }[]
  /** Where to go on when these have been dealt with. */
  next: Position
  /** Nothing more is there for now. */
  end: boolean
  /** Between the position and what is there now, a file has gone. */
  gap: boolean
}

const CHUNK = 256 * 1024

/** What files that were copied are known by: the inode of the first, by that of the copy. */
export type Originals = Readonly<Record<string, number>>

/** The files, the oldest first, with their inodes as they are known. */
export const inodes = (first: string, originals: Originals = {}): { file: string; inode: number; size: number }[] =>
  filesOf(first).flatMap((file) => {
    try {
      const { ino, size } = statSync(file)
      return [{ file, inode: originals[ino] ?? ino, size }]
    } catch {
      return []
    }
  })

/** The next whole lines after a position; from the oldest file on without one. */
export async function readOn(first: string, from: Position | undefined, originals: Originals = {}): Promise<Piece> {
  const files = inodes(first, originals)
  const known = from ? files.findIndex((f) => f.inode === from.inode) : 0
  const gap = from !== undefined && known < 0 && files.length > 0
  const at = Math.max(0, known)
  const current = files[at]
  if (!current) return { lines: [], next: from ?? { inode: 0, offset: 0 }, end: true, gap: false }
  const offset = from && known >= 0 ? from.offset : 0
  const isLast = at === files.length - 1
  const handle = await open(current.file, 'r')
  try {
    // Renamed in between: the next look finds it.
    const { ino } = await handle.stat()
    if ((originals[ino] ?? ino) !== current.inode) return { lines: [], next: { inode: current.inode, offset }, end: false, gap: false }
    const buffer = Buffer.alloc(CHUNK)
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, offset)
    const lines: Piece['lines'] = []
    let used = 0
    for (let end = buffer.indexOf(10, used); end >= 0 && end < bytesRead; end = buffer.indexOf(10, used)) {
      lines.push({ text: buffer.toString('utf8', used, end), offset: offset + used, inode: current.inode })
      used = end + 1
    }
    // Docker writes at most 16 KiB of what was said as one line: this is none, and passed over.
    if (!lines.length && bytesRead === CHUNK) used = CHUNK
    if (used || isLast) return { lines, next: { inode: current.inode, offset: offset + used }, end: isLast && bytesRead < CHUNK, gap }
    return { lines, next: { inode: files[at + 1]!.inode, offset: 0 }, end: false, gap }
  } finally {
    await handle.close()
  }
}
