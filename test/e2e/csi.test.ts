// Volumes of a CSI driver: a real one, in Go, that runs in a pod of the node as drivers do.
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { loopDevice, podWithDevice } from '../rig/devices.ts'
import { eventually, type Host, quietly, ROOT, sh } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const noGo = quietly('command -v go').trim() ? undefined : 'the CSI driver needs Go'
const missing = standMissing() ?? noGo
if (noGo && process.env.CI === 'true') throw new Error(noGo)
if (noGo) console.warn(`volumes of CSI drivers are not tested: ${noGo}`)

const HERE = path.join(import.meta.dirname, '../csi/driver')
const [NAME, KUBELET] = ['test.csi', '/var/lib/kubelet']
const ENDPOINT = `${KUBELET}/plugins/${NAME}/csi.sock`

/** One archive for `docker load`: the driver and nothing else. */
function driverImage(host: Host): void {
  const folder = path.join(ROOT, 'images/csi')
  mkdirSync(path.join(folder, 'tmp'), { recursive: true })
  // Built once; Go's own cache knows it the next time.
  execFileSync('go', ['build', '-buildvcs=false', '-o', path.join(folder, 'driver'), '.'], {
    cwd: HERE,
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: 'pipe',
    timeout: 300_000,
  })
  sh(`tar -C ${folder} -c . | DOCKER_HOST=unix://${host.docker} docker import -c 'ENTRYPOINT ["/driver"]' - test/csi:1`)
}

const driver = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'driver', namespace: 'kube-system' },
  spec: {
    selector: { matchLabels: { app: 'driver' } },
    template: {
      metadata: { labels: { app: 'driver' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'driver',
            image: 'test/csi:1',
            args: ['-node', '$(NODE)', '-endpoint', ENDPOINT, '-registry', `/registry/${NAME}-reg.sock`, '-data', '/data'],
            env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
            securityContext: { privileged: true },
            volumeMounts: [
              { name: 'kubelet', mountPath: KUBELET, mountPropagation: 'Bidirectional' },
              { name: 'registry', mountPath: '/registry' },
              { name: 'socket', mountPath: path.dirname(ENDPOINT) },
              { name: 'data', mountPath: '/data' },
              { name: 'devices', mountPath: '/dev' },
            ],
          },
        ],
        volumes: [
          { name: 'kubelet', hostPath: { path: KUBELET, type: 'Directory' } },
          { name: 'registry', hostPath: { path: `${KUBELET}/plugins_registry`, type: 'Directory' } },
          { name: 'socket', hostPath: { path: path.dirname(ENDPOINT), type: 'DirectoryOrCreate' } },
          { name: 'devices', hostPath: { path: '/dev' } },
          { name: 'data', hostPath: { path: '/var/log/csi-data', type: 'DirectoryOrCreate' } },
        ],
      },
    },
  },
}

const about = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: NAME },
  spec: { attachRequired: true, podInfoOnMount: true, volumeLifecycleModes: ['Persistent', 'Ephemeral'], fsGroupPolicy: 'File' },
}

const volume = (name: string, attributes: object, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: '',
    claimRef: { namespace: 'default', name },
    ...more,
    csi: {
      driver: NAME,
      volumeHandle: name,
      volumeAttributes: attributes,
      nodeStageSecretRef: { namespace: 'kube-system', name: 'csi-password' },
      nodeExpandSecretRef: { namespace: 'kube-system', name: 'csi-password' },
    },
  },
})
const claim = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', volumeName: name, resources: { requests: { storage: '1Gi' } }, ...more },
})
const pod = (name: string, source: object, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'c', image: 'test/busybox:1', command: ['sleep', '3600'], volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
    volumes: [{ name: 'v', ...source }],
    ...more,
  },
})
const ofClaim = (claimName: string) => ({ persistentVolumeClaim: { claimName } })

