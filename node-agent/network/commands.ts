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

/** One atomic nftables transaction. */
export function nft(script: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const p = spawn('nft', ['-f', '-'])
    let err = ''
    p.stderr.on('data', (d) => (err += d))
    p.on('error', reject)
    p.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`nft: ${err.trim().slice(0, 2000)}`))))
    p.stdin.on('error', () => {})
    p.stdin.end(script)
  })
}

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
