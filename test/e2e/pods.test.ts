// Pods on a node, one behaviour after the other, with real containers.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { Registry } from '../rig/registry.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

/** Says when it is told to go, with the time, and takes so long to do it. */
const leaving = (name: string, seconds: number) =>
  `{name: ${name}, image: "test/busybox:1", command: [sh, -c, "trap \\"sleep ${seconds}; echo ${name} >> /out/order; exit 0\\" TERM; while :; do sleep 0.1; done"], volumeMounts: [{name: out, mountPath: /out}]`

const pod = (name: string, spec: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 8
  ${spec.trim()}
---`

describe.skipIf(missing)('pods on a host', () => {
  let stand: Stand
  let cp: ControlPlane
  let host: Host

  beforeAll(async () => {
    stand = await startStand(1)
    cp = stand.cp
    host = stand.hosts[0]!
  }, 120_000)
  afterAll(() => stand?.stop())

  const applied = (...pods: string[]) => cp.k('apply -f -', { input: pods.join('') })
  const isReady = (name: string) => cp.k(`wait pod/${name} --for=condition=Ready --timeout=30s`)
  const order = (folder: string) => host.try(`cat /var/log/${folder}/order`).trim().split('\n')
  const out = (folder: string) => `volumes: [{name: out, hostPath: {path: /var/log/${folder}, type: DirectoryOrCreate}}]`

  test('sidecars go after those that they serve, the last that came first', async () => {
    applied(
      pod(
        'served',
        `initContainers:
  - ${leaving('first', 0)}, restartPolicy: Always}
  - ${leaving('second', 0)}, restartPolicy: Always}
  containers:
  - ${leaving('slow', 1)}}
  - ${leaving('quick', 0)}}
  ${out('served')}`,
      ),
    )
    isReady('served')
    cp.k('delete pod served')
    expect(order('served')).toEqual(['quick', 'slow', 'second', 'first'])
  })

  test('the sidecars of a pod that has done its work are told to go', async () => {
    applied(
      pod(
        'work',
        `restartPolicy: Never
  initContainers:
  - ${leaving('helper', 0)}, restartPolicy: Always}
  containers:
  - {name: c, image: "test/busybox:1", command: [sleep, "1"]}
  ${out('work')}`,
      ),
    )
    await eventually('it has succeeded', () => cp.k('get pod work -o jsonpath={.status.phase}') === 'Succeeded')
    expect(order('work')).toEqual(['helper'])
  })

  test('a probe has a grace of its own', async () => {
    const trap = 'trap : TERM; while :; do sleep 0.1; done'
    const probe =
      'livenessProbe: {exec: {command: [test, -e, /well]}, periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 1}'
    // The pod's own is longer than anybody waits here.
    const spec = `containers: [{name: c, image: "test/busybox:1", command: [sh, -c, "${trap}"], ${probe}}]`
    applied(pod('stubborn', spec).replace('PeriodSeconds: 8', 'PeriodSeconds: 600'))
    await eventually('it was restarted', () => cp.k('get pod stubborn -o jsonpath={.status.containerStatuses[0].restartCount}') === '1')
    cp.k('delete pod stubborn --grace-period=0 --force')
  })

  test('last words are taken from the file, or from the log where the pod asks for that', async () => {
    const says = (name: string, command: string, policy: string) =>
      pod(
        name,
        `restartPolicy: Never\n  containers: [{name: c, image: "test/busybox:1", command: [sh, -c, "${command}"], terminationMessagePolicy: ${policy}}]`,
      )
    applied(
      says('written', 'echo file > /dev/termination-log; echo log; exit 1', 'FallbackToLogsOnError'),
      says('said', 'echo one; sleep 0.3; echo two >&2; exit 1', 'FallbackToLogsOnError'),
      says('well', 'echo log', 'FallbackToLogsOnError'),
      says('silent', 'echo log; exit 1', 'File'),
    )
    const words = (name: string) => cp.k(`get pod ${name} -o jsonpath={.status.containerStatuses[0].state.terminated.message}`)
    await eventually('the log is read', () => words('said') === 'one\ntwo\n')
    await eventually(
      'all have ended',
      () => cp.k('get pod written well silent -o jsonpath={.items[*].status.phase}') === 'Failed Succeeded Failed',
    )
    expect(['written', 'well', 'silent'].map(words)).toEqual(['file\n', '', ''])
    cp.k('delete pod written said well silent --grace-period=0 --force')
  })

  test('profiles of the kernel hold, or do not', async () => {
    const shows = 'command: [sh, -c, "grep Seccomp: /proc/self/status; sleep 600"]'
    const one = (name: string, context: string) =>
      pod(name, `containers: [{name: c, image: "test/busybox:1", ${shows}, securityContext: ${context}}]`)
    applied(
      one('default', '{seccompProfile: {type: RuntimeDefault}}'),
      one('none', '{seccompProfile: {type: Unconfined}}'),
      one('unknown', '{seccompProfile: {type: Localhost, localhostProfile: nope.json}}'),
    )
    isReady('default')
    isReady('none')
    expect([cp.k('logs default'), cp.k('logs none')].map((t) => t.trim())).toEqual(['Seccomp:\t2', 'Seccomp:\t0'])
    await eventually('it says why it waits', () => cp.k('get pod unknown').includes('CreateContainerConfigError'))
    expect(cp.k('describe pod unknown')).toContain('cannot load seccomp profile')
    cp.k('delete pod default none unknown --grace-period=0 --force')
  })

  test('devices that the machine’s owner names go to one container each', async () => {
    const file = path.join(host.folder, 'data/resources.yaml')
    writeFileSync(file, 'resources: [{name: example.com/zero, devices: [{paths: [/dev/loop-control], env: {WHICH: one}}]}]')
    host.killDaemon()
    host.startDaemon()
    const capacity = () => JSON.parse(cp.k('get node h1 -o json')).status.allocatable['example.com/zero']
    await eventually('the node has it', () => capacity() === '1')
    const asking = (name: string) =>
      pod(name, `containers: [{name: c, image: "test/busybox:1", command: [sleep, "3600"], resources: {limits: {example.com/zero: 1}}}]`)
    applied(asking('first'))
    isReady('first')
    expect(cp.k('exec first -- sh -c |ls /dev/loop-control; echo $WHICH|').trim().split('\n')).toEqual(['/dev/loop-control', 'one'])
    applied(asking('second'))
    await eventually('there is no second one', () =>
      /Insufficient example.com\/zero/.test(cp.k('get events --field-selector involvedObject.name=second')),
    )
    cp.k('delete pod first --grace-period=1')
    isReady('second')
    cp.k('delete pod second --grace-period=1')
    rmSync(file)
    host.killDaemon()
    host.startDaemon()
    await eventually('it has gone', () => capacity() === '0')
  })

  test('a pod is bounded as a whole, and shares by its class', async () => {
    const one = (name: string, resources: string) =>
      pod(name, `containers: [{name: c, image: "test/busybox:1", command: [sleep, "3600"], resources: ${resources}}]`)
    const groups = () => host.run("find /sys/fs/cgroup -path '*kedge-h1/kubepods*' -name 'pod*' | wc -l").trim()
    // Those of earlier tests may be on their way out.
    cp.k('delete pod --all --grace-period=1')
    await eventually('nobody is here', () => groups() === '0')
    applied(one('modest', '{}'), one('asking', '{requests: {cpu: 300m}}'), one('sure', '{limits: {cpu: 500m, memory: 64Mi}}'))
    for (const name of ['modest', 'asking', 'sure']) isReady(name)
    const uidOf = (name: string) => cp.k(`get pod ${name} -o jsonpath={.metadata.uid}`)
    const [modest, asking, sure] = ['modest', 'asking', 'sure'].map(uidOf)
    const value = (file: string) => host.run(`cat /sys/fs/cgroup/${file}`).trim()
    const top = 'kedge-h1/kubepods'
    const isOld = host.try('ls /sys/fs/cgroup/cgroup.controllers') === ''
    const shares = (at: string) => value(isOld ? `cpu/${top}${at}/cpu.shares` : `${top}${at}/cpu.weight`)
    const memory = (at: string) => value(isOld ? `memory/${top}${at}/memory.limit_in_bytes` : `${top}${at}/memory.max`)
    const of = (old: number) => String(isOld ? old : 1 + Math.floor(((old - 2) * 9999) / 262_142))
    expect([shares('/besteffort'), shares(`/besteffort/pod${modest}`)]).toEqual([of(2), of(2)])
    expect([shares('/burstable'), shares(`/burstable/pod${asking}`)]).toEqual([of(307), of(307)])
    expect([shares(`/pod${sure}`), memory(`/pod${sure}`)]).toEqual([of(512), String(64 << 20)])
    applied(one('more', '{requests: {cpu: 200m}}'))
    isReady('more')
    expect(shares('/burstable')).toBe(of(512))
    cp.k('delete pod modest asking sure more')
    expect(groups()).toBe('0')
  })

  test('containers get more or less while they run, or start anew where they ask for that', async () => {
    const resources = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu: '500m', memory: '256Mi' } })
    const container = (name: string, policy: string) =>
      `{name: ${name}, image: "test/busybox:1", command: [sleep, "3600"], resizePolicy: [{resourceName: memory, restartPolicy: ${policy}}], resources: ${JSON.stringify({ requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '128Mi' } })}}`
    applied(pod('elastic', `containers: [${container('stays', 'NotRequired')}, ${container('starts', 'RestartContainer')}]`))
    isReady('elastic')
    const patch = (...containers: object[]) => cp.k(`patch pod elastic --subresource resize -p ${JSON.stringify({ spec: { containers } })}`)
    const resize = (stays: object, starts: object) => patch({ name: 'stays', resources: stays }, { name: 'starts', resources: starts })
    const status = () => JSON.parse(cp.k('get pod elastic -o json')).status
    const statusOf = (name: string) => status().containerStatuses.find((s: any) => s.name === name)
    const boundsOf = (name: string) =>
      host
        .run(
          `docker inspect -f '{{.HostConfig.CpuShares}} {{.HostConfig.CpuQuota}} {{.HostConfig.Memory}}' ${statusOf(name).containerID.slice('docker://'.length)}`,
        )
        .trim()
    resize(resources('200m', '128Mi'), resources('200m', '128Mi'))
    await eventually('both have it', () =>
      ['stays', 'starts'].every((n) => statusOf(n).resources?.limits.memory === '256Mi' && statusOf(n).ready),
    )
    expect(['stays', 'starts'].map((n) => [statusOf(n).restartCount, boundsOf(n)])).toEqual([
      [0, '204 50000 268435456'],
      [1, '204 50000 268435456'],
    ])
    expect(statusOf('stays').allocatedResources).toEqual({ cpu: '200m', memory: '128Mi' })
    // More than the machine has: it keeps what it has, and says why.
    patch({ name: 'stays', resources: { requests: { cpu: '900' }, limits: { cpu: '901' } } })
    const pending = await eventually('it is told', () => status().conditions.find((c: any) => c.type === 'PodResizePending'))
    expect(pending).toMatchObject({
      status: 'True',
      reason: 'Infeasible',
      message: expect.stringMatching(/^Node didn't have enough capacity: cpu, requested: 900200, /),
    })
    expect(boundsOf('stays')).toBe('204 50000 268435456')
    // What was granted outlasts the daemon.
    host.killDaemon()
    host.startDaemon()
    resize(resources('100m', '128Mi'), resources('200m', '128Mi'))
    await eventually('it has less', () => boundsOf('stays') === '102 50000 268435456')
    await eventually('nothing is waited for', () => !status().conditions.some((c: any) => c.type === 'PodResizePending'))
    expect(statusOf('stays').restartCount).toBe(0)
    cp.k('delete pod elastic')
  })

  test('pods of the machine itself run without the API, which shows them', async () => {
    const folder = path.join(host.folder, 'data/manifests')
    const write = (file: string, says: string) =>
      writeFileSync(
        path.join(folder, file),
        `apiVersion: v1\nkind: Pod\nmetadata: {name: ${path.parse(file).name}}\nspec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "test/busybox:1", command: [sh, -c, "echo ${says}; sleep 3600"]}]}\n`,
      )
    const containers = (name: string) =>
      host.containers(`--filter label=io.kubernetes.pod.name=${name}-h1 --filter label=io.kubernetes.container.name=c`)
    write('own.yaml', 'one')
    await eventually('it is shown', () => cp.kubectl('get pod own-h1').code === 0)
    isReady('own-h1')
    expect(cp.k('logs own-h1')).toBe('one\n')
    expect(cp.k('exec own-h1 -- echo hi')).toBe('hi\n')
    const [id] = containers('own')
    const uid = () => cp.k('get pod own-h1 -o jsonpath={.metadata.uid}')
    const before = uid()
    cp.k('delete pod own-h1')
    await eventually('it is shown again', () => cp.kubectl('get pod own-h1').code === 0 && uid() !== before)
    isReady('own-h1')
    expect(containers('own')).toEqual([id])
    write('own.yaml', 'two')
    await eventually('it runs as the file is now', () => cp.kubectl('logs own-h1').out === 'two\n')
    // Who only says so is a pod like any other.
    const pretender = pod('pretender', 'containers: [{name: c, image: "test/busybox:1", command: [sleep, "3600"]}]')
    applied(pretender.replace('{name: pretender}', '{name: pretender, annotations: {kubernetes.io/config.source: file}}'))
    isReady('pretender')
    cp.k('delete pod pretender --grace-period=0 --force')
    // Without the API, and with a daemon that has never heard of it.
    await cp.kill()
    host.killDaemon()
    const [second] = containers('own')
    write('late.yaml', 'three')
    host.startDaemon()
    await eventually('the new one runs', () => containers('late').length === 1)
    expect(containers('own')).toEqual([second])
    await cp.start()
    await eventually('it is shown', () => cp.kubectl('get pod late-h1').code === 0)
    isReady('late-h1')
    for (const f of ['own.yaml', 'late.yaml']) rmSync(path.join(folder, f))
    await eventually('both are gone', () => !/-h1$/m.test(cp.k('get pods -o name')))
    expect([...containers('own'), ...containers('late')]).toEqual([])
  })

  test('images come from a registry with the credentials of the pod, or of the machine; one that is away is asked again', async () => {
    const registry = await Registry.start(new URL(cp.url).hostname)
    try {
      const image = registry.take(host, 'test/busybox:1', 'team/app:1')
      const asking = (name: string, more = '') =>
        pod(name, `${more}containers: [{name: c, image: "${image}", imagePullPolicy: Always, command: [sleep, "3600"]}]`)
      const eventsOf = (name: string) => cp.k(`get events --field-selector involvedObject.name=${name}`)
      const secret = (name: string, password: string) =>
        cp.k(
          `create secret docker-registry ${name} --docker-server=${registry.host} --docker-username=${registry.user} --docker-password=${password}`,
        )
      const waiting = (name: string) => cp.k(`get pod ${name} -o jsonpath={.status.containerStatuses[0].state.waiting.reason}`)
      secret('right', registry.password)
      secret('wrong', 'guessed')
      applied(asking('nobody'), asking('ann', 'imagePullSecrets: [{name: wrong}, {name: right}, {name: missing}]\n  '))
      isReady('ann')
      expect(eventsOf('ann')).toContain(`Successfully pulled image "${image}"`)
      await eventually('nobody is told', () => /ErrImagePull|ImagePullBackOff/.test(waiting('nobody')))
      expect(eventsOf('nobody')).toMatch(/no basic auth credentials|unauthorized/)
      // Another pod's refusal does not hold up this one, and once the machine may, all may.
      host.run(`docker --config ${path.join(host.folder, 'data')} login -u ${registry.user} -p ${registry.password} ${registry.host}`)
      isReady('nobody')
      await registry.close()
      applied(asking('later'))
      await eventually('it waits', () => waiting('later') === 'ImagePullBackOff')
      await registry.open()
      isReady('later')
      cp.k('delete pod nobody ann later')
      // A registry that nobody reaches has a mirror, for tags and for digests.
      const file = path.join(host.folder, 'data/registries.yaml')
      writeFileSync(file, `mirrors:\n  r.example.test: {endpoint: ["http://127.0.0.1:1", "http://${registry.host}"]}\n`)
      const digest = host.run(`docker inspect -f '{{index .RepoDigests 0}}' ${image}`).trim().split('@')[1]
      const mirrored = (name: string, tail: string) => asking(name).replace(image, `r.example.test/team/app${tail}`)
      applied(mirrored('tagged', ':1'), mirrored('digested', `@${digest}`).replace('Always', 'IfNotPresent'))
      isReady('tagged')
      isReady('digested')
      expect(host.run('docker images --format {{.Repository}}:{{.Tag}}').split('\n')).toContain('r.example.test/team/app:1')
      cp.k('delete pod tagged digested')
    } finally {
      host.try(`rm -f ${path.join(host.folder, 'data/config.json')} ${path.join(host.folder, 'data/registries.yaml')}`)
      await registry.stop()
    }
  }, 120_000)

  test('a runtime class says which runtime runs a pod, all of it', async () => {
    const ofClass = (name: string, handler: string) => `
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: ${name}}
handler: ${handler}
---${pod(name, `runtimeClassName: ${name}\n  containers: [{name: c, image: "test/busybox:1", command: [sleep, "3600"]}]`)}`
    applied(ofClass('sandboxed', 'other'), ofClass('unknown', 'nobody-has-it'))
    isReady('sandboxed')
    const found = host.run('docker ps -q --filter label=io.kubernetes.pod.name=sandboxed | xargs docker inspect -f {{.HostConfig.Runtime}}')
    expect(found.trim().split('\n')).toEqual(['other', 'other'])
    await eventually('it is told', () =>
      /FailedCreatePodSandBox.*nobody-has-it/.test(cp.k('get events --field-selector involvedObject.name=unknown')),
    )
    cp.k('delete pod sandboxed unknown')
    cp.k('delete runtimeclass sandboxed unknown')
  })

  test('a node that runs short of memory sends away who has more than it asked for, and takes no more of those', async () => {
    const statusOf = (name: string) => JSON.parse(cp.k(`get pod ${name} -o json`)).status
    const sleeping = (name: string, more = '') =>
      pod(name, `containers: [{name: c, image: "test/busybox:1", command: [sleep, "3600"]${more}}]`)
    const conditionOf = () => cp.k('get node h1 -o jsonpath={.status.conditions[?(@.type=="MemoryPressure")].status}')
    applied(
      sleeping('modest'),
      pod(
        'overfull',
        `containers: [{name: c, image: "test/busybox:1", command: [sh, -c, "dd if=/dev/zero of=/v/x bs=1M count=4; sleep 3600"], volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]`,
      ),
    )
    isReady('modest')
    isReady('overfull')
    const available = Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))![1]) / 1024
    const flags = ['--eviction-hard', `memory.available<${Math.round(available - 1500)}Mi`]
    host.killDaemon()
    host.startDaemon(undefined, undefined, {}, flags)
    await eventually('the volume was too full', () => statusOf('overfull').phase === 'Failed', 60_000)
    expect(statusOf('overfull')).toMatchObject({ reason: 'Evicted', message: 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ' })
    applied(
      pod(
        'greedy',
        `containers: [{name: c, image: "test/busybox:1", command: [sh, -c, "dd if=/dev/zero of=/m/x bs=1M count=3000; sleep 3600"], volumeMounts: [{name: m, mountPath: /m}]}]
  volumes: [{name: m, emptyDir: {medium: Memory}}]`,
      ),
    )
    await eventually('the greedy one had to go', () => statusOf('greedy').phase === 'Failed', 60_000)
    const { reason, message, conditions, containerStatuses } = statusOf('greedy')
    expect([reason, message]).toEqual([
      'Evicted',
      expect.stringMatching(
        /^The node was low on resource: memory. Threshold quantity: \S+, available: \S+. Container c was using \S+, request is 0, has larger consumption of memory. $/,
      ),
    ])
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' }))
    expect(containerStatuses[0].state.terminated.exitCode).toBe(137)
    expect(statusOf('modest').phase).toBe('Running')
    expect(cp.k('get events --field-selector reason=Evicted')).toMatch(/pod\/greedy/)
    expect(conditionOf()).toBe('True')
    await eventually('the node is tainted', () => cp.k('get node h1 -o yaml').includes('node.kubernetes.io/memory-pressure'))
    applied(
      sleeping('late').replace('spec:', 'spec:\n  nodeName: h1'),
      sleeping('counted', ', resources: {requests: {memory: 16Mi}}').replace('spec:', 'spec:\n  nodeName: h1'),
    )
    isReady('counted')
    await eventually('one that asked for nothing is refused', () => statusOf('late').phase === 'Failed')
    expect(statusOf('late').message).toBe('Pod was rejected: The node had condition: [MemoryPressure]. ')
    // The same bound as a soft one: the node says so, and who has to go may end well, after as long as it may last.
    const bound = `memory.available<${Math.round(available * 2)}Mi`
    const soft = ['--eviction-soft', bound, '--eviction-soft-grace-period', 'memory.available=3s', '--eviction-max-pod-grace-period', '5']
    applied(
      pod(
        'polite',
        `containers: [{name: c, image: "test/busybox:1", resources: {requests: {memory: 1Mi}}, command: [sh, -c, "trap 'exit 7' TERM; dd if=/dev/zero of=/m/x bs=1M count=64; while :; do sleep 0.1; done"], volumeMounts: [{name: m, mountPath: /m}]}]
  volumes: [{name: m, emptyDir: {medium: Memory}}]`,
      ).replace('spec:', 'spec:\n  nodeName: h1'),
    )
    isReady('polite')
    host.killDaemon()
    host.startDaemon(undefined, undefined, {}, soft)
    await eventually('the polite one had to go', () => statusOf('polite').phase === 'Failed', 60_000)
    expect(statusOf('polite')).toMatchObject({ reason: 'Evicted', containerStatuses: [{ state: { terminated: { exitCode: 7 } } }] })
    host.killDaemon()
    host.startDaemon()
    await eventually('the node is well again', () => conditionOf() === 'False')
    expect(statusOf('greedy').message).toBe(message)
    cp.k('delete pod modest overfull greedy late counted polite')
  })
})
