// Every fault that the doctor knows, one at a time, on a machine that is well otherwise.
import { describe, expect, test } from 'vitest'
import { diagnose, type Facts, redact } from './diagnose.ts'
import { overlapping } from './facts.ts'

const well: Facts = {
  root: true,
  node: 'h1',
  server: 'https://kedge.example.com/clusters/prod',
  daemon: { alive: true, connected: true, ready: true, message: '', version: '0.1.0' },
  unit: 'active',
  reach: { host: 'kedge.example.com', addresses: ['192.0.2.1'], status: 200, skew: 0.4 },
  paths: [{ to: 'server', ip: '192.0.2.1', small: true, full: true, mtu: 1500 }],
  cgroup: { version: 2, missing: [] },
  docker: { version: '28.2.2', driver: 'overlay2', liveRestore: true },
  cni: true,
  nft: { installed: true, table: true },
  proxy: { installed: true },
  forwarding: true,
  forward: { drops: true, ours: true },
  firewalls: [],
  overlaps: [],
  disk: { free: 50e9, freeInodes: 0.9 },
  memory: 2000,
}

test('a healthy machine has nothing but ok', () => {
  expect(diagnose(well).filter((f) => f.level !== 'ok')).toEqual([])
})

const reach = (r: object) => ({ reach: { ...well.reach!, ...r } })
const cases: [name: string, change: Partial<Facts>, check: string, level: string, mend: RegExp][] = [
  ['not root', { root: false }, 'root', 'fault', /as root/],
  ['not joined', { node: undefined, server: undefined, reach: undefined }, 'identity', 'fault', /token create --join/],
  ['daemon dead', { daemon: { ...well.daemon!, alive: false }, unit: 'failed' }, 'daemon', 'fault', /journalctl/],
  ['service not there', { daemon: undefined, unit: 'not-found' }, 'daemon', 'fault', /install\.sh/],
  ['no session', { daemon: { ...well.daemon!, connected: false } }, 'daemon', 'fault', /server/],
  ['node not Ready', { daemon: { ...well.daemon!, ready: false, message: 'no CNI' } }, 'daemon', 'fault', /below/],
  ['no DNS', reach({ addresses: [], dnsFault: 'ENOTFOUND' }), 'dns', 'fault', /resolv\.conf/],
  ['server refuses', reach({ fault: 'connect ECONNREFUSED', code: 'ECONNREFUSED' }), 'server', 'fault', /control plane up/],
  ['server silent', reach({ fault: 'no answer in 8 s', code: 'ETIMEDOUT' }), 'server', 'fault', /firewalls/],
  ['another certificate', reach({ fault: 'self-signed', code: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'server', 'fault', /in between/],
  ['certificate from the future', reach({ fault: 'not yet valid', code: 'CERT_NOT_YET_VALID' }), 'server', 'fault', /clock/],
  ['server broken', reach({ status: 503 }), 'server', 'fault', /its own/],
  ['clock far off', reach({ skew: -300 }), 'clock', 'fault', /ntp/],
  ['clock a little off', reach({ skew: 8 }), 'clock', 'warning', /ntp/],
  [
    'path with a smaller MTU',
    { paths: [{ to: 'server', ip: '192.0.2.1', small: true, full: false, mtu: 1500 }] },
    'mtu',
    'fault',
    /mtu 1450/,
  ],
  [
    'a peer that is silent',
    { paths: [{ to: 'h2', ip: '192.0.2.2', small: false, full: false, mtu: 1500 }] },
    'peers',
    'warning',
    /between/,
  ],
  ['Docker away', { docker: { fault: 'connect ENOENT' } }, 'docker', 'fault', /restart docker/],
  ['Docker forbidden', { docker: { fault: 'connect EACCES' } }, 'docker', 'fault', /root/],
  ['Docker old', { docker: { version: '19.3.1' } }, 'docker', 'fault', /20\.10/],
  ['Docker on vfs', { docker: { ...well.docker, driver: 'vfs' } }, 'docker', 'warning', /ext4/],
  ['Docker ends containers', { docker: { ...well.docker, liveRestore: false } }, 'docker', 'warning', /live-restore/],
  ['no CNI', { cni: false }, 'cni', 'fault', /containernetworking-plugins/],
  ['no memory controller', { cgroup: { version: 1, missing: ['memory'] } }, 'cgroup', 'fault', /cgroup_enable/],
  ['no nft', { nft: { installed: false, table: false } }, 'nftables', 'fault', /install nftables/],
  ['table flushed', { nft: { installed: true, table: false } }, 'nftables', 'fault', /makes it anew/],
  ['no haproxy', { proxy: { installed: false } }, 'ingress', 'warning', /install haproxy/],
  ['port 80 taken', { proxy: { installed: true, fault: 'cannot bind socket [:::80]' } }, 'ingress', 'fault', /port 80/],
  ['no forwarding', { forwarding: false }, 'forwarding', 'fault', /ip_forward=1/],
  ['rule for pods gone', { forward: { drops: true, ours: false } }, 'firewall', 'fault', /puts it back/],
  ['ufw', { firewalls: ['ufw'] }, 'firewall', 'warning', /ufw/],
  ['firewalld', { firewalls: ['firewalld'] }, 'firewall', 'warning', /trusted/],
  ['ranges overlap', { overlaps: ['10.96.0.0/12 dev tun0'] }, 'ranges', 'fault', /another range/],
  ['disk full', { disk: { free: 100e6, freeInodes: 0.9 } }, 'disk', 'fault', /prune/],
  ['no inodes', { disk: { free: 50e9, freeInodes: 0.01 } }, 'disk', 'fault', /small files/],
  ['little memory', { memory: 50 }, 'memory', 'warning', /memory/],
]
test.each(cases)('%s', (_name, change, check, level, mend) => {
  const found = diagnose({ ...well, ...change }).filter((f) => f.level !== 'ok')
  expect(found).toHaveLength(1)
  expect(found[0]).toMatchObject({ check, level })
  expect(found[0]!.mend).toMatch(mend)
})

describe('redact', () => {
  test.each([
    ['authorization: Bearer abc.def-ghi', 'abc.def-ghi'],
    ['token=s3cr3tvalue next', 's3cr3tvalue'],
    ['{"password": "hunter22"}', 'hunter22'],
    ['--token 0123456789abcdef.aa.prod', '0123456789abcdef'],
    ['got eyJhbGciOi.eyJzdWIi.sig here', 'eyJhbGciOi'],
    ['https://user:pass1234@registry.example.com/x', 'pass1234'],
    ['-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----', 'MIGH'],
  ])('%s', (text, secret) => {
    expect(redact(text)).not.toContain(secret)
  })
  test('leaves the rest alone', () => {
    expect(redact('node h1 is Ready; 10.0.0.1:6443')).toBe('node h1 is Ready; 10.0.0.1:6443')
  })
})

test('routes over the ranges', () => {
  const routes = [
    'default via 10.0.0.1 dev eth0',
    '10.244.3.0/24 via 10.0.0.7 dev eth0 proto 107',
    '10.244.0.5 dev veth12 scope link',
    '10.0.0.0/8 dev tun0',
    '192.168.0.0/16 dev eth1',
  ]
  expect(overlapping(routes.join('\n'), ['10.244.0.0/16', '10.96.0.0/16'])).toEqual(['10.0.0.0/8 dev tun0'])
})
