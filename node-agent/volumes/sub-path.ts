// Parts of volumes: the folder or file that a container's subPath names, as a mount of its own that nobody can turn into something else.
// Whoever writes to a volume may put links there, and exchange them at any moment (kubelet's subpath package has the same steps).
import { chmodSync, lstatSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { exec } from '../network/commands.ts'
import { ConfigError } from '../plan/expand.ts'
import { isMounted, unmount } from './mounts.ts'
import { Place } from './places.ts'

/** Where a path leads to once its links are followed, as far as it exists, and what of it does not. */
function resolved(at: string): { there: string; missing: string[] } {
  const missing: string[] = []
  for (let known = at; ; known = path.dirname(known)) {
    try {
      return { there: realpathSync(known), missing }
    } catch (cause) {
      // A link that leads nowhere is there all the same, and no place to make something.
      if ((cause as { code?: string }).code !== 'ENOENT' || lstatSync(known, { throwIfNoEntry: false })) throw cause
      missing.unshift(path.basename(known))
    }
  }
}

/** Opens `sub` within `base`; folders that are missing are made, with the rights of `base`. Throws ConfigError when it leads out of it. */
export function openWithin(base: string, sub: string): Place {
  if (path.isAbsolute(sub) || sub.split('/').includes('..')) throw refused(sub, 'it must be a relative path without ".."')
  let place: Place | undefined
  try {
    const root = realpathSync(base)
    const { there, missing } = resolved(path.join(root, sub))
    if (there !== root && !there.startsWith(`${root}/`)) throw new Error('it leads out of its volume')
    place = Place.open(root)
    const mode = place.stats.mode & 0o7777
    for (const name of path.relative(root, there).split('/').filter(Boolean)) place = into(place, name)
    for (const name of missing) {
      mkdirSync(place.within(name))
      place = into(place, name)
      chmodSync(place.path(), mode)
    }
    return place
  } catch (cause) {
    place?.close()
    throw refused(sub, (cause as Error).message)
  }
}

const refused = (sub: string, why: string) => new ConfigError(`failed to prepare subPath ${JSON.stringify(sub)}: ${why}`)

/** The next place instead of this one. */
function into(from: Place, name: string): Place {
  const next = from.step(name)
  if (next.stats.isSymbolicLink()) {
    next.close()
    throw new Error('it was exchanged for a link')
  }
  from.close()
  return next
}

/** Mounts a part of a volume at `at`; what was mounted there before goes. */
export async function mountPart(base: string, sub: string, at: string): Promise<void> {
  const place = openWithin(base, sub)
  try {
    if (isMounted(at)) await unmount(at)
    if (place.stats.isDirectory()) mkdirSync(at, { recursive: true })
    else {
      mkdirSync(path.dirname(at), { recursive: true })
      writeFileSync(at, '')
    }
    // By what was opened: `mount` itself is to look up nothing.
    await exec('mount', '--no-canonicalize', '-o', 'bind', place.path(process.pid), at)
  } finally {
    place.close()
  }
}
