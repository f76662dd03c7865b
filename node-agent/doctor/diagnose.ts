// From what was found on a machine to what is wrong with it, and how to mend it. Pure.

/** What the doctor looked at. Absent is what could not be looked at. */
export interface Facts {
  root: boolean
  /** The identity, when the machine has joined. */
  node?: string
  server?: string
  /** The daemon's own word, and whether its process lives. */
  daemon?: { alive: boolean; connected: boolean; ready: boolean; message: string; version: string }
  /** systemd's word on kedge-node.service; undefined where systemd does not run. */
  unit?: string
  reach?: {
    host: string
    addresses: string[]
    dnsFault?: string
    /** Why no connection, or no TLS, came about. */
    fault?: string
    /** An error's code: ECONNREFUSED, CERT_HAS_EXPIRED … */
    code?: string
    status?: number
    /** This machine's clock less the server's, seconds. */
    skew?: number
  }
  /** Whether a full-size packet reaches these: by the interface's MTU, unfragmented. */
  paths: { to: string; ip: string; small: boolean; full: boolean; mtu: number }[]
  cgroup: { version: 1 | 2; missing: string[] }
  docker?: { fault?: string; version?: string; driver?: string; liveRestore?: boolean }
  cni: boolean
  nft: { installed: boolean; table: boolean; fault?: string }
  /** What serves ingresses; `fault` is what its last start failed of. */
  proxy: { installed: boolean; fault?: string }
  forwarding: boolean
  /** The FORWARD chain drops what no rule accepts, and whether ours is there. */
  forward?: { drops: boolean; ours: boolean }
  firewalls: string[]
  /** Routes that are not ours and lie over the pods' or services' range. */
  overlaps: string[]
  disk: { free: number; freeInodes: number }
  /** MB that are available. */
  memory: number
}

export interface Finding {
  check: string
  level: 'ok' | 'warning' | 'fault'
  what: string
  mend?: string
}

const MB = 1 << 20
const ok = (check: string, what: string): Finding => ({ check, level: 'ok', what })
const warning = (check: string, what: string, mend: string): Finding => ({ check, level: 'warning', what, mend })
const fault = (check: string, what: string, mend: string): Finding => ({ check, level: 'fault', what, mend })

function joined(f: Facts): Finding {
  if (f.node) return ok('identity', `node ${f.node} of ${f.server}`)
  const mend = 'kedge token create --join makes a token; give it to install.sh, or to kedge node join'
  return fault('identity', 'this machine has not joined a cluster', mend)
}

function daemon(f: Facts): Finding {
  const { daemon: d, unit } = f
  if (d?.alive) {
    if (d.connected && d.ready) return ok('daemon', `kedge ${d.version} is connected, the node is Ready`)
    if (d.connected) return fault('daemon', `the node is not Ready: ${d.message}`, 'mend what is said below; the daemon notices by itself')
    return fault('daemon', 'the daemon runs, but has no session', 'see `server` and `clock` below, and journalctl -u kedge-node')
  }
  if (unit === undefined) return fault('daemon', 'the daemon does not run', 'start it: kedge node')
  if (unit === 'not-found') return fault('daemon', 'the service is not installed', 'run install.sh')
  return fault('daemon', `the service is ${unit}`, 'systemctl restart kedge-node; journalctl -u kedge-node says why it ended')
}

function server(f: Facts): Finding[] {
  const { reach: r } = f
  if (!r) return []
  const dns = r.dnsFault
    ? fault(
        'dns',
        `${r.host} does not resolve: ${r.dnsFault}`,
        'look at the nameservers in /etc/resolv.conf, and whether port 53 is open to them',
      )
    : ok('dns', `${r.host} is ${r.addresses.join(', ')}`)
  if (r.dnsFault) return [dns]
  if (/^(CERT|ERR_TLS|DEPTH|SELF|UNABLE)/.test(r.code ?? '')) {
    const clock = /NOT_YET_VALID|EXPIRED/.test(r.code!) ? 'is the clock right? ' : ''
    return [
      dns,
      fault(
        'server',
        `${f.server} has a certificate that this machine does not trust: ${r.fault}`,
        `${clock}something in between may be opening TLS; else join again with a new token`,
      ),
    ]
  }
  if (r.fault) {
    const refused = r.code === 'ECONNREFUSED'
    const mend = refused
      ? 'is the control plane up, and is the port right?'
      : 'outgoing TCP to it must be open: look at firewalls and security groups'
    return [dns, fault('server', `${f.server} does not answer: ${r.fault}`, mend)]
  }
  const answers =
    (r.status ?? 0) < 500
      ? ok('server', `${f.server} answers`)
      : fault('server', `${f.server} answers ${r.status}`, 'the control plane has a fault of its own')
  if (r.skew === undefined) return [dns, answers]
  const off = Math.round(Math.abs(r.skew))
  const mend = 'timedatectl set-ntp true, or install chrony'
  const clock =
    off >= 60
      ? fault('clock', `this machine's clock is ${off} s ${r.skew > 0 ? 'ahead' : 'behind'}: its credentials are refused`, mend)
      : off >= 5
        ? warning('clock', `this machine's clock is ${off} s off`, mend)
        : ok('clock', 'right')
  return [dns, answers, clock]
}

function paths(f: Facts): Finding[] {
  return f.paths.flatMap((p) => {
    if (!p.small)
      return p.to === 'server'
        ? []
        : [
            warning(
              'peers',
              `${p.to} (${p.ip}) does not answer a ping`,
              'nodes must reach each other: open the traffic between them, pods included',
            ),
          ]
    if (p.full) return [ok('mtu', `packets of ${p.mtu} bytes reach ${p.to}`)]
    return [
      fault(
        'mtu',
        `small packets reach ${p.to} (${p.ip}), those of ${p.mtu} bytes do not: large answers will hang`,
        `give the interface the MTU that the line has (ip link set dev … mtu ${p.mtu - 50}), or let ICMP "fragmentation needed" through`,
      ),
    ]
  })
}

