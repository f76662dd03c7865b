// What pods have said: searched across the nodes of a cluster, and found when the pods are gone, until its time has come; read by an agent of one's own; and
// sent on by the daemon, through whatever is killed.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
/** How long a node keeps what pods said that are gone, s. */
const KEPT = 25

const talker = (name: string, node: string, says: string, app = name) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${app}}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: test/busybox:1, command: [sh, -c, ${JSON.stringify(says)}]}]
`

describe.skipIf(missing)('logs', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  /** What it prints, first what it finds. */
  const kedge = (...args: string[]): string => {
    const { stdout, stderr } = spawnSync(launcher, args, { env: { ...process.env, KUBECONFIG: cp.kubeconfig }, encoding: 'utf8' })
    return stdout + stderr
  }

  beforeAll(async () => {
    stand = await startStand(2, { nodeFlags: () => [`--log-keep=${KEPT}s`] })
    cp = stand.cp
    hosts = stand.hosts
    cp.k('apply -f -', {
      input:
        talker('web-1', 'h1', 'echo web-1 has begun; echo fault "one" >&2; sleep 3600', 'web') +
        talker('web-2', 'h2', 'echo web-2 has begun; echo fault two; sleep 3600', 'web') +
        talker('other', 'h1', 'echo fault of another; sleep 3600'),
    })
    cp.k('wait pod --all --for=condition=Ready --timeout=60s')
  }, 180_000)
  afterAll(() => stand?.stop(), 60_000)

  test('a workload is searched on all its nodes, in the order of time', async () => {
    await eventually('both have spoken', () => kedge('grep', 'has begun', '-l', 'app=web').split('\n').length === 3)
    expect(kedge('grep', 'fault', '-l', 'app=web').trim().split('\n').sort()).toEqual(['web-1/c: fault one', 'web-2/c: fault two'])
    expect(kedge('grep', 'fault', '--pod', 'other')).toBe('other/c: fault of another\n')
    const [line] = JSON.parse(kedge('grep', 'fault one', '-o', 'json'))
    expect(line).toMatchObject({ namespace: 'default', pod: 'web-1', container: 'c', stream: 'stderr', text: 'fault one' })
    const from = new Date(Date.parse(line.time) + 1).toISOString()
    expect(kedge('grep', 'fault one', '--since-time', from)).toBe('')
    expect(kedge('grep', 'fault one', '--until-time', from, '--since=1h', '--timestamps')).toBe(`${line.time} web-1/c: fault one\n`)
  })

  test('what a pod said is found when it is gone, until its time has come; daemons may end meanwhile', async () => {
    cp.k('delete pod web-1')
    const gone = Date.now()
    expect(kedge('grep', 'fault', '-l', 'app=web').trim().split('\n').sort()).toEqual(['web-1/c: fault one', 'web-2/c: fault two'])
    hosts[0]!.killDaemon()
    hosts[0]!.startDaemon()
    await eventually('it is found after that', () => kedge('grep', 'fault one') === 'web-1/c: fault one\n')
    await eventually('it goes', () => kedge('grep', 'fault one') === '', (KEPT + 30) * 1000)
    expect(Date.now() - gone).toBeGreaterThan(KEPT * 900)
    expect(hosts[0]!.run(`ls ${hosts[0]!.folder}/data/logs`)).toBe('')
  }, 120_000)

  test('a pod of the same name does not hide the one before it', async () => {
    cp.k('apply -f -', { input: talker('again', 'h2', 'echo the first of them; sleep 3600') })
    cp.k('wait pod again --for=condition=Ready --timeout=60s')
    cp.k('delete pod again')
    cp.k('apply -f -', { input: talker('again', 'h2', 'echo the second of them; sleep 3600') })
    await eventually(
      'both are found',
      () => kedge('grep', 'of them', '--pod', 'again') === 'again/c: the first of them\nagain/c: the second of them\n',
    )
  })

  test('lines become a metric, and none is counted twice or lost though the daemon is killed', async () => {
    cp.k('apply -f -', {
      input: `apiVersion: observe.kedge.dev/v1
