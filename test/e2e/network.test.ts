// The network as pods and hosts see it. Names: services on every host, members of stateful sets, aliases, other resolvers; right when something changes.
// Ports of hosts.
import { type ChildProcess, spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { addressOf, eventually, type Host, plugIn, quietly } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
const DNS = '10.96.0.10'
const CORP = 5391

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeName: h1
      terminationGracePeriodSeconds: 0
      containers:
      - {name: web, image: test/web:1, readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: web.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: member}
spec: {clusterIP: None, selector: {app: member}, ports: [{name: http, port: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: member}
spec:
  serviceName: member
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: member}}
  template:
    metadata: {labels: {app: member}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: test/web:1}]
`

const asker = (name: string, node: string, more = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  ${more}
  containers: [{name: c, image: test/busybox:1, command: [sleep, "3600"]}]
---`

const shaped = (name: string, annotations: string, command: string) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, annotations: {${annotations}}}
spec:
  nodeName: h1
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: test/busybox:1, command: [sh, -c, "${command}"]}]
`

const onPort = (name: string, node: string, more: string, port = 28_000) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers: [{name: web, image: test/web:1, ports: [{containerPort: 8080, hostPort: ${port}${more}}], readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}]
---`

/** Says who asks. */
const who = `
apiVersion: v1
kind: Pod
metadata: {name: who, labels: {app: who}}
spec:
  nodeName: h1
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: test/busybox:1
    command: [sh, -c, "mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' > /www/cgi-bin/who; chmod 755 /www/cgi-bin/who; httpd -f -p 8080 -h /www"]
    readinessProbe: {httpGet: {path: /cgi-bin/who, port: 8080}, periodSeconds: 1}
---
${['near', 'far', 'inner'].map((name) => whoService(name)).join('')}`

