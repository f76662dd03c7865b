// The group of a pod's volumes (fsGroup), and who its processes are: kubelet's volume ownership rules.
import { chmodSync, chownSync } from 'node:fs'
import { Place } from './places.ts'

const [OF_FILES, OF_READERS, OF_FOLDERS] = [0o660, 0o440, 0o2110]

/** What the group may do with a file or folder, added to its mode. */
export const groupMode = (mode: number, isFolder: boolean, readOnly: boolean): number =>
  mode | (readOnly ? OF_READERS : OF_FILES) | (isFolder ? OF_FOLDERS : 0)

function give(place: Place, group: number, readOnly: boolean): void {
  const { uid, mode } = place.stats
  // A link has no mode, and what it leads to may be anybody's.
  if (place.stats.isSymbolicLink()) return
  chownSync(place.path(), uid, group)
  chmodSync(place.path(), groupMode(mode & 0o7777, place.stats.isDirectory(), readOnly))
  if (place.stats.isDirectory()) for (const name of place.names()) holding(place.step(name), (next) => give(next, group, readOnly))
}

function holding(place: Place, act: (place: Place) => void): void {
  try {
    act(place)
  } finally {
    place.close()
  }
}

/** Gives a volume to a group, whole; with `OnRootMismatch` only when its root is not the group's already. */
export function giveToGroup(at: string, group: number, o: { readOnly?: boolean; policy?: string } = {}): void {
  holding(Place.open(at), (root) => {
    const { gid, mode } = root.stats
    if (o.policy === 'OnRootMismatch' && gid === group && groupMode(mode, true, !!o.readOnly) === mode) return
    give(root, group, !!o.readOnly)
  })
}

/** The user that all containers of a pod run as, where they say so and agree. */
export function commonUser(pod: any): number | undefined {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const users = new Set(all.map((c: any) => c.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser))
  return users.size === 1 ? [...users][0] : undefined
}
