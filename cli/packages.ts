// What the node side needs of the machine: which commands are missing, the Debian packages that bring them, and a running Docker.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline/promises'

export interface Package {
  name: string
  /** The command or file that tells whether it is there. */
  command: string
  /** A node runs without it, but does less. */
  optional?: true
}

const wanted: Package[] = [
  { name: 'docker.io', command: 'dockerd' },
  { name: 'containernetworking-plugins', command: '/usr/lib/cni/ptp' },
  { name: 'nftables', command: 'nft' },
  { name: 'iproute2', command: 'ip' },
  { name: 'iptables', command: 'iptables' },
  { name: 'conntrack', command: 'conntrack' },
  // It serves ingresses.
  { name: 'haproxy', command: 'haproxy', optional: true },
  // The example's image is made of it.
  { name: 'busybox-static', command: '/bin/busybox' },
]

const systemd = () => existsSync('/run/systemd/system')
const present = (command: string) =>
  command.startsWith('/')
    ? existsSync(command) || (command.includes('/cni/') && existsSync(`/opt/cni/bin/${path.basename(command)}`))
    : ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((d) => existsSync(`${d}/${command}`))

export const missingPackages = (): Package[] => wanted.filter((p) => !present(p.command))
export const requiredPackages = (): Package[] => missingPackages().filter((p) => !p.optional)

/** Installs by apt, after asking unless `yes`. Throws when it cannot. */
export async function installPackages(list: Package[], yes: boolean): Promise<void> {
  const names = list.map((p) => p.name)
  process.stdout.write(`missing: ${names.join(', ')}\n`)
  if (!present('apt-get')) throw new Error(`install these with your package manager, then run this again: ${names.join(', ')}`)
  if (!yes) {
    if (!process.stdin.isTTY) return
    const io = createInterface({ input: process.stdin, output: process.stdout })
    const answer = await io.question('Install them now? [Y/n] ')
    io.close()
    if (/^n/i.test(answer.trim())) return
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...names],
  ]) {
    process.stdout.write(`apt-get ${args.join(' ')}\n`)
    const r = spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env })
    if (r.status !== 0) throw new Error(`apt-get ${args[0]} failed: see above`)
  }
  // The daemon starts it; the service that came with it is not wanted.
  if (names.includes('haproxy') && systemd()) spawnSync('systemctl', ['disable', '--now', 'haproxy'], { stdio: 'ignore' })
}

const answers = () => spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0

/** Makes sure Docker answers: by systemd where it runs, else started by hand. Remembers in `folder` when it was us. */
export async function startDocker(folder: string): Promise<boolean> {
  if (answers()) return true
  process.stdout.write('Docker ... ')
  if (systemd()) {
    try {
      execFileSync('systemctl', ['enable', '--now', 'docker'], { stdio: 'ignore' })
    } catch {
      // Told below.
    }
  } else {
    const log = openSync(path.join(folder, 'docker.log'), 'a')
    const child = spawn('dockerd', [], { detached: true, stdio: ['ignore', log, log] })
    if (child.pid) writeFileSync(path.join(folder, 'dockerd.pid'), String(child.pid))
    child.unref()
  }
  for (let i = 0; i < 80; i++) {
    if (answers()) {
      process.stdout.write('started\n')
      return true
    }
    await new Promise((r) => setTimeout(r, 250))
  }
  process.stdout.write('did not start\n')
  return false
}
