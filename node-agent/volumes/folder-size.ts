// How much a folder holds.
import { existsSync } from 'node:fs'
import { exec } from '../network/commands.ts'

/** Bytes (or inodes) of a folder, without what is mounted in it; nought where there is none. */
export async function folderSize(at: string, inodes: boolean): Promise<number> {
  if (!existsSync(at)) return 0
  const text = await exec('du', '-s', '-x', ...(inodes ? ['--inodes'] : ['--block-size=1']), at).catch(() => '0')
  return Number.parseInt(text, 10) || 0
}
