// The background processes of `kedge up`: where their ids are kept, and how they are ended.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'

/** Every process of ours starts here: it knows how Node is to be run. Built as one file, that is the file itself. */
const here = fileURLToPath(import.meta.url)
export const launcher = isSea() ? process.execPath : here.endsWith('.cjs') ? here : path.join(path.dirname(path.dirname(here)), 'kedge')

/** Root's clusters are the machine's, others live at home. */
export const defaultFolder = (): string => (process.getuid?.() === 0 ? '/var/lib/kedge' : path.join(homedir(), '.kedge'))

export function readPid(folder: string, name: string): number | undefined {
  const file = path.join(folder, `${name}.pid`)
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) || undefined : undefined
}

/** Whether the process lives and is one of ours: ids are reused. */
export function alive(pid: number | undefined): boolean {
  if (!pid) return false
  try {
    return (
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('main.ts') &&
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z'
    )
  } catch {
    return false
  }
}

/** Asks a process to end, and after ten seconds makes it. */
export async function end(folder: string, name: string): Promise<boolean> {
  const pid = readPid(folder, name)
  const file = path.join(folder, `${name}.pid`)
  if (!alive(pid)) {
    rmSync(file, { force: true })
    return false
  }
  process.kill(pid!, 'SIGTERM')
  for (let i = 0; i < 200 && alive(pid); i++) await new Promise((r) => setTimeout(r, 50))
  if (alive(pid)) process.kill(pid!, 'SIGKILL')
  rmSync(file, { force: true })
  return true
}