function runtime(f: Facts): Finding[] {
  const { docker: d } = f
  const out: Finding[] = []
  if (!d || d.fault) {
    const permission = /EACCES|permission/i.test(d?.fault ?? '')
    out.push(
      fault(
        'docker',
        `Docker does not answer${d?.fault ? `: ${d.fault}` : ''}`,
        permission ? 'run this as root' : 'systemctl restart docker; journalctl -u docker says more',
      ),
    )
  } else {
    const major = Number(d.version?.split('.')[0])
    if (major && major < 20) out.push(fault('docker', `Docker ${d.version} is too old`, '20.10 or newer is needed'))
    else out.push(ok('docker', `Docker ${d.version}`))
    if (d.driver === 'vfs')
      out.push(warning('docker', 'the storage driver is vfs: every container is a whole copy', 'put /var/lib/docker on ext4 or xfs'))
    if (d.liveRestore === false)
      out.push(
        warning('docker', 'containers end when Docker is restarted or upgraded', 'put "live-restore": true into /etc/docker/daemon.json'),
      )
  }
  out.push(f.cni ? ok('cni', 'the CNI plugins are there') : fault('cni', 'no CNI plugins', 'install containernetworking-plugins'))
  const { version, missing } = f.cgroup
  out.push(
    missing.length
      ? fault(
          'cgroup',
          `cgroup v${version} lacks ${missing.join(', ')}`,
          'start the kernel with cgroup_enable=memory and without cgroup_disable=',
        )
      : ok('cgroup', `v${version} with cpu, memory and pids`),
  )
  return out
}

function network(f: Facts): Finding[] {
  const out: Finding[] = []
  if (!f.nft.installed) out.push(fault('nftables', 'nft is not installed', 'install nftables'))
  else if (f.nft.fault) out.push(fault('nftables', `nft fails: ${f.nft.fault}`, 'the kernel needs nf_tables: modprobe nf_tables'))
  else if (!f.nft.table && f.daemon?.ready)
    out.push(fault('nftables', 'the service table is not there', 'something flushed it: the daemon makes it anew within 30 s'))
  else out.push(ok('nftables', f.nft.table ? 'the service table is there' : 'works'))
  if (!f.proxy.installed) out.push(warning('ingress', 'haproxy is not installed: this machine serves no ingresses', 'install haproxy'))
  else if (f.proxy.fault)
    out.push(
      fault('ingress', `the proxy does not start: ${f.proxy.fault}`, 'if another program has port 80 or 443, end it: ss -ltnp names it'),
    )
  else out.push(ok('ingress', 'haproxy is there'))
  out.push(
    f.forwarding
      ? ok('forwarding', 'on')
      : fault('forwarding', 'net.ipv4.ip_forward is 0: pods reach nothing', 'sysctl -w net.ipv4.ip_forward=1, and in /etc/sysctl.d'),
  )
  if (f.forward?.drops && !f.forward.ours && f.daemon?.alive)
    out.push(
      fault(
        'firewall',
        'the FORWARD chain drops, and the rule for pods is not there',
        'systemctl restart kedge-node puts it back; look for what reloads the firewall',
      ),
    )
  for (const name of f.firewalls)
    out.push(
      warning(
        'firewall',
        `${name} is active`,
        name === 'ufw'
          ? "let pods through: ufw default allow routed; ufw allow from the pods' range"
          : "put the pods' range into the trusted zone: firewall-cmd --permanent --zone=trusted --add-source=RANGE",
      ),
    )
  for (const route of f.overlaps)
    out.push(
      fault(
        'ranges',
        `a route of this machine lies over the cluster's ranges: ${route}`,
        'pods cannot reach it: give that network, or the cluster, another range',
      ),
    )
  return out
}

function room(f: Facts): Finding[] {
  const free = Math.floor(f.disk.free / MB)
  const disk =
    free < 500
      ? fault('disk', `${free} MB are free`, 'docker system prune, or a larger disk')
      : f.disk.freeInodes < 0.05
        ? fault('disk', 'less than 5 % of the inodes are free', 'look for folders with very many small files')
        : free < 2000
          ? warning('disk', `${free} MB are free`, 'docker system prune, or a larger disk')
          : ok('disk', `${free} MB are free`)
  const memory =
    f.memory < 100
      ? warning('memory', `${f.memory} MB are available`, 'fewer pods here, or more memory')
      : ok('memory', `${f.memory} MB are available`)
  return [disk, memory]
}

/** Everything that was looked at, in the order in which one fault explains another. */
export function diagnose(f: Facts): Finding[] {
  if (!f.root) return [fault('root', 'not everything can be seen', 'run this as root')]
  return [joined(f), daemon(f), ...server(f), ...paths(f), ...runtime(f), ...network(f), ...room(f)]
}

/** What must not leave the machine: bearer tokens, keys, passwords. */
export const redact = (text: string): string =>
  text
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, '[private key]')
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '[token]')
    .replace(/\b(bearer|basic)\s+\S+/gi, '$1 [redacted]')
    .replace(/((?:token|password|passwd|secret|api[-_]?key|authorization)["']?\s*[=:\s]\s*)["']?[^\s"',]{6,}["']?/gi, '$1[redacted]')
    .replace(/\/\/[^/\s:@]+:[^/\s@]+@/g, '//[redacted]@')
