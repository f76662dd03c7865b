// Addresses of both families: what pods, nodes and services have, who reaches whom at which, names, ports of hosts, what leaves the cluster, ingresses.
// And a cluster that has IPv6 alone. The matrices of services and of policies ask at both families as well.
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asHost, type Family, familyOf, inRange, ofFamily } from '../../shared/meta/address.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { addressOf, eventually, type Host, plugIn } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
const BOTH = ['IPv4', 'IPv6'] as const
const HOST_PORT = 28_100

const pod = (name: string, node: string, container: string) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name.split('-')[0]}}}
spec:
  nodeName: ${node}
  hostname: ${name}
  subdomain: members
  terminationGracePeriodSeconds: 0
  containers: [{name: c, ${container}}]
`
const ASKER =
  'image: test/busybox:1, command: [sleep, "3600"], env: [{name: MINE, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}, {name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}]'
const WEB = `image: test/web:1, ports: [{containerPort: 8080, hostPort: ${HOST_PORT}}], readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}`
/** Says who asks. */
const WHO = `image: test/busybox:1, command: [sh, -c, "mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' > /www/cgi-bin/who; chmod 755 /www/cgi-bin/who; httpd -f -p 8080 -h /www"], readinessProbe: {httpGet: {path: /cgi-bin/who, port: 8080}, periodSeconds: 1}`
const service = (name: string, spec: string) => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {ports: [{name: http, port: 80, targetPort: 8080}], ${spec}}
`
const ingress = `---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{host: dual.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: six, port: {name: http}}}}]}}]}
`

