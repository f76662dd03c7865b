// What is mounted on this host, and taking it away.
import { readFileSync } from 'node:fs'
import { exec } from '../network/commands.ts'

/** Where things are mounted, the latest last. The kernel writes spaces and the like by their octal numbers. */
const mountPoints = (): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((l) => (l.split(' ')[1] ?? '').replace(/\\(\d{3})/g, (_, n) => String.fromCharCode(Number.parseInt(n, 8))))

export const isMounted = (at: string): boolean => mountPoints().includes(at)

/** Takes a mount away, at the latest when nobody uses it any more. */
export const unmount = (at: string): Promise<unknown> => exec('umount', at).catch(() => exec('umount', '-l', at))

/** All that is mounted below a folder. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const at of mountPoints()
    .filter((m) => m.startsWith(`${folder}/`))
    .reverse())
    await unmount(at)
}
