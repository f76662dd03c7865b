// The server on the wire, with another one of it as the resolver behind.
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { connect } from 'node:net'
import { type DecodedPacket as Decoded, decode, encode, type Packet, type RecordType } from 'dns-packet'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Forwarder, framed } from './forwarder.ts'
import { DnsServer } from './server.ts'
import { ClusterZone } from './zone.ts'

/** The types leave out the code. */
type DecodedPacket = Decoded & { rcode?: string }

const HOST = '127.0.0.1'
const quiet = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} } as never

const service = (name: string, spec: object) => ({ metadata: { name, namespace: 'default' }, spec: { ports: [], ...spec } })
const headless = (name: string, addresses: string[]) => ({
  metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  endpoints: addresses.map((a) => ({ addresses: [a], conditions: { ready: true } })),
  ports: [],
})

/** Says of every name what is in the table; counts. */
async function upstream(answers: Record<string, Packet['answers']>) {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (m, from) => {
    const q = decode(m)
    const name = q.questions![0]!.name.toLowerCase()
    asked.push(name)
    if (name === 'silent.test') return
    const found = answers[name]
    const soa = { mname: 'ns.test', rname: 'h.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 2 }
    socket.send(
      encode({
        type: 'response',
        id: q.id,
        flags: found ? 0x80 : 0x83,
        questions: q.questions,
        answers: found ?? [],
        authorities: found ? [] : [{ type: 'SOA', name: 'test', ttl: 60, data: soa }],
      }),
      from.port,
      from.address,
    )
  })
  await new Promise<void>((r) => socket.bind(0, HOST, r))
  return { asked, at: `${HOST}:${socket.address().port}`, close: () => socket.close() }
}

let zone: ClusterZone
let server: DnsServer
let port: number
let behind: Awaited<ReturnType<typeof upstream>>
let stub: Awaited<ReturnType<typeof upstream>>
let ready = true
const many = Array.from({ length: 100 }, (_, i) => `10.244.1.${i + 1}`)

beforeEach(async () => {
  ready = true
  behind = await upstream({
    'example.test': [{ type: 'A', name: 'example.test', ttl: 60, data: '192.0.2.1' }],
    'brief.test': [{ type: 'A', name: 'brief.test', ttl: 0, data: '192.0.2.2' }],
  })
  stub = await upstream({ 'host.corp.test': [{ type: 'A', name: 'host.corp.test', ttl: 60, data: '192.0.2.3' }] })
  zone = new ClusterZone('cluster.local', ['10.96.0.0/12'])
  zone.service(undefined, service('web', { clusterIP: '10.96.1.1' }))
  zone.service(undefined, service('out', { type: 'ExternalName', externalName: 'example.test' }))
  zone.service(undefined, service('in', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }))
  zone.service(undefined, service('many', { clusterIP: 'None' }))
  zone.slice(undefined, headless('many', many))
  const forwarder = new Forwarder(() => ({ servers: [behind.at], stubs: new Map([['corp.test', [stub.at]]]) }))
  server = new DnsServer(zone, forwarder, quiet, () => ready)
  // Both transports have one number: it is asked for until both have it.
  for (port = 20_000 + (process.pid % 10_000); ; port++) {
    try {
      await server.listen(HOST, port)
      break
    } catch {
      await server.close()
    }
  }
})
afterEach(async () => {
  await server.close()
  behind.close()
  stub.close()
})

/** One datagram there, one back. */
function byUdp(name: string, type: RecordType | 'ANY', more: Partial<Packet> = {}): Promise<DecodedPacket> {
  return raw(encode({ type: 'query', id: 77, flags: 0x100, questions: [{ name, type: type as RecordType }], ...more }))
}
function raw(message: Buffer): Promise<DecodedPacket> {
  const socket = createSocket('udp4')
  return new Promise((resolve) => {
    socket.on('message', (m) => {
      socket.close()
      resolve(decode(m))
    })
    socket.send(message, port, HOST)
  })
}
function byTcp(messages: Buffer[]): Promise<DecodedPacket[]> {
  const socket = connect({ host: HOST, port })
  return new Promise((resolve) => {
    let received = Buffer.alloc(0)
    const out: DecodedPacket[] = []
    socket.on('data', (d) => {
      received = Buffer.concat([received, d])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        out.push(decode(received.subarray(2, 2 + received.readUInt16BE(0))))
        received = received.subarray(2 + received.readUInt16BE(0))
      }
      if (out.length === messages.length) {
        socket.destroy()
        resolve(out)
      }
    })
    // All at once, and in two pieces.
    const all = Buffer.concat(messages.map(framed))
    socket.write(all.subarray(0, 5), () => socket.write(all.subarray(5)))
  })
}
const data = (p: DecodedPacket) => p.answers!.map((a: any) => a.data)
const EDNS = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as never