kind: LogCounter
metadata: {name: steps}
spec: {selector: {matchLabels: {app: stepper}}, pattern: "^step (?P<kind>odd|even)", metric: steps_total, labels: [kind]}
`,
    })
    const says =
      'i=0; while [ $i -lt 100 ]; do echo step odd; echo step even; echo no step; i=$((i+1)); sleep 0.05; done; echo done; sleep 3600'
    cp.k('apply -f -', { input: talker('stepper', 'h1', says) })
    const counted = (kind: string): number => {
      const text = cp.kubectl('get --raw /api/v1/nodes/h1/proxy/metrics').out
      const m = new RegExp(`steps_total\\{namespace="default",counter="steps",pod="stepper",container="c",kind="${kind}"\\} (\\d+)`).exec(
        text,
      )
      return Number(m?.[1] ?? 0)
    }
    await eventually('it counts', () => counted('odd') > 5)
    hosts[0]!.killDaemon()
    hosts[0]!.startDaemon()
    await eventually('it has said all', () => cp.kubectl('logs stepper').out.includes('done'), 60_000)
    await eventually('all are counted', () => counted('odd') === 100 && counted('even') === 100, 60_000)
    cp.k('delete logcounter steps')
    await eventually('it is told no more', () => counted('odd') === 0)
  })

  test('only those may search who may read logs there', () => {
    expect(kedge('grep', 'fault', '--as', 'eve')).toContain('cannot get resource "pods/log"')
    cp.k('create role logs --verb=get --resource=pods/log')
    cp.k('create rolebinding logs --role=logs --user=eve')
    expect(kedge('grep', 'fault two', '--as', 'eve')).toBe('web-2/c: fault two\n')
    expect(kedge('grep', 'fault two', '--as', 'eve', '-n', 'kube-system')).toContain('forbidden')
  })

  test('a node that is away is told of', async () => {
    hosts[1]!.killDaemon()
    await eventually('it is missed', () => kedge('grep', 'fault').includes('1 of 2 nodes have not answered'))
    hosts[1]!.startDaemon()
    await eventually('it is back', () => kedge('grep', 'fault two') === 'web-2/c: fault two\n')
  })
})

describe.skipIf(missing)('logs that are sent on', () => {
  let stand: Stand
  let cp: ControlPlane
  let host: Host
  let sink: Server
  /** Texts by the ids that they came under. */
  const got = new Map<string, string>()
  const documents: any[] = []
  let isAway = false
  const LINES = 400

  beforeAll(async () => {
    sink = createServer(async (req, res) => {
      const parts: Buffer[] = []
      for await (const p of req) parts.push(p as Buffer)
      if (isAway) return res.writeHead(503).end()
      const lines = Buffer.concat(parts).toString().trim().split('\n')
      for (let i = 0; i < lines.length; i += 2) {
        const document = JSON.parse(lines[i + 1]!)
        documents.push(document)
        got.set(JSON.parse(lines[i]!).create._id, document.log)
      }
      res.writeHead(200, { 'content-type': 'application/json' }).end('{"errors":false,"items":[]}')
    })
    await new Promise<void>((r) => sink.listen(0, '0.0.0.0', r))
    const { port } = sink.address() as AddressInfo
    stand = await startStand(1, {
      nodeFlags: (h) => {
        const outputs = [{ type: 'elasticsearch', url: `http://10.88.0.1:${port}`, namespaces: ['default'] }]
        writeFileSync(`${h.folder}/data/logs.yaml`, JSON.stringify({ outputs }))
        return []
      },
    })
    cp = stand.cp
    host = stand.hosts[0]!
  }, 180_000)
  afterAll(async () => {
    await stand?.stop()
    sink?.closeAllConnections()
    sink?.close()
  }, 60_000)

  test('every line arrives, whoever is killed or away meanwhile, and though its pod is gone', async () => {
    const counts = `i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done; echo the end`
    cp.k('apply -f -', { input: talker('counter', 'h1', `${counts}; sleep 3600`) })
    const heard = () => new Set([...got.values()].filter((t) => t.startsWith('line '))).size
    await eventually('it has begun', () => heard() > 10)
    host.killDaemon()
    host.startDaemon()
    await eventually('it goes on', () => heard() > 150, 60_000)
    isAway = true
    host.killDaemon()
    host.startDaemon()
    await eventually('it has said all', () => cp.k('logs counter').includes('the end'), 60_000)
    cp.k('delete pod counter')
    isAway = false
    await eventually('all is there', () => heard() === LINES && [...got.values()].includes('the end'), 60_000).catch((cause) => {
      const have = new Set([...got.values()])
      const lacking = Array.from({ length: LINES }, (_, i) => `line ${i}`).filter((l) => !have.has(l))
      throw new Error(
        `${cause.message}: ${lacking.length} lack, from ${lacking[0]}\n${host.log('node.log')}\n${host.try(`ls -laR ${host.folder}/data/forward; cat ${host.folder}/data/forward/*.json`)}`,
      )
    })
    expect(documents[0]).toMatchObject({
      kubernetes: { namespace_name: 'default', pod_name: 'counter', container_name: 'c', host: 'h1', labels: { app: 'counter' } },
    })
    // What came twice came under the same id.
    const lines = [...got.values()].filter((t) => t.startsWith('line '))
    expect(lines).toHaveLength(LINES)
    await eventually('nothing is left of it', () => host.run(`ls ${host.folder}/data/forward`).trim() === 'positions-elasticsearch.json')
    expect(cp.k('get --raw /api/v1/nodes/h1/proxy/metrics')).toMatch(/kedge_log_forward_records_total\{output="elasticsearch"\} [1-9]/)
  }, 240_000)

  test("an agent of one's own finds the files where kubelet has them", async () => {
    const agent = `---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: kube-system}
spec:
  nodeName: h1
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: test/busybox:1
    command: [sh, -c, "while :; do cat /var/log/containers/speaker_default_c-*.log && break; sleep 0.2; done; sleep 3600"]
    volumeMounts: [{name: log, mountPath: /var/log, readOnly: true}, {name: docker, mountPath: /var/lib/docker/containers, readOnly: true}]
  volumes: [{name: log, hostPath: {path: /var/log}}, {name: docker, hostPath: {path: /var/lib/docker/containers}}]
`
    cp.k('apply -f -', { input: talker('speaker', 'h1', 'echo heard by all; sleep 3600') + agent })
    await eventually('it reads them', () => cp.k('logs -n kube-system agent').includes('heard by all'), 60_000)
  })
})
