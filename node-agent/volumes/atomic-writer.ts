// Files of a volume that change all at once: a timestamped folder, a `..data` link swapped by rename, and links to the names (kubelet's AtomicWriter).
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { giveToGroup, groupMode } from './ownership.ts'

export interface VolumeFile {
  content: Buffer
  mode: number
  /** Root, where nobody is named. */
  uid?: number
}

/** Whether the files on disk are these already. */
function same(folder: string, files: ReadonlyMap<string, VolumeFile>, group: number | undefined): boolean {
  const found = new Map<string, VolumeFile & { gid: number }>()
  const walk = (at: string, prefix: string) => {
    for (const e of readdirSync(at, { withFileTypes: true })) {
      const name = prefix ? `${prefix}/${e.name}` : e.name
      if (e.isDirectory()) walk(path.join(at, e.name), name)
      else {
        const { mode, uid, gid } = lstatSync(path.join(at, e.name))
        found.set(name, { content: readFileSync(path.join(at, e.name)), mode: mode & 0o777, uid, gid })
      }
    }
  }
  walk(folder, '')
  const modeOf = (f: VolumeFile) => (group === undefined ? f.mode : groupMode(f.mode, false, true)) & 0o777
  const isOnDisk = ([name, f]: [string, VolumeFile]) => {
    const on = found.get(name)
    return on?.mode === modeOf(f) && on.uid === (f.uid ?? 0) && (group === undefined || on.gid === group) && on.content.equals(f.content)
  }
  return found.size === files.size && [...files].every(isOnDisk)
}

let counter = 0

/** Makes `folder` show exactly these files (paths relative, already checked), readable to a group. True when something changed. */
export function writeAtomically(folder: string, files: ReadonlyMap<string, VolumeFile>, group?: number): boolean {
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o755)
  const link = path.join(folder, '..data')
  const old = existsSync(link) ? readlinkSync(link) : undefined
  if (old && same(path.join(folder, old), files, group)) return false
  const name = `..${new Date().toISOString().replace(/[-:T]/g, '_').slice(0, 19)}.${process.pid}${counter++}`
  const fresh = path.join(folder, name)
  mkdirSync(fresh, { mode: 0o755 })
  for (const [file, { content, mode, uid }] of files) {
    const at = path.join(fresh, file)
    mkdirSync(path.dirname(at), { recursive: true })
    writeFileSync(at, content, { mode })
    chmodSync(at, mode)
    if (uid !== undefined) chownSync(at, uid, 0)
  }
  if (group !== undefined) giveToGroup(fresh, group, { readOnly: true })
  symlinkSync(name, path.join(folder, '..data_tmp'))
  renameSync(path.join(folder, '..data_tmp'), link)
  const tops = new Set([...files.keys()].map((f) => f.split('/')[0]!))
  for (const e of readdirSync(folder)) if (!e.startsWith('..') && !tops.has(e)) rmSync(path.join(folder, e))
  for (const t of tops) if (!existsSync(path.join(folder, t))) symlinkSync(path.join('..data', t), path.join(folder, t))
  if (old) rmSync(path.join(folder, old), { recursive: true, force: true })
  return true
}
