// Running the host's tools: ip, nft, iptables, sysctl.
import { execFile, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

/** Standard output; rejects with standard error. */
export function exec(file: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: 20_000 }, (cause, stdout, stderr) =>
      cause ? reject(new Error(`${file} ${args.join(' ')}: ${stderr.trim() || cause.message}`)) : resolve(stdout),
    )
  })
}

/** What a tool prints that reads from standard input, and why it was not content. */
function fed(file: string, args: readonly string[], input: string): Promise<{ out: string; fault?: string }> {
  return new Promise((resolve, reject) => {
    const p = spawn(file, args)
    let out = ''
    let err = ''
    p.stdout.on('data', (d) => (out += d))
    p.stderr.on('data', (d) => (err += d))
    p.on('error', reject)
    p.on('close', (code) => resolve({ out, ...(code === 0 ? {} : { fault: `${file}: ${err.trim().slice(0, 2000)}` }) }))
    p.stdin.on('error', () => {})
    p.stdin.end(input)
  })
}

async function obeyed(file: string, args: readonly string[], input: string): Promise<void> {
  const { fault } = await fed(file, args, input)
  if (fault) throw new Error(fault)
}

/** One atomic nftables transaction. */
export const nft = (script: string): Promise<void> => obeyed('nft', ['-f', '-'], script)

const BATCH = ['-batch', '-']
const lines = (commands: readonly string[]) => `${commands.join('\n')}\n`

/** Commands of `ip` or `bridge` in one process, in order up to the first that fails. */
export async function together(tool: 'ip' | 'bridge', commands: readonly string[]): Promise<void> {
  if (commands.length) await obeyed(tool, BATCH, lines(commands))
}

/** What `ip` answers to each of these questions; nothing to those that fail. */
export const answers = async (questions: readonly string[]): Promise<string> =>
  questions.length ? (await fed('ip', ['-force', ...BATCH], lines(questions))).out : ''

/** Sets a sysctl by its /proc path; false when the kernel does not have it or forbids it. */
export function sysctl(path: string, value: string): boolean {
  const file = `/proc/sys/${path}`
  try {
    if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value)
    return true
  } catch {
    return false
  }
}
