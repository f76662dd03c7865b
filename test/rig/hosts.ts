// Test hosts: machines made of namespaces on this one. Each has its own network, mounts, processes and dockerd, joined by a bridge.
// They are cut off, slowed, killed and taken away again; what a crashed run left behind is cleared by the next.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { launcher } from '../../cli/processes.ts'

const SUBNET = '10.88.0'
/** Behind a router, which knows the machines on both sides and nothing of what runs on them. */
const FAR_SUBNET = '10.89.0'
const ROUTER = `${SUBNET}.254`
/** An address of IPv6 beside one of IPv4; the router knows nothing of them. */
const beside = (ip: string): string => ip.replace(/^10\.(\d+)\.0\./, 'fd00:$1::')
const LAN = 'kedge-lan'
const PREFIX = 'kedge-'
export const ROOT = path.join(tmpdir(), 'kedge-rig')

export const sh = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
export const quietly = (command: string): string => {
  try {
    return sh(command)
  } catch {
    return ''
  }
}
const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms))

/** Why the rig cannot be used here; undefined when it can. */
export function rigMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'test hosts need root'
  for (const [tool, pkg] of [
    ['dockerd', 'docker.io'],
    ['nft', 'nftables'],
    ['ip', 'iproute2'],
    ['kubectl', 'kubernetes-client'],
  ] as const)
    if (!quietly(`command -v ${tool}`)) return `test hosts need ${tool} (${pkg})`
  if (!existsSync('/usr/lib/cni/ptp')) return 'test hosts need containernetworking-plugins'
  return undefined
}

