// A cluster moves: from a host on Workers to a machine of one's own, and back; its nodes follow, and no container restarts.
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import { ControlPlane, HostServer } from '../rig/control-plane.ts'
import { eventually, Rig } from '../rig/hosts.ts'
import { testImages } from '../rig/images.ts'
import { webDeployment } from '../rig/manifests.ts'
import { freePort } from '../rig/sqld.ts'
import { standMissing } from '../rig/stand.ts'

const missing = standMissing()

const app = webDeployment(4)

describe.skipIf(missing)('a cluster moves', () => {
  let rig: Rig
  let host: HostServer
  let own: ControlPlane
  let containers: string[]
  const file = (name: string) => path.join(host.folder.path, name)
  const program = (command: string, args: string, kubeconfig: string, input = '') =>
    execFileSync(command, args.split(' '), {
      env: { ...process.env, KEDGE_CONFIG: file('user.yaml'), KUBECONFIG: kubeconfig },
      encoding: 'utf8',
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 90_000,
    })
  const hosted = () => file('user.kubeconfig')
  const kedge = (args: string, kubeconfig = hosted()) => program(launcher, args, kubeconfig)
  const kubectl = (args: string, kubeconfig = hosted(), input = '') => program('kubectl', args, kubeconfig, input)
  const running = () => rig.hosts.flatMap((h) => h.containers('--filter label=io.kubernetes.container.name=web'))
  /** What a moved node says of itself may be from before: its session has to be at the new place. */
  const ready = async (kubeconfig: string, server: string) => {
    for (const h of rig.hosts)
      await eventually(`${h.name} dials ${server}`, () => h.log('node.log').split('session opened').at(-1)!.includes(`server=${server}`))
    await eventually('both nodes are Ready', () => kubectl('get nodes --no-headers', kubeconfig).match(/ Ready /g)?.length === 2, 60_000)
  }

  beforeAll(async () => {
    rig = await Rig.start(2)
    const images = testImages()
    for (const h of rig.hosts) h.loadImages(images)
    host = await HostServer.start(rig.address, ['--platform', 'workers', '--signup', 'open'])
    kedge(`login --server ${host.url} --new-account acme --ca-file ${file('ca.crt')}`)
    kedge('cluster create prod')
    for (const h of rig.hosts) h.startDaemon(`${host.url}/clusters/prod`, kedge('token create --join').trim())
    await ready(hosted(), `${host.url}/clusters/prod`)
    kubectl('apply -f -', hosted(), app)
    kubectl('rollout status deployment/web --timeout=60s')
    await eventually('four containers run', () => running().length === 4)
    containers = running()
  })
  afterAll(async () => {
    await own?.stop()
    await host?.stop()
    rig?.stop()
  })

  test('from the host to a machine of one’s own', async () => {
    kedge(`export --freeze --output ${file('prod.kedge')}`)
    expect(() => kubectl('scale deployment web --replicas=1')).toThrow(/being moved/)
    own = new ControlPlane(rig.address, await freePort(), [])
    kedge(`import ${file('prod.kedge')} --data ${own.folder.path}`)
    await own.start()
    expect(own.k('get deployment web -o jsonpath={.spec.replicas}')).toBe('4')
    kedge(`move --to ${own.url} --ca-file ${own.folder.path}/ca.crt`)
    await ready(own.kubeconfig, own.url)
    expect(running()).toEqual(containers)
    own.k('scale deployment web --replicas=5')
    own.k('rollout status deployment/web --timeout=60s')
    expect(running().filter((c) => containers.includes(c))).toEqual(containers)
  })

  test('a daemon that restarts, started as it was, goes to the new place', async () => {
    const [h1] = rig.hosts
    h1!.killDaemon()
    h1!.startDaemon()
    await eventually(
      'it dials the new place',
      () => h1!.log('node.log').trimEnd().split('\n').slice(-8).join('\n').includes(own.url),
      30_000,
    )
    await ready(own.kubeconfig, own.url)
    expect(running().filter((c) => containers.includes(c))).toEqual(containers)
  })

  test('and back to the host, under another name', async () => {
    kedge(`export --freeze --output ${file('back.kedge')}`, own.kubeconfig)
    kedge('cluster rm prod --yes')
    kedge(`cluster import again ${file('back.kedge')}`)
    kedge(`move --to ${host.url}/clusters/again --ca-file ${file('ca.crt')}`, own.kubeconfig)
    await ready(hosted(), `${host.url}/clusters/again`)
    expect(kubectl('get deployment web -o jsonpath={.spec.replicas}')).toBe('5')
    expect(running().filter((c) => containers.includes(c))).toEqual(containers)
    kubectl('scale deployment web --replicas=2')
    await eventually('it scales', () => running().length === 2, 60_000)
  })
})
