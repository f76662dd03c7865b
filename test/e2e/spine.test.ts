// The spine, end to end: real kubectl rolls an application out over two hosts with real containers, through kills and a cut cable.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { portForwarded, talk } from '../rig/port-forward.ts'
import { podsSettled } from '../rig/ready.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

const app = (name: string, replicas: number, image = 'test/web:1') => `
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {greeting: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: ${name}}
stringData: {password: hunter2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 2}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 5
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 3}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 3}
      containers:
      - name: web
        image: ${image}
        imagePullPolicy: IfNotPresent
        ports: [{containerPort: 8080, name: http}]
        env:
        - {name: GREETING, valueFrom: {configMapKeyRef: {name: ${name}, key: greeting}}}
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: ${name}, key: password}}}
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
        lifecycle: {preStop: {exec: {command: [sleep, "1"]}}}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {type: NodePort, selector: {app: ${name}}, ports: [{port: 80, targetPort: http}]}
`

const servers = `
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: first}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx}
spec:
  replicas: 2
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: nginx
        image: test/nginx:1
        ports: [{containerPort: 80}]
        imagePullPolicy: IfNotPresent
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        volumeMounts: [{name: page, mountPath: /usr/share/nginx/html}]
      volumes: [{name: page, configMap: {name: page}}]
---
apiVersion: v1
kind: Service
metadata: {name: nginx}
spec: {selector: {app: nginx}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: redis
        image: test/redis:1
        imagePullPolicy: IfNotPresent
        readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {selector: {app: redis}, ports: [{port: 6379}]}
`

const talker = `
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  nodeName: h2
  terminationGracePeriodSeconds: 0
  containers:
  - name: talker
    image: test/busybox:1
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "seq 1 5000; sleep 3600"]
`

const fetchFrom = (host: Host, url: string) => host.run(`wget -q -O - -T 2 -t 1 ${url}`).trim()

/** Says again what it hears; and serves files on loopback alone. */
const echo = `
apiVersion: v1
kind: Pod
metadata: {name: echo}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: echo, image: test/busybox:1, command: [nc, -ll, -p, "7000", -e, cat]}
  - {name: files, image: test/busybox:1, command: [httpd, -f, -p, "127.0.0.1:7001", -h, /etc]}
`