describe.skipIf(missing)('a cluster of both families', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  const get = (what: string) => JSON.parse(cp.k(`get ${what} -o json`))
  const ipOf = (name: string, family: Family): string =>
    ofFamily(
      get(`pod ${name}`).status.podIPs.map((i: any) => i.ip),
      family,
    )!
  const inPod = (name: string, command: string) => cp.kubectl(`exec ${name} -- ${command}`)
  const reaches = (from: string, ip: string, port = 80, path = '/') =>
    inPod(from, `timeout 3 wget -q -O - http://${asHost(ip)}:${port}${path}`).out.trim()

  beforeAll(async () => {
    stand = await startStand(3, { far: 1, families: ['IPv4', 'IPv6'] })
    cp = stand.cp
    hosts = stand.hosts
    cp.k('apply -f -', {
      input: [
        ...hosts.map((h) => pod(`asker-${h.name}`, h.name, ASKER)),
        pod('web-1', 'h1', WEB),
        pod('who-1', 'h1', WHO),
        service('dual', 'ipFamilyPolicy: PreferDualStack, selector: {app: web}'),
        service('usual', 'selector: {app: web}'),
        service('six', 'ipFamilies: [IPv6], selector: {app: web}'),
        service('members', 'clusterIP: None, ipFamilyPolicy: RequireDualStack, selector: {app: web}'),
        service('local', 'type: NodePort, externalTrafficPolicy: Local, ipFamilyPolicy: RequireDualStack, selector: {app: who}'),
        service('sticky', 'ipFamilies: [IPv6], sessionAffinity: ClientIP, selector: {app: web}'),
        ingress,
      ].join(''),
    })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
  }, 180_000)
  afterAll(() => stand?.stop(), 60_000)

  test('nodes have a range of each, pods an address of each, and say so', () => {
    for (const h of hosts) {
      const { spec, status } = get(`node ${h.name}`)
      expect(spec.podCIDRs.map(familyOf)).toEqual(BOTH)
      expect(status.addresses.filter((a: any) => a.type === 'InternalIP').map((a: any) => a.address)).toEqual([h.ip, h.ip6])
      const { status: has } = get(`pod asker-${h.name}`)
      const ips: string[] = has.podIPs.map((i: any) => i.ip)
      expect(ips.map((ip, i) => inRange(ip, spec.podCIDRs[i]))).toEqual([true, true])
      expect(has.podIP).toBe(ips[0])
      expect(has.hostIPs).toEqual([{ ip: h.ip }, { ip: h.ip6 }])
      expect(inPod(`asker-${h.name}`, 'env').out).toContain(`MINE=${ips.join()}\n`)
      expect(inPod(`asker-${h.name}`, 'env').out).toContain(`HOST=${h.ip},${h.ip6}\n`)
      for (const ip of ips) expect(inPod(`asker-${h.name}`, 'cat /etc/hosts').out).toMatch(new RegExp(`^${ip}\\s.*asker-${h.name}$`, 'm'))
    }
  })

  test('services have what they ask for, and slices of each', () => {
    const shown = (name: string) => {
      const { spec } = get(`service ${name}`)
      return [spec.ipFamilyPolicy, spec.ipFamilies, spec.clusterIPs.map((ip: string) => (ip === 'None' ? ip : familyOf(ip)))]
    }
    expect(shown('dual')).toEqual(['PreferDualStack', BOTH, BOTH])
    expect(shown('usual')).toEqual(['SingleStack', ['IPv4'], ['IPv4']])
    expect(shown('six')).toEqual(['SingleStack', ['IPv6'], ['IPv6']])
    expect(shown('members')).toEqual(['RequireDualStack', BOTH, ['None']])
    const slices = get('endpointslice -l kubernetes.io/service-name=dual').items
    expect(slices.map((s: any) => [s.addressType, s.endpoints[0].addresses]).sort()).toEqual(BOTH.map((f) => [f, [ipOf('web-1', f)]]))
    expect(get('endpoints dual').subsets[0].addresses.map((a: any) => a.ip)).toEqual([ipOf('web-1', 'IPv4')])
  })

  test.each(BOTH)('pods and services over %s from each host, its own, a neighbour and one behind a router', async (family) => {
    const { clusterIPs } = get('service dual').spec
    for (const h of hosts) {
      await eventually(`pod from ${h.name}`, () => reaches(`asker-${h.name}`, ipOf('web-1', family), 8080) === 'web-1 v1')
      await eventually(`service from ${h.name}`, () => reaches(`asker-${h.name}`, ofFamily(clusterIPs, family)!) === 'web-1 v1')
      const ip = asHost(ofFamily(clusterIPs, family)!)
      await eventually(`service from the host ${h.name}`, () => h.try(`curl -s -m 3 http://${ip}/`).trim() === 'web-1 v1')
    }
    // Itself through its service.
    expect(inPod('web-1', `timeout 3 wget -q -O - http://${asHost(ofFamily(clusterIPs, family)!)}/`).out.trim()).toBe('web-1 v1')
  })

  test('what is not of a family is not there for it', () => {
    const shown = (host: Host, table: string) => host.run(`nft list table ${table} kedge`)
    const [usual, six] = [get('service usual').spec.clusterIP, get('service six').spec.clusterIP]
    expect([shown(hosts[0]!, 'ip').includes(usual), shown(hosts[0]!, 'ip6').includes(usual)]).toEqual([true, false])
    expect([shown(hosts[0]!, 'ip').includes(six), shown(hosts[0]!, 'ip6').includes(six)]).toEqual([false, true])
  })

  test('names lead to addresses of both, and back', async () => {
    const asks = (type: string, name: string) =>
      [...inPod('asker-h2', `nslookup -type=${type} ${name}.default.svc.cluster.local 10.96.0.10`).out.matchAll(/^Address: (\S+)$/gm)].map(
        (m) => m[1],
      )
    const { clusterIPs } = get('service dual').spec
    expect([asks('a', 'dual'), asks('aaaa', 'dual')]).toEqual([[clusterIPs[0]], [clusterIPs[1]]])
    expect([asks('a', 'usual'), asks('aaaa', 'usual')]).toEqual([[get('service usual').spec.clusterIP], []])
    expect([asks('a', 'members'), asks('aaaa', 'members')]).toEqual([[ipOf('web-1', 'IPv4')], [ipOf('web-1', 'IPv6')]])
    expect(asks('aaaa', 'web-1.members')).toEqual([ipOf('web-1', 'IPv6')])
    expect(inPod('asker-h2', `nslookup ${clusterIPs[1]} 10.96.0.10`).out).toContain('dual.default.svc.cluster.local')
  })

  test('a port of the host, and of all nodes, at its address of IPv6; who stays on a node keeps its own', async () => {
    const port = get('service local').spec.ports[0].nodePort
    await eventually('its host port', () => hosts[1]!.try(`curl -s -m 3 http://[${hosts[0]!.ip6}]:${HOST_PORT}/`).trim() === 'web-1 v1')
    await eventually('its node port', () =>
      hosts[1]!.try(`curl -s -m 3 http://[${hosts[0]!.ip6}]:${port}/cgi-bin/who`).includes(`[${hosts[1]!.ip6}]`),
    )
  })

  test('what leaves the cluster comes from its node', async () => {
    const says = `require('http').createServer((q, s) => s.end(q.socket.remoteAddress)).listen(8082, '::')`
    const server = spawn('ip', ['netns', 'exec', plugIn('outside', addressOf(3)), process.execPath, '-e', says], { stdio: 'ignore' })
    try {
      await eventually('it is answered', () => reaches('asker-h1', 'fd00:88::103', 8082) === hosts[0]!.ip6)
    } finally {
      server.kill('SIGKILL')
    }
  })

  test('a client keeps its endpoint', async () => {
    const ip = get('service sticky').spec.clusterIP
    for (let i = 0; i < 3; i++) expect(reaches('asker-h2', ip)).toBe('web-1 v1')
    expect(hosts[1]!.run('nft list map ip6 kedge sticky')).toMatch(/expires/)
  })

  test('an ingress is served at both, and leads to a service of IPv6', async () => {
    await eventually('it has addresses', () => get('ingress web').status.loadBalancer.ingress?.some((i: any) => i.ip === hosts[0]!.ip6))
    for (const at of [hosts[0]!.ip, `[${hosts[0]!.ip6}]`])
      await eventually(`at ${at}`, () => hosts[1]!.try(`curl -s -m 3 -H 'Host: dual.test' http://${at}/`).trim() === 'web-1 v1')
  })

  test('another policy gives a service its second address, and takes it away', async () => {
    const set = (policy: string) => cp.k(`patch service usual --type=merge -p {"spec":{"ipFamilyPolicy":"${policy}"}}`)
    const [first] = get('service usual').spec.clusterIPs
    set('RequireDualStack')
    const { clusterIPs } = get('service usual').spec
    expect([clusterIPs[0], clusterIPs.map(familyOf)]).toEqual([first, BOTH])
    await eventually('it is served there', () => reaches('asker-h3', clusterIPs[1]) === 'web-1 v1')
    set('SingleStack')
    expect(get('service usual').spec.clusterIPs).toEqual([first])
    await eventually('its slice goes', () => get('endpointslice -l kubernetes.io/service-name=usual').items.length === 1)
  })

  test('tables and routes outlast the daemon, and go with what they are for', async () => {
    const [h1, h2] = hosts as [Host, Host, Host]
    const { clusterIPs } = get('service dual').spec
    h2.killDaemon()
    expect(reaches('asker-h1', clusterIPs[1])).toBe('web-1 v1')
    h2.startDaemon()
    cp.k('delete pod web-1')
    await eventually('nobody is there', () => h1.try(`curl -s -o /dev/null -m 2 http://[${clusterIPs[1]}]/; echo $?`).trim() === '7')
    expect(h1.run('ip -6 route show proto 107')).toContain('unreachable fd00:10:244')
  })
})