function whoService(name: string): string {
  const kinds: Record<string, string> = {
    near: 'type: NodePort, externalTrafficPolicy: Local',
    far: 'type: NodePort',
    inner: 'internalTrafficPolicy: Local',
  }
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {${kinds[name]}, selector: {app: who}, ports: [{port: 80, targetPort: 8080}]}
---`
}

/** Says its name to whoever asks; or asks ten times a second from one port, and prints what it hears. */
const datagrams = `
const [role, port, name] = process.argv.slice(1)
const socket = require('dgram').createSocket('udp4')
if (role === 'serve') {
  socket.on('message', (_, from) => socket.send(name, from.port, from.address))
  socket.bind(Number(port))
} else {
  socket.on('message', (m) => console.log(String(m)))
  socket.on('error', () => {})
  socket.bind(17000, () => setInterval(() => socket.send('?', Number(port), name), 100))
}
`

/** With and without affinity. */
const crew = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: crew}
spec:
  replicas: 2
  selector: {matchLabels: {app: crew}}
  template:
    metadata: {labels: {app: crew}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: web, image: test/web:1, readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: crew}
spec:
  selector: {app: crew}
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: any}
spec: {selector: {app: crew}, ports: [{port: 80, targetPort: 8080}]}
`

/** A service with so many endpoints that no datagram holds them. */
const crowd = `
apiVersion: v1
kind: Service
metadata: {name: crowd}
spec: {clusterIP: None, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: crowd-1, labels: {kubernetes.io/service-name: crowd}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [${Array.from({ length: 90 }, (_, i) => `{addresses: [192.0.2.${i + 1}]}`).join(', ')}]
`

/** Somebody else's resolver, in a process of its own: it says the same of every name. */
const resolver = `
const { decode, encode } = require('dns-packet')
const socket = require('dgram').createSocket('udp4')
const [host, port] = process.argv.slice(1)
socket.on('message', (m, from) => {
  const { id, questions } = decode(m)
  const answers = [{ type: 'A', name: questions[0].name, ttl: 1, data: '192.0.2.7' }]
  socket.send(encode({ type: 'response', id, flags: 0x80, questions, answers }), from.port, from.address)
})
socket.bind(Number(port), host, () => console.log('ready'))
`

describe.skipIf(missing)('the network of two hosts', () => {
  let stand: Stand
  let cp: ControlPlane
  let h1: Host
  let h2: Host
  let corp: ChildProcess

  beforeAll(async () => {
    stand = await startStand(2)
    cp = stand.cp
    ;[h1, h2] = stand.hosts as [Host, Host]
    cp.k('apply -f -', { input: `${web}---${asker('a1', 'h1')}` })
    cp.k('apply -f -', {
      input: `---${asker('a2', 'h2')}${asker('host', 'h2', 'hostNetwork: true\n  dnsPolicy: ClusterFirstWithHostNet')}`,
    })
    cp.k('rollout status deployment/web --timeout=60s')
    cp.k('rollout status statefulset/member --timeout=60s')
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
    corp = spawn(process.execPath, ['-e', resolver, new URL(cp.url).hostname, String(CORP)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((r) => corp.stdout!.once('data', r))
  }, 180_000)
  afterAll(async () => {
    corp?.kill()
    await stand?.stop()
  })

  const podIp = (name: string) => cp.k(`get pod ${name} -o jsonpath={.status.podIP}`)
  const fetched = (pod: string, url: string) => cp.kubectl(`exec ${pod} -- wget -q -O - -T 2 -t 1 ${url}`).out.trim()
  /** What node's own resolver says on a host. */
  const asked = (host: Host, method: string, name: string): any =>
    JSON.parse(
      host.run(
        `${process.execPath} -e "const r = new (require('dns').promises.Resolver)({ timeout: 2000, tries: 2 }); r.setServers(['${DNS}']); r.${method}('${name}').then((a) => console.log(JSON.stringify(a)), (e) => console.log(JSON.stringify(e.code)))"`,
      ),
    )

  test('a service answers by its name, short and long, on every host', () => {
    for (const pod of ['a1', 'a2', 'host'])
      for (const name of ['web', 'web.default', 'web.default.svc.cluster.local', 'alias'])
        expect([pod, name, fetched(pod, `http://${name}/`)]).toEqual([pod, name, expect.stringMatching(/^web-.* v1$/)])
  })

  test('members have names of their own, and know themselves by them', () => {
    for (const i of [0, 1]) {
      expect(fetched('a2', `http://member-${i}.member:8080/`)).toBe(`member-${i} v1`)
      expect(cp.k(`exec member-${i} -- hostname -f`).trim()).toBe(`member-${i}.member.default.svc.cluster.local`)
    }
    const found = asked(h1, 'resolveSrv', '_http._tcp.member.default.svc.cluster.local')
    expect(found.map((s: any) => `${s.name}:${s.port}`).sort()).toEqual(
      [0, 1].map((i) => `member-${i}.member.default.svc.cluster.local:8080`),
    )
    const [address] = asked(h1, 'resolve4', 'member-0.member.default.svc.cluster.local')
    expect(asked(h2, 'reverse', address)).toEqual(['member-0.member.default.svc.cluster.local'])
    expect(asked(h2, 'reverse', DNS)).toEqual(['kube-dns.kube-system.svc.cluster.local'])
  })

  test('an endpoint that goes is forgotten at once, and the one that comes known', async () => {
    const name = 'member.default.svc.cluster.local'
    const before: string[] = asked(h2, 'resolve4', name)
    cp.k('delete pod member-1 --wait=false')
    await eventually('the new member is known', () => {
      const now: string[] = asked(h2, 'resolve4', name)
      return now.length === 2 && now.some((a) => !before.includes(a))
    })
    cp.k('delete service alias')
    await eventually('the alias is gone', () => asked(h1, 'resolve4', 'alias.default.svc.cluster.local') === 'ENOTFOUND')
  })

  test('what no datagram holds comes whole', async () => {
    cp.k('apply -f -', { input: crowd })
    await eventually('all are known', () => asked(h1, 'resolve4', 'crowd.default.svc.cluster.local').length === 90)
  })

  test('a domain is asked for where the cluster says', async () => {
    const stubs = JSON.stringify({ 'corp.test': [`${new URL(cp.url).hostname}:${CORP}`] })
    cp.k('apply -f -', {
      input: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-dns, namespace: kube-system}\ndata: {stubDomains: '${stubs}'}`,
    })
    for (const h of [h1, h2]) await eventually('it is known', () => asked(h, 'resolve4', 'host.corp.test')[0] === '192.0.2.7')
  })

  test('a port of the host leads to its pod, for everybody and for the pod itself, as long as there is one', async () => {
    cp.k('apply -f -', { input: `${onPort('open', 'h1', '')}${onPort('bound', 'h1', `, hostIP: ${h1.ip}`, 28_001)}` })
    cp.k('wait pod/open pod/bound --for=condition=Ready --timeout=60s')
    const from = (h: Host, url: string) => h.try(`wget -q -O - -T 2 -t 1 ${url}`).trim()
    for (const [pod, port] of [
      ['open', 28_000],
      ['bound', 28_001],
    ] as const) {
      const url = `http://${h1.ip}:${port}/`
      await eventually(`${pod} answers`, () => from(h2, url) === `${pod} v1`)
      expect([from(h1, url), fetched('a2', url), fetched('a1', url), fetched(pod, url)]).toEqual(Array(4).fill(`${pod} v1`))
    }
    expect(from(h1, `http://${h2.ip}:28000/`)).not.toContain('v1')
    cp.k('delete pod open')
    await eventually('nobody answers any more', () => !from(h2, `http://${h1.ip}:28000/`).includes('v1'))
  })

  test('policies of traffic: who stays on a node keeps its address, and finds nobody where there is none', async () => {
    const outside = plugIn('client', addressOf(1))
    const nothing = ''
    cp.k('apply -f -', { input: who })
    cp.k('wait pod/who --for=condition=Ready --timeout=60s')
    const portOf = (name: string) => cp.k(`get service ${name} -o jsonpath={.spec.ports[0].nodePort}`)
    const clusterIp = (name: string) => cp.k(`get service ${name} -o jsonpath={.spec.clusterIP}`)
    const path = 'cgi-bin/who'
    const [near, far] = [portOf('near'), portOf('far')]
    const fromOutside = (host: Host, port: string) =>
      quietly(`ip netns exec ${outside} wget -q -O - -T 1 -t 1 http://${host.ip}:${port}/${path}`).trim()
    await eventually('the table is written', () => fromOutside(h1, near) !== nothing && fromOutside(h2, far) !== nothing)
    const found = {
      'outside, near, where it is': fromOutside(h1, near),
      'outside, near, where it is not': fromOutside(h2, near),
      'outside, far, where it is not': fromOutside(h2, far),
      'a pod, near, where it is not': fetched('a2', `http://${h2.ip}:${near}/${path}`) !== nothing,
      'a pod, inner, where it is': fetched('a1', `http://${clusterIp('inner')}/${path}`),
      'a pod, inner, where it is not': fetched('a2', `http://${clusterIp('inner')}/${path}`),
      'a pod, far, where it is not': fetched('a2', `http://${clusterIp('far')}/${path}`),
    }
    // The server says addresses in their long form.
    const plain = (text: unknown) => (typeof text === 'string' ? text.replace(/^\[::ffff:(.*)\]$/, '$1') : text)
    expect(Object.fromEntries(Object.entries(found).map(([k, v]) => [k, plain(v)]))).toEqual({
      'outside, near, where it is': addressOf(1),
      'outside, near, where it is not': nothing,
      'outside, far, where it is not': h2.ip,
      'a pod, near, where it is not': true,
      'a pod, inner, where it is': podIp('a1'),
      'a pod, inner, where it is not': nothing,
      'a pod, far, where it is not': podIp('a2'),
    })
  })

  test('a client of UDP that goes on asking from one port gets to whoever is there now', async () => {
    // Servers on the hosts, and a service in front of them that is told by hand where they are.
    const serve = (name: string) =>
      spawn('nsenter', h1.inside([process.execPath, '-e', datagrams, 'serve', name === 'one' ? '7101' : '7102', name]), { stdio: 'ignore' })
    const servers = [serve('one'), serve('two')]
    const slice = (port: number) =>
      `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: talk-1, labels: {kubernetes.io/service-name: talk}}, addressType: IPv4, ports: [{port: ${port}, protocol: UDP}], endpoints: [{addresses: [${h1.ip}]}]}`
    cp.k('apply -f -', {
      input: `---\n{apiVersion: v1, kind: Service, metadata: {name: talk}, spec: {ports: [{port: 7000, protocol: UDP}]}}\n---\n${slice(7101)}`,
    })
    const address = cp.k('get service talk -o jsonpath={.spec.clusterIP}')
    const client = spawn('nsenter', h2.inside([process.execPath, '-e', datagrams, 'ask', '7000', address]), {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let heard = ''
    client.stdout!.on('data', (d) => (heard = String(d).trim().split('\n').at(-1)!))
    try {
      await eventually('the first one answers', () => heard === 'one')
      cp.k('apply -f -', { input: `---\n${slice(7102)}` })
      await eventually('the second one answers', () => heard === 'two')
    } finally {
      for (const p of [client, ...servers]) p.kill()
    }
  })

  test('a client with affinity keeps its endpoint while that is there, whoever else comes and goes', async () => {
    cp.k('apply -f -', { input: crew })
    const settled = async (replicas: number) => {
      cp.k(`scale deployment crew --replicas=${replicas}`)
      cp.k('rollout status deployment/crew --timeout=60s')
      await eventually(
        `${replicas} are known`,
        () => new Set(Array.from({ length: 12 }, () => fetched('a1', 'http://any/'))).size === replicas,
      )
    }
    await settled(2)
    const mine = fetched('a2', 'http://crew/')
    const often = () => [...new Set(Array.from({ length: 8 }, () => fetched('a2', 'http://crew/')))]
    expect(often()).toEqual([mine])
    await settled(4)
    expect(often()).toEqual([mine])
    cp.k(`delete pod ${mine.split(' ')[0]}`)
    await eventually('another one is there', () => fetched('a2', 'http://crew/') !== mine && fetched('a2', 'http://crew/') !== '')
    expect(often()).toHaveLength(1)
  })

  test('pods with bounds receive and send no more, and nothing is left of them', async () => {
    const size = 4_000_000
    const rate = 8_000_000
    const bounded = (name: string, annotations: string) =>
      shaped(name, annotations, `head -c ${size} /dev/zero > /tmp/big; exec httpd -f -p 9000 -h /tmp`)
    const mbit = `${rate / 1e6}M`
    cp.k('apply -f -', {
      input:
        bounded('receiver', `kubernetes.io/ingress-bandwidth: ${mbit}`) +
        bounded('sender', `kubernetes.io/egress-bandwidth: ${mbit}`) +
        bounded('free', ''),
    })
    cp.k('wait pod receiver sender free --for=condition=Ready --timeout=60s')
    const seconds = (from: string, to: string): number => {
      const begun = Date.now()
      cp.k(`exec ${to} -- wget -q -t 10 --retry-connrefused -O /dev/null http://${podIp(from)}:9000/big`)
      return (Date.now() - begun) / 1000
    }
    // What may go at once, and nothing else, comes sooner.
    const bound = (size * 8 - 1_000_000) / rate
    expect(seconds('sender', 'free')).toBeGreaterThan(bound * 0.9)
    expect(seconds('free', 'receiver')).toBeGreaterThan(bound * 0.9)
    // Of the other direction nothing was said.
    expect(seconds('receiver', 'free')).toBeLessThan(bound / 2)
    expect(h1.run('ip link')).toMatch(/ bwp[0-9a-f]{12}/)
    cp.k('delete pod receiver sender free')
    await eventually('no device is left', () => !h1.run('ip link').includes(' bwp'))
  })

  test('a bound that is none keeps a pod from starting, and is told', async () => {
    cp.k('apply -f -', { input: shaped('odd', 'kubernetes.io/egress-bandwidth: fast', 'sleep 3600') })
    await eventually('an event says so', () =>
      /"fast\\?" is no quantity/.test(cp.k('get events --field-selector involvedObject.name=odd -o json')),
    )
    cp.k('delete pod odd')
  })

  test('node ports are answered at the addresses that the daemon is given for them', async () => {
    const port = 30_901
    const extra = '10.88.0.201'
    cp.k(`create service nodeport narrow --tcp=80:8080 --node-port=${port}`)
    cp.k('set selector service narrow app=web')
    h1.run(`ip addr add ${extra}/24 dev eth0`)
    const at = (ip: string) => h2.try(`curl -s -o /dev/null -m 2 -w %{http_code} http://${ip}:${port}/`)
    for (const ip of [h1.ip, extra]) await eventually(`${ip} answers`, () => at(ip) === '200')
    h1.killDaemon()
    h1.startDaemon(undefined, undefined, {}, ['--nodeport-addresses', `${h1.ip}/32`])
    await eventually('the other address does not answer', () => at(extra) !== '200')
    await eventually('the one that was named does', () => at(h1.ip) === '200')
    h1.killDaemon()
    h1.startDaemon()
    await eventually('all answer again', () => at(extra) === '200')
    h1.run(`ip addr del ${extra}/24 dev eth0`)
    cp.k('delete service narrow')
  })

  test('a daemon that was killed serves again when it is back, without the control plane', async () => {
    await cp.kill()
    h2.killDaemon()
    expect(asked(h2, 'resolve4', 'web.default.svc.cluster.local')).toBe('ECONNREFUSED')
    h2.startDaemon()
    // Nobody is told that there is no such name while that is not known.
    await eventually('it answers', () => asked(h2, 'resolve4', 'web.default.svc.cluster.local') === 'ESERVFAIL')
    await cp.start()
    await eventually('it knows', () => fetchedOn(h2).startsWith('10.96.'))
  })
  const fetchedOn = (host: Host): string => String(asked(host, 'resolve4', 'web.default.svc.cluster.local'))

  test('a cluster with a DNS of its own is left to it', async () => {
    cp.k(`-n kube-system patch service kube-dns -p {"spec":{"selector":{"k8s-app":"kube-dns"}}}`)
    await eventually('nobody serves there', () => !h1.run('ip address show lo').includes(DNS))
    cp.k(`-n kube-system patch service kube-dns --type=merge -p {"spec":{"selector":null}}`)
    await eventually('it is served again', () => asked(h1, 'resolve4', 'web.default.svc.cluster.local')[0]?.startsWith('10.96.'))
  })
})