describe.skipIf(missing)('two hosts on the embedded platform', () => {
  let stand: Stand
  let cp: ControlPlane
  let hosts: Host[]
  const k = (args: string, input?: string) => cp.k(args, input === undefined ? {} : { input })
  const path_ = (p: string) => k(`get ${p}`).trim()
  const pods = (selector = 'app=web') =>
    JSON.parse(k(`get pods -l ${selector} -o json`)).items.map((p: any) => ({
      name: p.metadata.name,
      node: p.spec.nodeName,
      ip: p.status.podIP,
      deleting: !!p.metadata.deletionTimestamp,
      ready: p.status.conditions?.some((c: any) => c.type === 'Ready' && c.status === 'True'),
      image: p.spec.containers[0].image,
      restarts: p.status.containerStatuses?.[0]?.restartCount ?? 0,
    })) as { name: string; node: string; ip: string; deleting: boolean; ready: boolean; image: string; restarts: number }[]
  const live = () => pods().filter((p) => !p.deleting)

  beforeAll(async () => {
    stand = await startStand(2, { flags: ['--node-monitor-grace-period', '6'] })
    ;({ cp, hosts } = stand)
  })
  afterAll(async () => {
    if (process.env.KEDGE_TEST_LOGS) for (const h of hosts ?? []) console.log(h.name, h.log('node.log'))
    await stand?.stop()
  })

  test('a deployment of four spreads over both hosts', async () => {
    k('apply -f -', app('web', 4))
    k('rollout status deployment/web --timeout=60s')
    expect(new Set(live().map((p) => p.node))).toEqual(new Set(['h1', 'h2']))
  })

  test('the service answers from every host and pod, by cluster IP and node port', async () => {
    const ip = path_('svc web -o jsonpath={.spec.clusterIP}')
    const port = path_('svc web -o jsonpath={.spec.ports[0].nodePort}')
    for (const from of hosts) {
      await eventually(`${from.name} reaches the cluster IP`, () => fetchFrom(from, `http://${ip}/`).endsWith('v1'))
      for (const to of hosts)
        await eventually(`${from.name} reaches the node port of ${to.name}`, () =>
          fetchFrom(from, `http://${to.ip}:${port}/`).endsWith('v1'),
        )
    }
    for (const p of live())
      await eventually(`${p.name} reaches the service`, () => k(`exec ${p.name} -- wget -q -O - -T 2 http://${ip}/`).trim().endsWith('v1'))
    for (const a of live())
      for (const b of live()) expect(k(`exec ${a.name} -- wget -q -O - -T 2 http://${b.ip}:8080/`).trim()).toBe(`${b.name} v1`)
  })

  test('a headless service lists its pods', async () => {
    k(
      'apply -f -',
      'apiVersion: v1\nkind: Service\nmetadata: {name: headless}\nspec: {clusterIP: None, selector: {app: web}, ports: [{port: 8080}]}\n',
    )
    await eventually(
      'the slice has four endpoints',
      () =>
        path_('endpointslices -l kubernetes.io/service-name=headless -o jsonpath={.items[*].endpoints[*].addresses[0]}').split(' ')
          .length === 4,
    )
  })

  test('config and secrets reach the containers', () => {
    expect(k(`exec deploy/web -- sh -c |echo $GREETING $PASSWORD|`).trim()).toBe('hello hunter2')
  })

  test('scale to eight', () => {
    k('scale deployment web --replicas=8')
    k('rollout status deployment/web --timeout=60s')
    expect(live().filter((p) => p.ready)).toHaveLength(8)
  })

  test('set image rolls out, and a client in a loop sees no failed request', async () => {
    const ip = path_('svc web -o jsonpath={.spec.clusterIP}')
    const client = hosts[0]!
    const file = path.join(client.folder, 'run/requests')
    const loop = spawn(
      'sh',
      [
        '-c',
        `exec nsenter --net=/run/netns/kedge-h1 sh -c 'while [ ! -e ${file}.stop ]; do wget -q -O - -T 3 -t 1 http://${ip}/ >> ${file} || echo FAILED >> ${file}; done'`,
      ],
      { stdio: 'ignore' },
    )
    const ended = new Promise((r) => loop.once('exit', r))
    k('set image deployment/web web=test/web:2')
    k('rollout status deployment/web --timeout=90s')
    await eventually('the new version answers', () => fetchFrom(client, `http://${ip}/`).endsWith('v2'))
    client.run('touch /run/requests.stop')
    await ended
    const answers = client.run('cat /run/requests').trim().split('\n')
    expect(answers.length).toBeGreaterThan(50)
    expect(answers.filter((a) => a === 'FAILED')).toEqual([])
  })

  test('history, undo and describe', async () => {
    expect(k('rollout history deployment/web').match(/^\d+/gm)).toEqual(['1', '2'])
    k('rollout undo deployment/web --to-revision=1')
    k('rollout status deployment/web --timeout=90s')
    expect(path_('deploy web -o jsonpath={.spec.template.spec.containers[0].image}')).toBe('test/web:1')
    expect(k('describe deployment web')).toMatch(/ScalingReplicaSet/)
    const name = live()[0]!.name
    const story = await eventually('the events are recorded', () => {
      const text = k(`describe pod ${name}`)
      return /Started container web/.test(text) && text
    })
    expect(story).toMatch(/Scheduled.*Successfully assigned[\s\S]*Started/)
  })

  test('logs follow, exec has a terminal and passes exit codes on', async () => {
    k(
      'run talk --image=test/web:1 --image-pull-policy=IfNotPresent --restart=Never --command -- sh -c |for i in 1 2 3; do echo n$i; sleep 1; done|',
    )
    k('wait pod/talk --for=condition=Ready --timeout=30s')
    expect(cp.k('logs -f talk', { timeout: 20_000 })).toBe('n1\nn2\nn3\n')
    expect(cp.kubectl('exec deploy/web -- sh -c |exit 7|').code).toBe(7)
    expect(cp.k('exec -i deploy/web -- cat', { input: 'ping\n' })).toBe('ping\n')
    const tty = await new Promise<string>((resolve) => {
      execFile(
        'script',
        ['-qec', `kubectl exec -it deploy/web -- sh -c 'tty; exit 0'`, '/dev/null'],
        { env: { ...process.env, KUBECONFIG: cp.kubeconfig } },
        (_, out) => resolve(out),
      )
    })
    expect(tty).toMatch(/\/dev\/(pts|console)/)
  })

  const bin = path.dirname(execPath('kubectl'))
  const versions = ['1.27', '1.30', '1.33'].map((v) => path.join(bin, `kubectl.${v}`)).filter(existsSync)
  test.each([...versions, 'kubectl', launcher])('port-forward of %s reaches what listens in a pod, on loopback too', async (kubectl) => {
    k('apply -f -', echo)
    k('wait pod/echo --for=condition=Ready --timeout=30s')
    const big = randomBytes(3 << 20)
    await portForwarded(kubectl, cp.kubeconfig, ['pod/echo', ':7000'], async (port) => {
      expect((await talk(port, Buffer.from('hello'))).toString()).toBe('hello')
      const all = await Promise.all(Array.from({ length: 8 }, () => talk(port, big)))
      for (const answer of all) expect(answer.equals(big)).toBe(true)
    })
    await portForwarded(kubectl, cp.kubeconfig, ['pod/echo', ':7001'], async (port) => {
      expect(await (await fetch(`http://127.0.0.1:${port}/group`)).text()).toMatch(/^root:/)
    })
    await portForwarded(kubectl, cp.kubeconfig, ['svc/web', ':80'], async (port) => {
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toMatch(/^web-\S+ v/)
    })
  })

  test('a port where nobody listens: the client is told', async () => {
    const said = await new Promise<string>((resolve) => {
      const child = execFile(
        launcher,
        ['port-forward', 'pod/echo', '17001:7002'],
        { env: { ...process.env, KUBECONFIG: cp.kubeconfig } },
        (_, __, stderr) => resolve(stderr),
      )
      child.stdout!.once('data', () => void talk(17_001, Buffer.from('x')).catch(() => {}))
      child.stderr!.once('data', () => child.kill('SIGTERM'))
    })
    expect(said).toMatch(/error occurred forwarding 17001 -> 7002: .*ECONNREFUSED/)
  })

  test('a deleted pod is replaced', async () => {
    const [first] = live()
    k(`delete pod ${first!.name}`)
    await eventually('eight are ready again', () => live().filter((p) => p.ready).length === 8)
    expect(live().map((p) => p.name)).not.toContain(first!.name)
  })

  test.each(versions)('%s works', async (kubectl) => {
    const run = (args: string, input?: string) => cp.k(args, { kubectl, ...(input ? { input } : {}) })
    const name = `v${kubectl.split('.').at(-1)}`
    run('apply -f -', app(name, 1))
    run(`rollout status deployment/${name} --timeout=60s`)
    run(`set image deployment/${name} web=test/web:2`)
    run(`rollout status deployment/${name} --timeout=60s`)
    expect(run(`get deploy ${name}`)).toMatch(/1\/1/)
    // kubectl's deploy/NAME means the pod that was ready first, which for some versions may be one that is going.
    await podsSettled(cp)
    expect(run('explain deployment.spec.strategy')).toMatch(/rollingUpdate/)
    expect(run(`logs deploy/${name}`)).toBe('')
    // Over SPDY before 1.30, over WebSockets since.
    expect(run(`exec deploy/${name} -- echo hi`)).toBe('hi\n')
    expect(run(`exec -i deploy/${name} -- cat`, 'ping\n')).toBe('ping\n')
    expect(cp.kubectl(`exec deploy/${name} -- sh -c |exit 7|`, { kubectl }).code).toBe(7)
    run('delete -f -', app(name, 1))
  })

  test('kill -9 of the control plane in the middle of a rollout: it finishes after the restart', async () => {
    await podsSettled(cp)
    const before = hosts.flatMap((h) => h.containers())
    await cp.kill()
    expect(hosts.flatMap((h) => h.containers())).toEqual(before)
    await cp.start()
    k('set image deployment/web web=test/web:3')
    await eventually('the rollout has begun', () => pods().some((p) => p.image === 'test/web:3'))
    await cp.kill()
    await cp.start()
    k('rollout status deployment/web --timeout=120s')
    expect(live().every((p) => p.image === 'test/web:3')).toBe(true)
  })

  test('kill -9 of a daemon: no container restarts, and what was deleted meanwhile goes', async () => {
    await eventually('old pods are gone', () => pods().every((p) => !p.deleting))
    const [h1] = hosts as [Host]
    const before = h1.containers('--filter label=io.kubernetes.container.name=web')
    h1.killDaemon()
    const victim = live().find((p) => p.node === 'h1')!
    k(`delete pod ${victim.name} --wait=false`)
    h1.startDaemon()
    await eventually('the deleted pod is gone', () => !pods().some((p) => p.name === victim.name))
    await eventually('eight are ready', () => live().filter((p) => p.ready).length === 8)
    const after = h1.containers('--filter label=io.kubernetes.container.name=web')
    expect(before.filter((c) => after.includes(c))).toHaveLength(before.length - 1)
    expect(live().every((p) => p.restarts === 0)).toBe(true)
  })

  test('Docker restarted: its pods come back', async () => {
    const [h1] = hosts as [Host]
    await h1.stopDocker()
    await h1.startDocker()
    await eventually(
      'every pod of h1 runs again',
      () => live().every((p) => p.ready) && live().some((p) => p.node === 'h1' && p.restarts > 0),
      60_000,
    )
    const ip = path_('svc web -o jsonpath={.spec.clusterIP}')
    for (const h of hosts) await eventually(`${h.name} reaches the service`, () => fetchFrom(h, `http://${ip}/`).endsWith('v3'))
  })

  test('a host that is cut off: its pods move after the toleration', async () => {
    const [, h2] = hosts as [Host, Host]
    h2.cut()
    await eventually('h2 is NotReady', () => /h2 +NotReady/.test(k('get nodes --no-headers')), 60_000)
    await eventually('eight run on h1', () => live().filter((p) => p.ready && p.node === 'h1').length === 8, 60_000)
    h2.mend()
    await eventually('h2 is back', () => /h2 +Ready/.test(k('get nodes --no-headers')), 60_000)
    await eventually(
      'what was evicted is gone from h2',
      () => pods().every((p) => !p.deleting) && h2.containers('--filter label=io.kubernetes.container.name=web').length === 0,
      60_000,
    )
  })

  test('nginx serves a page from a ConfigMap, redis keeps what it is told', async () => {
    k('apply -f -', servers)
    k('rollout status deployment/nginx --timeout=60s')
    k('rollout status deployment/redis --timeout=60s')
    const ip = path_('svc nginx -o jsonpath={.spec.clusterIP}')
    for (const h of hosts) await eventually(`${h.name} gets the page`, () => fetchFrom(h, `http://${ip}/`) === 'first')
    k('patch configmap page --type=merge -p {"data":{"index.html":"second"}}')
    for (const h of hosts) await eventually(`${h.name} gets the new page`, () => fetchFrom(h, `http://${ip}/`) === 'second')
    k('exec deploy/redis -- redis-cli set colour green')
    const redis = path_('svc redis -o jsonpath={.spec.clusterIP}')
    expect(k(`exec deploy/redis -- redis-cli -h ${redis} get colour`).trim()).toBe('green')
  })

  test('over a thin line a pod starts, its log comes, and the node stays Ready', async () => {
    const [, h2] = hosts as [Host, Host]
    h2.slow('256kbit')
    try {
      k('apply -f -', talker)
      k('wait --for=condition=Ready pod/talker --timeout=60s')
      await eventually('the whole log', () => k('logs talker').trim().split('\n').length === 5000)
      expect(k('get nodes --no-headers')).not.toContain('NotReady')
    } finally {
      h2.slow(undefined)
    }
  })

  test('deleting everything leaves nothing on the hosts', async () => {
    k('delete deployment --all')
    k('delete pod --all')
    await eventually('no container is left', () => hosts.every((h) => h.containers().length === 0), 60_000)
    for (const h of hosts) {
      expect(h.try('ls /run/netns').trim()).toBe('')
      await eventually(
        `addresses of ${h.name} are given back`,
        () => h.try(`ls ${path.join(h.folder, 'data/cni/kedge')} 2>/dev/null | grep -c '^10\\.' || true`).trim() === '0',
      )
    }
  })
})

function execPath(name: string): string {
  for (const dir of (process.env.PATH ?? '').split(':')) if (existsSync(path.join(dir, name))) return realpathSync(path.join(dir, name))
  return name
}