describe.skipIf(missing)('a CSI driver on a host', () => {
  let stand: Stand
  let cp: ControlPlane
  let host: Host
  const applied = (...objects: object[]) =>
    cp.k('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) })
  const json = (args: string) => JSON.parse(cp.k(`${args} -o json`))
  const isReady = (name: string) => cp.k(`wait pod/${name} --for=condition=Ready --timeout=60s`)
  const run = (name: string, command: string) => cp.k(`exec ${name} -- sh -c |${command}|`).trim()
  const eventsOf = (name: string) => cp.k(`get events --field-selector involvedObject.name=${name}`)
  const staged = () => host.try(`find ${KUBELET}/plugins/kubernetes.io/csi -name globalmount`).trim().split('\n').filter(Boolean)

  beforeAll(async () => {
    stand = await startStand(1)
    cp = stand.cp
    host = stand.hosts[0]!
    driverImage(host)
    cp.k('create secret generic csi-password -n kube-system --from-literal=password=right')
    applied(about, driver)
  }, 400_000)
  afterAll(() => stand?.stop())

  test('it registers, and the node says so', async () => {
    const found = await eventually('it is there', () => {
      const { spec, metadata } = json('get csinode h1')
      return spec.drivers.length && { drivers: spec.drivers, owner: metadata.ownerReferences[0].name }
    })
    const keys = ['topology.test.csi/node']
    expect(found).toEqual({ drivers: [{ name: NAME, nodeID: 'h1', topologyKeys: keys, allocatable: { count: 20 } }], owner: 'h1' })
    expect(json('get node h1').metadata).toMatchObject({
      labels: { 'topology.test.csi/node': 'h1' },
      annotations: { 'csi.volume.kubernetes.io/nodeid': `{"${NAME}":"h1"}` },
    })
    await eventually('it was told', () => cp.k('logs -n kube-system ds/driver').includes('registered: true'))
  })

  test('a volume is attached, brought here once, shown to each pod, and let go with the last of them', async () => {
    applied(
      volume('vol', { password: 'right', attached: 'yes' }),
      claim('vol'),
      pod('one', ofClaim('vol'), { securityContext: { fsGroup: 2000 } }),
    )
    const { name } = (await eventually('an attachment is asked for', () => json('get volumeattachments').items[0])).metadata
    await eventually('the pod waits for it', () => eventsOf('one').includes('attachment is being waited for'))
    const status = { attached: true, attachmentMetadata: { attached: 'yes' } }
    cp.k(`patch volumeattachment ${name} --subresource=status --type=merge -p ${JSON.stringify({ status })}`)
    isReady('one')
    expect(run('one', 'echo kept > /v/f; stat -c "%g %a" /v')).toBe('2000 2775')
    applied(pod('two', ofClaim('vol')))
    isReady('two')
    expect(run('two', 'cat /v/f')).toBe('kept')
    expect(staged()).toHaveLength(1)
    cp.k('delete pod one')
    expect([staged().length, run('two', 'cat /v/f')]).toEqual([1, 'kept'])
    cp.k('delete pod two')
    expect(staged()).toEqual([])
    await eventually('it is let go', () => json('get volumeattachments').items.length === 0)
  })

  test('what the driver does not like is told in its words, and well once it is mended', async () => {
    // That field stays as it was made.
    cp.k(`delete csidriver ${NAME}`)
    applied({ ...about, spec: { ...about.spec, attachRequired: false } })
    applied(volume('locked', { password: 'other' }), claim('locked'), pod('locked', ofClaim('locked')))
    await eventually('it is told', () => /FailedMount.*the password is wrong/.test(eventsOf('locked')))
    cp.k('patch secret csi-password -n kube-system -p {"stringData":{"password":"other"}}')
    isReady('locked')
    cp.k('delete pod locked')
  })

  test('a volume that was enlarged grows under its pod, and the claim says so when it has', async () => {
    applied(volume('more', { password: 'other' }), claim('more'), pod('more', ofClaim('more')))
    isReady('more')
    run('more', 'echo 1 > /v/a; echo 2 > /v/b')
    const conditions = [{ type: 'FileSystemResizePending', status: 'True' }]
    cp.k(`patch pvc more --subresource=status --type=merge -p ${JSON.stringify({ status: { conditions } })}`)
    cp.k('patch pv more -p {"spec":{"capacity":{"storage":"3Gi"}}}')
    await eventually('it is told that it does not grow', () => eventsOf('more').includes('it wants to be asked kindly'))
    expect(json('get pvc more').status).toMatchObject({ capacity: { storage: '1Gi' }, conditions })
    cp.k('patch secret csi-password -n kube-system -p {"stringData":{"grow":"please"}}')
    const { status } = await eventually('it has grown', () => {
      const found = json('get pvc more')
      return found.status.capacity.storage === '3Gi' && found
    })
    expect(status.conditions).toBeUndefined()
    const summary = JSON.parse(cp.k('get --raw /api/v1/nodes/h1/proxy/stats/summary'))
    const [used] = summary.pods.find((p: any) => p.podRef.name === 'more').volume
    const bytes = 3 * 2 ** 30
    expect(used).toMatchObject({ name: 'v', capacityBytes: bytes, usedBytes: 7, availableBytes: bytes - 7, inodes: 100, inodesUsed: 2 })
    cp.k('delete pod more')
  })

  test('a volume without a file system is a device of its pod', async () => {
    const device = loopDevice(host, 'csi')
    try {
      applied(
        volume('raw', { device, password: 'other' }, { volumeMode: 'Block' }),
        claim('raw', { volumeMode: 'Block' }),
        podWithDevice('raw', 'raw'),
        // Not to be had in the other way.
        pod('mounts', ofClaim('raw')),
      )
      isReady('raw')
      run('raw', 'echo raw > /dev/raw; sync')
      expect(host.run(`head -c 3 ${device}`)).toBe('raw')
      await eventually('it is told', () => eventsOf('mounts').includes('has volumeMode Block, but is specified in volumeMounts'))
      cp.k('delete pod raw mounts')
    } finally {
      host.run(`losetup -d ${device}`)
    }
  })

  test('a volume of one pod alone knows whose it is, and goes with it', async () => {
    const inline = { csi: { driver: NAME, readOnly: true, volumeAttributes: { greeting: 'hello' } } }
    applied(pod('inline', inline))
    isReady('inline')
    expect(run('inline', 'cat /v/who; touch /v/x 2>&1; true')).toMatch(/^default\/inline hello\s*touch: .*Read-only/)
    expect(host.run('ls /var/log/csi-data')).toMatch(/csi-[0-9a-f]{64}/)
    cp.k('delete pod inline')
    expect(host.run('ls /var/log/csi-data')).not.toMatch(/csi-/)
  })

  test('the daemon may end, and so may the driver: pods keep their volumes, and who is deleted meanwhile goes when it is back', async () => {
    cp.k('patch secret csi-password -n kube-system -p {"stringData":{"password":"right"}}')
    applied(volume('steady', { password: 'right' }), claim('steady'), pod('steady', ofClaim('steady')))
    isReady('steady')
    run('steady', 'echo here > /v/f')
    host.killDaemon()
    host.startDaemon()
    await eventually('the daemon is back', () => run('steady', 'cat /v/f') === 'here')
    cp.k('patch daemonset driver -n kube-system -p {"spec":{"template":{"spec":{"nodeSelector":{"nowhere":"x"}}}}}')
    await eventually('the driver has gone', () => json('get pods -n kube-system').items.length === 0)
    host.run(`rm -f ${KUBELET}/plugins_registry/${NAME}-reg.sock`)
    await eventually('the node says so', () => json('get csinode h1').spec.drivers.length === 0)
    expect(run('steady', 'cat /v/f')).toBe('here')
    cp.k('delete pod steady --wait=false')
    await eventually('its container has ended', () => host.try('docker ps -q --filter label=io.kubernetes.pod.name=steady') === '')
    expect(json('get pod steady').metadata.deletionTimestamp).toBeTruthy()
    cp.k('patch daemonset driver -n kube-system --type=json -p [{"op":"remove","path":"/spec/template/spec/nodeSelector"}]')
    await eventually('it has gone', () => cp.kubectl('get pod steady').code !== 0, 60_000)
  })

  test('nothing is left of any of them', () => {
    expect(host.run(`ls ${KUBELET}/pods`)).toBe('')
    expect(staged()).toEqual([])
    expect(host.run(`grep -c 'kubernetes.io.csi' /proc/mounts || true`)).toBe('0\n')
  })
})
