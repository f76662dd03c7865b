// What pods have said: searched across the nodes of a cluster, and found when the pods are gone, until its time has come.
import { spawnSync } from 'node:child_process'
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
