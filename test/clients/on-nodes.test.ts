// Clients that speak with containers: @kubernetes/client-node's exec, attach, log and port-forward, and the API's proxies, against real pods.
import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { CoreV1Api, Exec, KubeConfig, Log, PortForward } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { webDeployment, webService } from '../rig/manifests.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()
const NS = 'default'

const textOf = (stream: PassThrough): (() => string) => {
  const parts: Buffer[] = []
  stream.on('data', (d: Buffer) => parts.push(d))
  return () => Buffer.concat(parts).toString()
}

describe.skipIf(missing).each(['node', 'workers'])('on %s', (platform) => {
  let stand: Stand
  let cp: ControlPlane
  let pod: string
  const config = new KubeConfig()
  let core: CoreV1Api
  beforeAll(async () => {
    stand = await startStand(1, { flags: ['--platform', platform] })
    cp = stand.cp
    config.loadFromFile(cp.kubeconfig)
    core = config.makeApiClient(CoreV1Api)
    cp.k('apply -f -', { input: webDeployment(1) + webService })
    cp.k('rollout status deployment/web --timeout=60s')
    pod = cp.k('get pods -l app=web -o jsonpath={.items[0].metadata.name}')
  })
  afterAll(() => stand?.stop())

  /** Runs a command; what it wrote, and how it ended. */
  async function run(command: string[], input?: string): Promise<{ out: string; err: string; status: any }> {
    const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), input === undefined ? null : new PassThrough()]
    const [out, err] = [textOf(stdout), textOf(stderr)]
    const status = await new Promise((resolve, reject) => {
      new Exec(config).exec(NS, pod, 'web', command, stdout, stderr, stdin, false, resolve).then(() => stdin?.end(input), reject)
    })
    return { out: out(), err: err(), status }
  }

  test('exec: both outputs, the input, and the exit code', async () => {
    const said = await run(['sh', '-c', 'cat; echo bad >&2; exit 3'], 'hello')
    expect([said.out, said.err]).toEqual(['hello', 'bad\n'])
    expect(said.status).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode' })
    expect((await run(['true'])).status.status).toBe('Success')
  })

  test('log: what was said, and what is being said', async () => {
    cp.k(
      'run talker --image=test/web:1 --image-pull-policy=IfNotPresent --restart=Never --command -- sh -c |for i in 1 2 3; do echo $i; sleep 0.2; done|',
    )
    cp.k('wait pod/talker --for=jsonpath={.status.phase}=Succeeded --timeout=30s')
    expect(await core.readNamespacedPodLog({ name: 'talker', namespace: NS })).toBe('1\n2\n3\n')
    const stream = new PassThrough()
    const said = textOf(stream)
    const ended = new Promise((done) => stream.once('end', done))
    await new Log(config).log(NS, 'talker', 'talker', stream, { follow: true, tailLines: 2 })
    await ended
    expect(said()).toBe('2\n3\n')
  })

  test('port-forward: a connection into the pod', async () => {
    const server = createServer((socket) => void new PortForward(config).portForward(NS, pod, [8080], socket, null, socket))
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as { port: number }
    expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()).toMatch(/^web-\S+ v1/)
    server.close()
  })

  test('proxies: the pod, the service, and both as kubectl asks for them', async () => {
    expect(await core.connectGetNamespacedPodProxyWithPath({ name: `${pod}:8080`, namespace: NS, path: '' })).toMatch(/^web-\S+ v1/)
    expect(cp.k(`get --raw /api/v1/namespaces/default/services/web/proxy/`)).toMatch(/^web-\S+ v1/)
    expect(cp.k(`get --raw /api/v1/namespaces/default/pods/${pod}:8080/proxy/`)).toMatch(/^web-\S+ v1/)
  })
})
