// Files of a volume that change all at once: a timestamped folder, a `..data` link swapped by rename, and links to the names (kubelet's AtomicWriter).
import {
  chmodSync,
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

export interface VolumeFile {
  content: Buffer
  mode: number
}

/** Whether the files on disk are these already. */
function same(folder: string, files: ReadonlyMap<string, VolumeFile>): boolean {
  const found = new Map<string, VolumeFile>()
  const walk = (at: string, prefix: string) => {
    for (const e of readdirSync(at, { withFileTypes: true })) {
      const name = prefix ? `${prefix}/${e.name}` : e.name
      if (e.isDirectory()) walk(path.join(at, e.name), name)
      else found.set(name, { content: readFileSync(path.join(at, e.name)), mode: lstatSync(path.join(at, e.name)).mode & 0o777 })
    }
  }
  walk(folder, '')
  return (
    found.size === files.size &&
    [...files].every(([n, f]) => found.get(n)?.mode === (f.mode & 0o777) && found.get(n)!.content.equals(f.content))
  )
}

let counter = 0

/** Makes `folder` show exactly these files (paths relative, already checked). True when something changed. */
export function writeAtomically(folder: string, files: ReadonlyMap<string, VolumeFile>): boolean {
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o755)
  const link = path.join(folder, '..data')
  const old = existsSync(link) ? readlinkSync(link) : undefined
  if (old && same(path.join(folder, old), files)) return false
  const name = `..${new Date().toISOString().replace(/[-:T]/g, '_').slice(0, 19)}.${process.pid}${counter++}`
  const fresh = path.join(folder, name)
  mkdirSync(fresh, { mode: 0o755 })
  for (const [file, { content, mode }] of files) {
    const at = path.join(fresh, file)
    mkdirSync(path.dirname(at), { recursive: true })
    writeFileSync(at, content, { mode })
    chmodSync(at, mode)
  }
  symlinkSync(name, path.join(folder, '..data_tmp'))
  renameSync(path.join(folder, '..data_tmp'), link)
  const tops = new Set([...files.keys()].map((f) => f.split('/')[0]!))
  for (const e of readdirSync(folder)) if (!e.startsWith('..') && !tops.has(e)) rmSync(path.join(folder, e))
  for (const t of tops) if (!existsSync(path.join(folder, t))) symlinkSync(path.join('..data', t), path.join(folder, t))
  if (old) rmSync(path.join(folder, old), { recursive: true, force: true })
  return true
}
