// Which names the cluster has, and what they say.
import { beforeEach, expect, test } from 'vitest'
import { ClusterZone } from './zone.ts'

const service = (name: string, spec: object, namespace = 'default') => ({ metadata: { name, namespace }, spec: { ports: [], ...spec } })
const http = [{ name: 'http', port: 80, protocol: 'TCP' }]
const slice = (of: string, endpoints: object[], ports: object[] = http, name = `${of}-1`) => ({
  metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': of } },
  endpoints,
  ports,
})
const endpoint = (address: string, more: object = {}) => ({ addresses: [address], conditions: { ready: true }, ...more })

let zone: ClusterZone
beforeEach(() => {
  zone = new ClusterZone('cluster.local', ['10.96.0.0/12', '10.244.0.0/16', 'fd00::/64'])
  const dual = { clusterIP: '10.96.1.1', clusterIPs: ['10.96.1.1', 'fd00::1'] }
  zone.service(undefined, service('web', { ...dual, ports: [...http, { name: 'dns', port: 53, protocol: 'UDP' }] }))
  zone.slice(undefined, slice('web', [endpoint('10.244.0.9')]))
  zone.service(undefined, service('db', { clusterIP: 'None' }))
  zone.slice(
    undefined,
    slice('db', [
      endpoint('10.244.0.1', { hostname: 'db-0' }),
      endpoint('10.244.0.2', { hostname: 'db-1' }),
      endpoint('10.244.0.3'),
      endpoint('10.244.0.4', { hostname: 'db-2', conditions: { ready: false } }),
    ]),
  )
  zone.service(undefined, service('out', { type: 'ExternalName', externalName: 'Example.COM' }))
  zone.service(undefined, service('nobody', { clusterIP: 'None' }))
})

const said = (name: string, type: string) => {
  const r = zone.resolve(name, type)
  if (!r) return 'not ours'
  if (!r.exists) return 'no such name'
  if (r.alias) return `as ${r.alias}`
  const of = (a: any) => (a.type === 'SRV' ? `${a.data.port} ${a.data.target}` : `${a.data}`)
  return r.answers.map(of).sort().join(', ')
}

const svc = 'default.svc.cluster.local'
test.each([
  [`web.${svc}`, 'A', '10.96.1.1'],
  [`web.${svc}`, 'AAAA', 'fd00::1'],
  [`web.${svc}`, 'MX', ''],
  [`web.${svc}`, 'SRV', `53 web.${svc}, 80 web.${svc}`],
  [`_http._tcp.web.${svc}`, 'SRV', `80 web.${svc}`],
  [`_dns._udp.web.${svc}`, 'SRV', `53 web.${svc}`],
  [`_dns._tcp.web.${svc}`, 'SRV', 'no such name'],
  [`_tcp.web.${svc}`, 'SRV', ''],
  [`_http._tcp.web.${svc}`, 'A', ''],
  [`10-244-0-9.web.${svc}`, 'A', '10.244.0.9'],
  [`db.${svc}`, 'A', '10.244.0.1, 10.244.0.2, 10.244.0.3'],
  [`db.${svc}`, 'AAAA', ''],
  [`db-0.db.${svc}`, 'A', '10.244.0.1'],
  [`db-2.db.${svc}`, 'A', 'no such name'],
  [`10-244-0-3.db.${svc}`, 'A', '10.244.0.3'],
  [`_http._tcp.db.${svc}`, 'SRV', `80 10-244-0-3.db.${svc}, 80 db-0.db.${svc}, 80 db-1.db.${svc}`],
  [`db-0.db.${svc}`, 'SRV', `80 db-0.db.${svc}`],
  [`a.b.c.db.${svc}`, 'A', 'no such name'],
  [`out.${svc}`, 'A', 'as example.com'],
  [`out.${svc}`, 'CNAME', 'as example.com'],
  [`nobody.${svc}`, 'A', 'no such name'],
  [`nothing.${svc}`, 'A', 'no such name'],
  [svc, 'A', ''],
  ['empty.svc.cluster.local', 'A', 'no such name'],
  ['svc.cluster.local', 'A', ''],
  ['cluster.local', 'A', ''],
  ['other.cluster.local', 'A', 'no such name'],
  ['dns-version.cluster.local', 'TXT', '1.1.0'],
  ['10-244-3-7.default.pod.cluster.local', 'A', '10.244.3.7'],
  ['10-244-3-7.default.pod.cluster.local', 'AAAA', ''],
  ['fd00--7.default.pod.cluster.local', 'AAAA', 'fd00::7'],
  ['web.default.pod.cluster.local', 'A', 'no such name'],
  ['1.1.96.10.in-addr.arpa', 'PTR', `web.${svc}`],
  ['1.0.244.10.in-addr.arpa', 'PTR', `db-0.db.${svc}`],
  ['3.0.244.10.in-addr.arpa', 'PTR', 'no such name'],
  [`1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'PTR', `web.${svc}`],
  ['8.8.8.8.in-addr.arpa', 'PTR', 'not ours'],
  ['example.com', 'A', 'not ours'],
  ['notcluster.local', 'A', 'not ours'],
])('%s %s', (name, type, want) => {
  expect(said(name, type)).toBe(want)
})

test('it follows what comes and goes', () => {
  const old = slice('db', [endpoint('10.244.0.1', { hostname: 'db-0' })], http, 'db-2')
  zone.slice(undefined, old)
  const now = slice('db', [endpoint('10.244.0.8', { hostname: 'db-8' })], http, 'db-2')
  zone.slice(old, now)
  expect(said(`db-8.db.${svc}`, 'A')).toBe('10.244.0.8')
  expect(said('8.0.244.10.in-addr.arpa', 'PTR')).toBe(`db-8.db.${svc}`)
  zone.slice(now, undefined)
  expect(said(`db-8.db.${svc}`, 'A')).toBe('no such name')
  expect(said('8.0.244.10.in-addr.arpa', 'PTR')).toBe('no such name')
  const web = service('web', { clusterIP: '10.96.1.1', clusterIPs: ['10.96.1.1', 'fd00::1'] })
  zone.service(web, undefined)
  expect(said(`web.${svc}`, 'A')).toBe('no such name')
  expect(said('1.1.96.10.in-addr.arpa', 'PTR')).toBe('no such name')
})

test('targets come with their addresses', () => {
  expect(zone.resolve(`_http._tcp.db.${svc}`, 'SRV')!.additionals.map((a: any) => a.data)).toEqual([
    '10.244.0.1',
    '10.244.0.2',
    '10.244.0.3',
  ])
  expect(zone.resolve(`_http._tcp.web.${svc}`, 'SRV')!.additionals.map((a: any) => a.data)).toEqual(['10.96.1.1', 'fd00::1'])
})
