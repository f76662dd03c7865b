// The hosted way, as its user walks it: an account, a cluster, two machines, a deployment with real kubectl; on each platform.
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HostServer } from '../rig/control-plane.ts'
import { HostUser } from '../rig/host-user.ts'
import { eventually, Rig } from '../rig/hosts.ts'
import { testImages } from '../rig/images.ts'
import { podWithFile, webDeployment, webService } from '../rig/manifests.ts'
import { standMissing } from '../rig/stand.ts'

const missing = standMissing()

const app = webDeployment(4) + webService

describe.skipIf(missing).each(['node', 'workers'])('a hosted cluster on %s', (platform) => {
  let rig: Rig
  let host: HostServer
  let user: HostUser
  const kedge = (args: string) => user.kedge(args)
  const kubectl = (args: string, input?: string) => user.kubectl(args, input)

  beforeAll(async () => {
    rig = await Rig.start(2)
    const images = testImages()
    for (const h of rig.hosts) h.loadImages(images)
    host = await HostServer.start(rig.address, ['--platform', platform, '--signup', 'open'])
    user = new HostUser(host)
  })
  afterAll(async () => {
    await host?.stop()
    rig?.stop()
  })

  test('account, cluster, and kubectl at once', () => {
    kedge(`login --server ${host.url} --new-account acme --ca-file ${host.folder.path}/ca.crt`)
    const made = kedge('cluster create prod')
    const seconds = Number(/created in ([\d.]+) s/.exec(made)?.[1])
    console.log(`cluster created in ${seconds} s on ${platform}`)
    expect(seconds).toBeLessThan(1)
    expect(kubectl('get namespaces -o name')).toContain('namespace/default')
  })

  test('two machines join with a token each, and a deployment spreads over both', async () => {
    for (const h of rig.hosts) h.startDaemon(`${host.url}/clusters/prod`, kedge('token create --join').trim())
    await eventually('both are Ready', () => kubectl('get nodes --no-headers').match(/ Ready /g)?.length === 2, 60_000)
    kubectl('apply -f -', app)
    kubectl('rollout status deployment/web --timeout=60s')
    expect(new Set(kubectl('get pods -o jsonpath={.items[*].spec.nodeName}').split(' '))).toEqual(new Set(['h1', 'h2']))
    const ip = kubectl('get svc web -o jsonpath={.spec.clusterIP}')
    for (const h of rig.hosts)
      await eventually(`${h.name} reaches the service`, () => h.run(`wget -q -O - -T 2 -t 1 http://${ip}/`).trim().endsWith('v1'))
    expect(kubectl('exec deploy/web -- hostname').trim()).toMatch(/^web-/)
    kubectl('logs deploy/web')
  })

  test('a pod reaches the API with its own token, by name of the service account and over an upgraded connection', () => {
    const binary = execFileSync('sh', ['-c', 'readlink -f "$(command -v kubectl)"'], { encoding: 'utf8' }).trim()
    kubectl('create rolebinding pods --clusterrole=edit --serviceaccount=default:default')
    kubectl('apply -f -', podWithFile('client', binary, '/bin/kubectl'))
    kubectl('wait --for=condition=Ready pod/client --timeout=60s')
    expect(kubectl('exec client -- kubectl get pods -o name')).toContain('pod/client')
    expect(kubectl('exec client -- kubectl exec deploy/web -- hostname').trim()).toMatch(/^web-/)
    expect(() => kubectl('exec client -- kubectl get nodes')).toThrow(/system:serviceaccount:default:default" cannot list resource "nodes"/)
  })

  test('a token for one namespace deploys there and sees nothing else', () => {
    kubectl('create namespace team')
    const token = kedge('token create --name ci --role edit --cluster prod --namespace team').trim()
    const file = path.join(host.folder.path, 'ci.kubeconfig')
    const as = (args: string) => kubectl(`--kubeconfig ${file} ${args}`)
    as(`config set-cluster c --server=${host.url}/clusters/prod --certificate-authority=${host.folder.path}/ca.crt`)
    as(`config set-credentials u --token=${token}`)
    as('config set-context x --cluster=c --user=u')
    as('config use-context x')
    as('-n team create configmap x --from-literal=a=1')
    expect(() => as('get pods')).toThrow(/forbidden/i)
  })

  test('suspended, its containers run on; resumed, the nodes come back', async () => {
    const before = rig.hosts.map((h) => h.containers().length)
    kedge('cluster suspend prod')
    await eventually('kubectl is refused', () => {
      try {
        kubectl('get nodes')
        return false
      } catch (cause) {
        return String((cause as { stderr?: string }).stderr).includes('suspended')
      }
    })
    expect(rig.hosts.map((h) => h.containers().length)).toEqual(before)
    kedge('cluster resume prod')
    await eventually('both are Ready', () => kubectl('get nodes --no-headers').match(/ Ready /g)?.length === 2, 60_000)
    kubectl('scale deployment web --replicas=2')
    await eventually('it scales', () => kubectl('get deployment web -o jsonpath={.status.readyReplicas}') === '2', 60_000)
  })

  test('machines are listed, cordoned and removed', async () => {
    expect(kedge('node ls')).toMatch(/h1 +Ready[\s\S]*h2 +Ready/)
    kedge('node cordon h2')
    expect(kubectl('get nodes --no-headers')).toMatch(/h2 +Ready,SchedulingDisabled/)
    kedge('node uncordon h2')
    expect(kubectl('get nodes --no-headers')).not.toContain('SchedulingDisabled')
    kedge('node rm h2')
    await eventually('its pods run on h1', () => kubectl('get deployment web -o jsonpath={.status.readyReplicas}') === '2', 60_000)
    expect(kubectl('get nodes -o name').trim()).toBe('node/h1')
    await eventually('its daemon is refused', () => rig.hosts[1]!.log('node.log').includes('the server answered 401'), 30_000)
  })

  test('usage is counted, and a deleted cluster is gone', () => {
    expect(kedge('account usage')).toMatch(/prod +[1-9]\d*/)
    kedge('cluster rm prod --yes')
    expect(kedge('cluster ls')).toBe('')
  })
})