/** Waits for a condition by asking; fails with what the last answer was. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  timeout = 30_000,
): Promise<T> {
  let last: unknown
  for (const end = Date.now() + timeout; Date.now() < end; await sleep(100)) {
    try {
      const value = await ask()
      if (value !== undefined && value !== false) return value
      last = value
    } catch (cause) {
      last = (cause as Error).message
    }
  }
  throw new Error(`${what}: not within ${timeout / 1000} s (${String(last).slice(0, 500)})`)
}

/** The environment of a process whose clock libfaketime moves. */
export function fakeTime(): Record<string, string> {
  const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
  if (!library) throw new Error('another time needs faketime (Debian package of that name)')
  return { LD_PRELOAD: library, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
}

const INIT = `#!/bin/sh
# The first process of a test host.
hostname "$1"
mkdir -p "$2/cg"; mount --rbind /sys/fs/cgroup "$2/cg"
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount --move "$2/cg" /sys/fs/cgroup
for d in /var/lib/kubelet /etc/cni /etc/docker /var/lib/cni /var/lib/containerd /var/lib/docker; do mkdir -p $d; done
mount --bind "$2/run" /run
mount --bind "$2/docker" /var/lib/docker
mount --bind "$2/containerd" /var/lib/containerd
mount --bind "$2/cni" /var/lib/cni
mount --bind "$2/log" /var/log
mount --bind "$2/kubelet" /var/lib/kubelet
# As systemd leaves all of a machine's: what a driver of volumes mounts in its container is seen outside of it.
mount --make-shared /var/lib/kubelet
mkdir -p /run/netns /run/lock
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready > /run/ready
trap 'exit 0' TERM
while :; do sleep 3600 & wait $!; done
`

/** Ends everything that an earlier run left: processes in the hosts' namespaces, networks, cgroups, folders. */
function clearRig(): void {
  for (const ns of quietly('ip netns list')
    .split('\n')
    .map((l) => l.split(' ')[0]!)
    .filter((n) => n.startsWith(PREFIX))) {
    for (const pid of quietly(`ip netns pids ${ns}`).split('\n').filter(Boolean)) quietly(`kill -9 ${pid}`)
    quietly(`ip netns del ${ns}`)
  }
  // Machines that were switched off took no leave of their cgroups.
  quietly(`find /sys/fs/cgroup -depth -type d -path '*/${PREFIX}h[0-9]*' -exec rmdir {} + 2>/dev/null`)
  if (!existsSync(ROOT)) return
  for (const m of readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((l) => l.split(' ')[1] ?? '')
    .filter((m) => m.startsWith(ROOT))
    .reverse())
    quietly(`umount -l ${m}`)
  rmSync(ROOT, { recursive: true, force: true })
}

/** A network namespace for a machine of this name, on the bridge of its address; the namespace's name. */
export function plugIn(name: string, ip: string): string {
  const ns = `${PREFIX}${name}`
  const far = ip.startsWith(`${FAR_SUBNET}.`)
  const out = `${far ? FAR_SUBNET : SUBNET}.1`
  const routes = [`default via ${out}`, `default via ${beside(out)}`, ...(far ? [] : [`${FAR_SUBNET}.0/24 via ${ROUTER}`])]
  sh(`ip netns add ${ns}; ip -n ${ns} link set lo up
    ip link add kv${name} netns ${LAN} type veth peer name eth0 netns ${ns}
    ip -n ${LAN} link set kv${name} master ${far ? 'kbr1' : 'kbr0'} up
    ip -n ${ns} addr add ${ip}/24 dev eth0; ip -n ${ns} addr add ${beside(ip)}/64 dev eth0 nodad; ip -n ${ns} link set eth0 up`)
  for (const route of routes) sh(`ip -n ${ns} route add ${route}`)
  return ns
}

/** The address of the n-th machine beyond the hosts. */
export const addressOf = (n: number): string => `${SUBNET}.${100 + n}`

export class Host {
  readonly name: string
  readonly ip: string
  readonly ip6: string
  readonly folder: string
  readonly #ns: string
  #init = 0
  #daemon?: ChildProcess
  #daemonArgs: string[] = []
  /** What its daemon says that others reach it by. */
  addresses?: string[]
  /** Of `kedge node`, whenever it starts. */
  flags: string[] = []
  /** A disk of its own, of this size. */
  readonly #disk?: string
  #clock = false

  constructor(n: number, { far = false, disk }: { far?: boolean; disk?: string } = {}) {
    this.name = `h${n}`
    if (disk) this.#disk = disk
    this.ip = `${far ? FAR_SUBNET : SUBNET}.${10 + n}`
    this.ip6 = beside(this.ip)
    this.#ns = `${PREFIX}${this.name}`
    this.folder = path.join(ROOT, this.name)
  }

  get docker(): string {
    return path.join(this.folder, 'run/docker.sock')
  }

  async start(): Promise<void> {
    if (this.#disk) {
      const image = `${this.folder}.img`
      mkdirSync(this.folder, { recursive: true })
      sh(`truncate -s ${this.#disk} ${image} && mkfs.ext4 -q -F -m 0 ${image} && mount -o loop ${image} ${this.folder}`)
    }
    for (const d of ['run', 'docker', 'containerd', 'cni', 'log', 'data', 'kubelet'])
      mkdirSync(path.join(this.folder, d), { recursive: true })
    const init = path.join(ROOT, 'init.sh')
    writeFileSync(init, INIT, { mode: 0o755 })
    plugIn(this.name, this.ip)
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${this.#ns}`,
        'unshare',
        '--mount',
        '--uts',
        '--ipc',
        '--pid',
        '--fork',
        '--propagation',
        'private',
        init,
        this.name,
        this.folder,
      ],
      { detached: true, stdio: 'ignore' },
    )
    child.unref()
    await eventually(`${this.name} boots`, () => existsSync(path.join(this.folder, 'run/ready')))
    this.#init = await eventually(`${this.name} has an init`, () => Number(quietly(`pgrep -P ${child.pid}`).trim()) || undefined)
    await this.startDocker()
  }

  /** The arguments of nsenter that run a command inside. */
  inside(command: string[]): string[] {
    return ['-t', String(this.#init), '-m', '-u', '-i', '-n', '-p', '--', ...command]
  }
  /** Runs a command inside; its output, or throws with its error text. */
  run(command: string): string {
    return execFileSync('nsenter', this.inside(['sh', '-c', command]), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }
  try(command: string): string {
    try {
      return this.run(command)
    } catch {
      return ''
    }
  }

  #spawn(command: string[], log: string, env: Record<string, string> = {}): ChildProcess {
    const child = spawn('sh', ['-c', 'exec nsenter "$@" >>"$LOG" 2>&1', 'sh', ...this.inside(command)], {
      stdio: 'ignore',
      env: { ...process.env, ...env, LOG: path.join(this.folder, log) },
    })
    return child
  }

  async startDocker(): Promise<void> {
    const flags = [
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
      '--ip-forward=false',
      '--ip-masq=false',
      '--userland-proxy=false',
      `--cgroup-parent=/kedge-${this.name}`,
      '--log-level=warn',
      // The rig's registry speaks no TLS.
      `--insecure-registry=${SUBNET}.0/24`,
      // Another name for what there is: classes may name it.
      '--add-runtime=other=runc',
    ]
    this.#spawn(['dockerd', ...flags], 'dockerd.log')
    await eventually(`dockerd on ${this.name}`, () => quietly(`curl -s -m 1 --unix-socket ${this.docker} http://d/_ping`) === 'OK')
  }

  /** Ends dockerd and, with it, its containers. */
  async stopDocker(): Promise<void> {
    const pid = this.run('cat /run/docker.pid').trim()
    this.run(`kill ${pid}`)
    await eventually(`dockerd on ${this.name} ends`, () => this.try(`kill -0 ${pid} && echo there`) === '')
  }

  /** kill -9 of dockerd and of its containerd; containers run on until it is started again. */
  async killDocker(): Promise<void> {
    const pid = this.run('cat /run/docker.pid').trim()
    this.try(`kill -9 ${pid}; pkill -9 -x containerd`)
    await eventually(`dockerd on ${this.name} is gone`, () => this.try(`kill -0 ${pid} && echo there`) === '')
    this.try('rm -f /run/docker.pid /run/docker/containerd/containerd.pid')
  }

  loadImages(tar: string): void {
    sh(`DOCKER_HOST=unix://${this.docker} docker load -q -i ${tar}`)
  }

  /** Starts (or starts again) the node daemon, with flags that hold this time; the token is needed once. */
  startDaemon(server?: string, token?: string, env: Record<string, string> = {}, flags: string[] = [], program = launcher): void {
    if (server)
      this.#daemonArgs = [
        '--server',
        server,
        '--name',
        this.name,
        '--node-ip',
        (this.addresses ?? [this.ip]).join(),
        '--data',
        path.join(this.folder, 'data'),
        '--docker-socket',
        '/run/docker.sock',
        // How full this machine is, is none of the tests' business.
        '--eviction-hard=',
        '--cgroup-root',
        `/kedge-${this.name}`,
        ...(token ? ['--token', token] : []),
      ]
    this.#daemon = this.#spawn([program, 'node', ...this.#daemonArgs, ...this.flags, ...flags], 'node.log', { ...this.#clockEnv(), ...env })
  }

  /** From its daemon's next start on, what its clock says can be changed. */
  ownClock(): void {
    this.#clock = true
    this.setClock(0)
  }
  /** Its daemon's clock is off by so many seconds from now on. */
  setClock(seconds: number): void {
    writeFileSync(this.#clockFile, `${seconds < 0 ? '' : '+'}${seconds}\n`)
  }
  get #clockFile(): string {
    return path.join(ROOT, `${this.name}.clock`)
  }
  #clockEnv = (): Record<string, string> =>
    this.#clock ? { ...fakeTime(), FAKETIME_TIMESTAMP_FILE: this.#clockFile, FAKETIME_CACHE_DURATION: '1' } : {}

  /** Leaves nothing free on its own disk. */
  fillDisk(): void {
    this.try(
      `dd if=/dev/zero of=${this.folder}/filler bs=1M 2>/dev/null; dd if=/dev/zero of=${this.folder}/filler.rest bs=1 2>/dev/null count=100000`,
    )
  }
  freeDisk(): void {
    this.try(`rm -f ${this.folder}/filler ${this.folder}/filler.rest`)
  }

  /** kill -9 of the daemon; the host and its containers go on. */
  killDaemon(): void {
    quietly(`pkill -9 -P ${this.#daemon?.pid ?? 0}`)
    for (const pid of quietly(`pgrep -f 'main.ts node .*--name ${this.name} '`).split('\n').filter(Boolean)) quietly(`kill -9 ${pid}`)
  }

  /** Pulls the network cable. */
  cut(): void {
    sh(`ip -n ${LAN} link set kv${this.name} down`)
  }
  /** A thin line in both directions: `rate` as tc writes it, `256kbit`. Undefined makes it wide again. */
  slow(rate: string | undefined): void {
    for (const [ns, device] of [
      [LAN, `kv${this.name}`],
      [this.#ns, 'eth0'],
    ] as const) {
      quietly(`tc -n ${ns} qdisc del dev ${device} root`)
      if (rate) sh(`tc -n ${ns} qdisc add dev ${device} root tbf rate ${rate} burst 16kb latency 800ms`)
    }
  }
  mend(): void {
    sh(`ip -n ${LAN} link set kv${this.name} up`)
  }

  containers(filter = ''): string[] {
    return sh(`DOCKER_HOST=unix://${this.docker} docker ps -q --no-trunc ${filter}`).trim().split('\n').filter(Boolean).sort()
  }

  log(name: 'node.log' | 'dockerd.log'): string {
    const file = path.join(this.folder, name)
    return existsSync(file) ? readFileSync(file, 'utf8').slice(-6000) : ''
  }
}

/** The bridge, its hosts, and this side's address on it. */
export class Rig {
  readonly hosts: Host[] = []
  readonly address = `${SUBNET}.1`

  /**
   * The last `far` of the hosts stand behind a router, which nobody reaches them through where they are `hidden`: it translates their addresses. `disk` is the
   * size of the disk that each has, where not all share this machine's.
   */
  static async start(count: number, { far = 0, hidden, disk }: { far?: number; hidden?: true; disk?: string } = {}): Promise<Rig> {
    clearRig()
    mkdirSync(ROOT, { recursive: true })
    const rig = new Rig()
    // The bridge has a namespace of its own: in this one Docker's forward policy would drop what crosses it.
    sh(`ip netns add ${LAN}; ip -n ${LAN} link set lo up; ip -n ${LAN} link add kbr0 type bridge; ip -n ${LAN} link set kbr0 up
      ip -n ${LAN} link add kbr1 type bridge; ip -n ${LAN} link set kbr1 up
      ip -n ${LAN} addr add ${ROUTER}/24 dev kbr0; ip -n ${LAN} addr add ${FAR_SUBNET}.1/24 dev kbr1
      ip netns exec ${LAN} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
      ip link del kedge-up 2>/dev/null || true
      ip link add kedge-up type veth peer name kv0 netns ${LAN}; ip -n ${LAN} link set kv0 master kbr0 up
      ip addr add ${SUBNET}.1/24 dev kedge-up; ip addr add ${beside(`${SUBNET}.1`)}/64 dev kedge-up nodad; ip link set kedge-up up
      ip route replace ${FAR_SUBNET}.0/24 via ${ROUTER}`)
    if (hidden)
      sh(`ip netns exec ${LAN} nft 'table ip hide {
        chain out { type nat hook postrouting priority srcnat; ip saddr ${FAR_SUBNET}.0/24 oifname kbr0 masquerade; }
        chain in { type filter hook forward priority filter; iifname kbr0 oifname kbr1 ct state new drop; }
      }'`)
    for (let n = 1; n <= count; n++) {
      const host = new Host(n, { far: n > count - far, ...(disk ? { disk } : {}) })
      rig.hosts.push(host)
      await host.start()
    }
    return rig
  }

  stop(): void {
    quietly('ip link del kedge-up')
    clearRig()
  }
}