test('resolvers of others understand it', async () => {
  const resolver = new Resolver()
  resolver.setServers([`${HOST}:${port}`])
  expect(await resolver.resolve4('web.default.svc.cluster.local')).toEqual(['10.96.1.1'])
  expect(await resolver.resolve4('out.default.svc.cluster.local')).toEqual(['192.0.2.1'])
  expect(await resolver.resolve4('in.default.svc.cluster.local')).toEqual(['10.96.1.1'])
  expect(await resolver.resolve4('example.test')).toEqual(['192.0.2.1'])
  expect((await resolver.resolve4('many.default.svc.cluster.local')).sort()).toEqual(many.toSorted())
  await expect(resolver.resolve4('nothing.default.svc.cluster.local')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  await expect(resolver.resolve6('web.default.svc.cluster.local')).rejects.toMatchObject({ code: 'ENODATA' })
})

test('the number and the letters of the question come back, known or not', async () => {
  for (const id of [1, 2, 3]) {
    const answer = await byUdp('Web.default.SVC.cluster.local', 'A', { id })
    expect([answer.id, answer.questions![0]!.name, answer.answers![0]!.name]).toEqual([
      id,
      'Web.default.SVC.cluster.local',
      'Web.default.SVC.cluster.local',
    ])
    expect([answer.flag_aa, answer.flag_ra, answer.rcode]).toEqual([true, true, 'NOERROR'])
  }
  expect(server.counters.known).toBe(2)
})

test('a change is told at once', async () => {
  expect(data(await byUdp('web.default.svc.cluster.local', 'A'))).toEqual(['10.96.1.1'])
  zone.service(service('web', { clusterIP: '10.96.1.1' }), service('web', { clusterIP: '10.96.1.9' }))
  server.changed()
  expect(data(await byUdp('web.default.svc.cluster.local', 'A'))).toEqual(['10.96.1.9'])
})

test('what is too long for a datagram is cut, and told whole over TCP', async () => {
  const short = await byUdp('many.default.svc.cluster.local', 'A')
  expect(short.flag_tc).toBe(true)
  expect(short.answers!.length).toBeGreaterThan(20)
  const long = await byUdp('many.default.svc.cluster.local', 'A', { additionals: [EDNS] })
  expect([long.flag_tc, long.answers!.length, long.additionals!.map((a) => a.type)]).toEqual([false, 100, ['OPT']])
  const query = (id: number) =>
    encode({ type: 'query', id, flags: 0x100, questions: [{ name: 'many.default.svc.cluster.local', type: 'A' }] })
  const answers = await byTcp([query(1), query(2)])
  expect(answers.map((a) => [a.id, a.answers!.length])).toEqual([
    [1, 100],
    [2, 100],
  ])
})

test('addresses take turns at being the first', async () => {
  const first = new Set<string>()
  for (let i = 0; i < 8; i++) first.add(data(await byUdp('many.default.svc.cluster.local', 'A'))[0])
  expect(first.size).toBe(8)
})

test('that there is nothing may be remembered for a while', async () => {
  const answer = await byUdp('nothing.default.svc.cluster.local', 'A')
  expect([answer.rcode, answer.authorities!.map((a) => a.type)]).toEqual(['NXDOMAIN', ['SOA']])
})

test('what was asked for outside is kept as long as it says', async () => {
  for (let i = 0; i < 3; i++) await byUdp('example.test', 'A')
  expect(behind.asked).toEqual(['example.test'])
  for (let i = 0; i < 2; i++) await byUdp('brief.test', 'A')
  expect(behind.asked).toEqual(['example.test', 'brief.test', 'brief.test'])
  for (let i = 0; i < 2; i++) expect((await byUdp('none.test', 'A')).rcode).toBe('NXDOMAIN')
  expect(behind.asked.filter((n) => n === 'none.test')).toHaveLength(1)
})

test('the same question by many is asked once', async () => {
  await Promise.all(Array.from({ length: 20 }, () => byUdp('example.test', 'A')))
  expect(behind.asked).toEqual(['example.test'])
})

test('a domain may have a resolver of its own', async () => {
  expect(data(await byUdp('host.corp.test', 'A'))).toEqual(['192.0.2.3'])
  expect([behind.asked, stub.asked]).toEqual([[], ['host.corp.test']])
})

test('a resolver that is silent is no end of it', async () => {
  const answer = await byUdp('silent.test', 'A')
  expect([answer.rcode, behind.asked.length]).toEqual(['SERVFAIL', 2])
})

test('before everything is known, nobody is told that there is nothing', async () => {
  ready = false
  expect((await byUdp('nothing.default.svc.cluster.local', 'A')).rcode).toBe('SERVFAIL')
  ready = true
  expect((await byUdp('nothing.default.svc.cluster.local', 'A')).rcode).toBe('NXDOMAIN')
})

test.each([
  ['no question', encode({ type: 'query', id: 5, questions: [] }), 'FORMERR'],
  ['a name that is cut off', Buffer.from([0, 5, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 97]), 'FORMERR'],
  ['another operation', Buffer.from([0, 5, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 'NOTIMP'],
  ['another class', encode({ type: 'query', id: 5, questions: [{ name: 'version.bind', type: 'TXT', class: 'CH' }] }), 'REFUSED'],
])('%s is answered with an error', async (_, message, code) => {
  const answer = await raw(message)
  expect([answer.id, answer.rcode]).toEqual([5, code])
})
