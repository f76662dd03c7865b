// Machines as users have them: a fresh Debian with systemd as its first process, made of namespaces, with nothing of Kedge or Docker on it.
// The base is made once by debootstrap and kept; a machine is an overlay over it. Its packages come from the base's cache, as from a mirror near by.

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { addressOf, eventually, plugIn, quietly, ROOT, sh } from './hosts.ts'

/** What a small cloud image of Debian has. */
const BASE = ['systemd', 'systemd-sysv', 'dbus', 'curl', 'ca-certificates', 'iproute2', 'procps', 'kmod', 'iputils-ping', 'netbase']
/** What the installer will ask the package manager for. */
const LATER = ['docker.io', 'containernetworking-plugins', 'nftables', 'iptables', 'conntrack', 'apparmor', 'haproxy']
const V1 = ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids']
const unified = existsSync('/sys/fs/cgroup/cgroup.controllers')

/** The base's folder; made at the first call on a machine, in about a minute. */
function base(): string {
  const suite = /^VERSION_CODENAME=(\S+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable'
  const key = createHash('sha256')
    .update(JSON.stringify([suite, BASE, LATER]))
    .digest('hex')
    .slice(0, 12)
  const folder = path.join(tmpdir(), `kedge-vm-base-${key}`)
  if (existsSync(folder)) return folder
  const part = `${folder}.part`
  rmSync(part, { recursive: true, force: true })
  sh(`debootstrap --variant=minbase --include=${BASE.join(',')} ${suite} ${part} >/dev/null 2>&1 || { tail -5 ${part}/debootstrap/debootstrap.log; exit 1; }
    cp /etc/resolv.conf ${part}/etc/resolv.conf
    chroot ${part} apt-get update -qq
    DEBIAN_FRONTEND=noninteractive chroot ${part} apt-get install -y -qq --no-install-recommends --download-only ${LATER.join(' ')} >/dev/null`)
  // Without a mirror, apt goes by the lists and packages that it has.
  writeFileSync(path.join(part, 'etc/apt/apt.conf.d/99offline'), 'Acquire::Retries "0";\nAcquire::http::Timeout "1";\n')
  writeFileSync(path.join(part, 'etc/resolv.conf'), '')
  renameSync(part, folder)
  return folder
}

const INIT = `#!/bin/bash
# Becomes the first process of a machine: the overlay as root, devices, its own cgroups, then systemd.
root=$1 name=$2
mount --bind "$root" "$root"; cd "$root"
mkdir -p var/lib/docker var/lib/containerd oldroot
mount --bind "$root/../docker" var/lib/docker; mount --bind "$root/../containerd" var/lib/containerd
hostname "$name"; echo "$name" > etc/hostname; printf '127.0.0.1 localhost\\n127.0.1.1 %s\\n' "$name" > etc/hosts
mount -t proc proc proc; mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run; mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts; ln -s pts/ptmx dev/ptmx; mount -t tmpfs tmpfs dev/shm
while read -r n major minor; do mknod -m 666 "dev/$n" c "$major" "$minor"; done <<DEVICES
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
kmsg 1 11
DEVICES
ln -s /proc/self/fd dev/fd; ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr; : > dev/console
if [ "$3" = unified ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  for c in $4; do mkdir "sys/fs/cgroup/$c"; mount -t cgroup -o "$c" cgroup "sys/fs/cgroup/$c"; done
  mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd; mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
pivot_root . oldroot; cd /; umount -l /oldroot; rmdir /oldroot
exec env -i container=kedge-rig PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init --log-target=console >/run/boot.log 2>&1 </dev/null
`

export class Vm {
  readonly name: string
  readonly ip: string
  readonly #folder: string
  #ns = ''
  #init = 0

  private constructor(n: number) {
    this.name = `vm${n}`
    this.ip = addressOf(n)
    this.#folder = path.join(ROOT, this.name)
  }

  static async start(n: number): Promise<Vm> {
    const vm = new Vm(n)
    await vm.#boot(base())
    return vm
  }

  async #boot(lower: string): Promise<void> {
    const at = this.#at
    for (const d of ['upper', 'work', 'root', 'docker', 'containerd']) mkdirSync(at(d), { recursive: true })
    sh(`mount -t overlay overlay -o lowerdir=${lower},upperdir=${at('upper')},workdir=${at('work')} ${at('root')}`)
    writeFileSync(at('init.sh'), INIT, { mode: 0o755 })
    this.#ns = plugIn(this.name, this.ip)
    await this.switchOn()
  }

  readonly #at = (name: string) => path.join(this.#folder, name)

  /** Starts it, or starts it again after it went down. */
  async switchOn(): Promise<void> {
    const at = this.#at
    // A cgroup of its own: within it the machine's cgroup namespace has its root.
    const group = `kedge-${this.name}`
    const trees = unified ? [''] : [...V1, 'systemd', 'unified']
    const enter = trees.map((t) => {
      const d = path.join('/sys/fs/cgroup', t, group)
      const fill = t === 'cpuset' ? `for f in cpus mems; do cat ${d}/../cpuset.$f > ${d}/cpuset.$f; done;` : ''
      return `mkdir -p ${d}; ${fill} echo $$ > ${d}/cgroup.procs`
    })
    const start = [
      `exec nsenter --net=/run/netns/${this.#ns} unshare --mount --uts --ipc --pid --cgroup --fork --propagation private`,
      `${at('init.sh')} ${at('root')} ${this.name} ${unified ? 'unified' : 'v1'} '${V1.join(' ')}'`,
    ].join(' ')
    const child = spawn('sh', ['-c', `${enter.join('\n')}\n${start}`], { detached: true, stdio: 'ignore' })
    child.unref()
    this.#init = await eventually(`${this.name} has an init`, () => Number(quietly(`pgrep -P ${child.pid}`).trim()) || undefined)
    await eventually(`${this.name} boots`, () => /running|degraded/.test(this.try('systemctl is-system-running')), 60_000)
  }

  /** Asks it to go down, as whoever presses its button; resolves when it has. */
  async powerOff(): Promise<void> {
    this.run('systemctl poweroff --no-block')
    await eventually(`${this.name} is off`, () => !existsSync(`/proc/${this.#init}`), 90_000)
  }

  /** The words that run a command inside. */
  command(command: string): string[] {
    return ['nsenter', '-t', String(this.#init), '-m', '-u', '-i', '-n', '-p', '-C', '--', 'sh', '-c', command]
  }

  /** Runs a command inside; its output, or throws with what it said. */
  run(command: string, input?: string): string {
    const [file, ...args] = this.command(command)
    const stdin = input === undefined ? 'ignore' : openSync(input, 'r')
    try {
      return execFileSync(file!, args, { encoding: 'utf8', stdio: [stdin, 'pipe', 'pipe'], timeout: 300_000 })
    } finally {
      if (typeof stdin === 'number') closeSync(stdin)
    }
  }
  try(command: string): string {
    try {
      return this.run(command)
    } catch (cause) {
      return String((cause as { stdout?: string }).stdout ?? '')
    }
  }

  loadImages(tar: string): void {
    this.run('docker load -q', tar)
  }

  /** Ids and start times: what a restart would change. */
  containers(): string[] {
    return this.run('docker ps -q --no-trunc | xargs -r docker inspect -f "{{.Id}} {{.State.StartedAt}}"')
      .trim()
      .split('\n')
      .filter(Boolean)
      .sort()
  }

  journal(): string {
    return this.try('journalctl -u kedge-node --no-pager -n 60')
  }

  /** Ends it as a power cut would; the rig takes its folders away. */
  stop(): void {
    quietly(`kill -9 ${this.#init}`)
  }
}
