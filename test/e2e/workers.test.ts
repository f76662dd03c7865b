// The same deployment, shorter, on Workers: workerd over sqld, with real daemons dialling in.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { webDeployment, webService } from '../rig/manifests.ts'
import { portForwarded } from '../rig/port-forward.ts'
import { podsSettled } from '../rig/ready.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

const app = webDeployment(4) + webService

describe.skipIf(missing)('two hosts on Workers', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  beforeAll(async () => {
    stand = await startStand(2, { flags: ['--platform', 'workers'] })
    ;({ cp, hosts } = stand)
  })
  afterAll(() => stand?.stop())

  test('a deployment spreads, answers, scales, rolls and goes back', async () => {
    cp.k('apply -f -', { input: app })
    cp.k('rollout status deployment/web --timeout=60s')
    expect(new Set(cp.k('get pods -o jsonpath={.items[*].spec.nodeName}').split(' '))).toEqual(new Set(['h1', 'h2']))
    const ip = cp.k('get svc web -o jsonpath={.spec.clusterIP}')
    for (const h of hosts)
      await eventually(`${h.name} reaches the service`, () => h.run(`wget -q -O - -T 2 -t 1 http://${ip}/`).trim().endsWith('v1'))
    cp.k('scale deployment web --replicas=6')
    cp.k('rollout status deployment/web --timeout=60s')
    cp.k('set image deployment/web web=test/web:2')
    cp.k('rollout status deployment/web --timeout=60s')
    await eventually('the new version answers', () => hosts[0]!.run(`wget -q -O - -T 2 -t 1 http://${ip}/`).trim().endsWith('v2'))
    cp.k('rollout undo deployment/web')
    cp.k('rollout status deployment/web --timeout=60s')
  })

  test('logs, exec and describe go through the object', () => {
    expect(cp.kubectl('exec deploy/web -- sh -c |exit 7|').code).toBe(7)
    expect(cp.k('exec -i deploy/web -- cat', { input: 'ping\n' })).toBe('ping\n')
    cp.k('run once --image=test/web:1 --image-pull-policy=IfNotPresent --restart=Never --command -- echo said')
    cp.k('wait pod/once --for=jsonpath={.status.phase}=Succeeded --timeout=30s')
    expect(cp.k('logs once')).toBe('said\n')
    expect(cp.k('describe pod once')).toMatch(/Successfully assigned/)
  })

  test.each(['kubectl', launcher])('port-forward of %s goes through the object', async (kubectl) => {
    await portForwarded(kubectl, cp.kubeconfig, ['svc/web', ':80'], async (port) => {
      const answers = await Promise.all(Array.from({ length: 8 }, async () => (await fetch(`http://127.0.0.1:${port}/`)).text()))
      for (const a of answers) expect(a).toMatch(/^web-\S+ v/)
    })
  })

  test('workerd killed: containers run on, and everything is there after the restart', async () => {
    await podsSettled(cp)
    const before = hosts.flatMap((h) => h.containers())
    await cp.kill()
    expect(hosts.flatMap((h) => h.containers())).toEqual(before)
    await cp.start()
    cp.k('scale deployment web --replicas=3')
    cp.k('rollout status deployment/web --timeout=60s')
    await eventually('three are left', () => cp.k('get pods -l app=web --no-headers').trim().split('\n').length === 3)
  })
})
