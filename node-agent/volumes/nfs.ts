// Shares of NFS servers, mounted for one pod.
import { existsSync, mkdirSync } from 'node:fs'
import { exec } from '../network/commands.ts'
import { ConfigError } from '../plan/expand.ts'
import { isMounted } from './mounts.ts'

const HELPERS = ['/sbin/mount.nfs', '/usr/sbin/mount.nfs']

/** An address of version 6 stands in brackets before a path. */
const serverOf = (name: string): string => (name.includes(':') && !name.startsWith('[') ? `[${name}]` : name)

/** Mounts a share, once. Throws ConfigError with what the kernel or the server says. */
export async function mountNfs(
  { server, path }: { server: string; path: string },
  at: string,
  options: readonly string[],
  readOnly: boolean,
): Promise<void> {
  if (isMounted(at)) return
  if (!HELPERS.some((h) => existsSync(h))) throw new ConfigError('this machine mounts no NFS: install nfs-common (nfs-utils)')
  mkdirSync(at, { recursive: true })
  const all = [...options, ...(readOnly ? ['ro'] : [])]
  try {
    await exec('mount', '-t', 'nfs', ...(all.length ? ['-o', all.join(',')] : []), `${serverOf(server)}:${path}`, at)
  } catch (cause) {
    throw new ConfigError((cause as Error).message)
  }
}