describe.skipIf(missing)('a cluster of IPv6 alone', () => {
  let stand: Stand
  let cp: ControlPlane
  const get = (what: string) => JSON.parse(cp.k(`get ${what} -o json`))
  const inPod = (name: string, command: string) => cp.kubectl(`exec ${name} -- ${command}`)

  beforeAll(async () => {
    stand = await startStand(2, { families: ['IPv6'] })
    cp = stand.cp
    cp.k('apply -f -', {
      input: pod('asker-1', 'h1', ASKER) + pod('web-1', 'h2', WEB) + service('web', 'type: NodePort, selector: {app: web}'),
    })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
  }, 180_000)
  afterAll(() => stand?.stop(), 60_000)

  test('all addresses are of it', () => {
    expect(get('pod web-1').status.podIPs.map((i: any) => familyOf(i.ip))).toEqual(['IPv6'])
    expect(get('service kubernetes').spec.clusterIPs).toEqual(['fd00:10:96::1'])
    expect(get('service -n kube-system kube-dns').spec.clusterIPs).toEqual(['fd00:10:96::a'])
    expect(get('endpoints web').subsets[0].addresses.map((a: any) => familyOf(a.ip))).toEqual(['IPv6'])
  })

  test('a service is reached by its name', () =>
    eventually('it answers', () => inPod('asker-1', 'timeout 3 wget -q -O - http://web/').out.trim() === 'web-1 v1'))

  test('pods reach the API', () => {
    const ask = 'wget -q -O - --ca-certificate /var/run/secrets/kubernetes.io/serviceaccount/ca.crt https://kubernetes.default.svc/version'
    expect(inPod('asker-1', ask).out).toContain('gitVersion')
  })

  test('streams and proxies lead there', async () => {
    expect(cp.k('get --raw /api/v1/namespaces/default/pods/web-1:8080/proxy/').trim()).toBe('web-1 v1')
    expect(cp.k('get --raw /api/v1/namespaces/default/services/web:http/proxy/').trim()).toBe('web-1 v1')
  })

  test('an address of IPv4 is refused', () => {
    const refused = cp.kubectl('create service clusterip four --tcp=80 --clusterip=10.96.0.9')
    expect(refused.err).toContain('not configured on this cluster')
  })
})
