// Volumes on a node, one behaviour after the other, with real containers: parts of them, whose they are, and what they may be.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { loopDevice, podWithDevice } from '../rig/devices.ts'
import { eventually, type Host } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

/** A pod of one container that sleeps. JSON, so that nothing of it is YAML's to read. */
const pod = (
  name: string,
  { volumes, mounts, container, ...spec }: { volumes: object[]; mounts: object[]; container?: object; [k: string]: unknown },
) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image: 'test/busybox:1', command: ['sleep', '3600'], volumeMounts: mounts, ...container }],
      volumes,
      ...spec,
    },
  })

describe.skipIf(missing)('volumes on a host', () => {
  let stand: Stand
  let cp: ControlPlane
  let host: Host

  beforeAll(async () => {
    stand = await startStand(1)
    cp = stand.cp
    host = stand.hosts[0]!
  }, 120_000)
  afterAll(() => stand?.stop())

  const applied = (...objects: string[]) => {
    for (const input of objects) cp.k('apply -f -', { input })
  }
  const isReady = (name: string) => cp.k(`wait pod/${name} --for=condition=Ready --timeout=30s`)
  const run = (name: string, command: string, container = 'c') => cp.k(`exec ${name} -c ${container} -- sh -c |${command}|`).trim()
  const waits = (name: string) => {
    const [s] = JSON.parse(cp.k(`get pod ${name} -o json`)).status.containerStatuses ?? []
    return `${s?.state.waiting?.reason} ${s?.state.waiting?.message}`
  }
  const eventsOf = (name: string) => cp.k(`get events --field-selector involvedObject.name=${name}`)

  test('a part of a volume is made with the rights of the whole, and is the same one after a restart', async () => {
    const mounts = [
      { name: 'v', mountPath: '/whole' },
      { name: 'v', mountPath: '/part', subPath: 'a/b' },
      { name: 'v', mountPath: '/mine', subPathExpr: '$(NAME)' },
      { name: 'config', mountPath: '/etc/one.conf', subPath: 'one.conf' },
    ]
    const env = [{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }]
    cp.k('create configmap parts --from-literal=one.conf=first --from-literal=two.conf=x')
    const volumes = [
      { name: 'v', emptyDir: {} },
      { name: 'config', configMap: { name: 'parts' } },
    ]
    applied(pod('parts', { volumes, mounts, container: { env, securityContext: { runAsUser: 1000 } } }))
    isReady('parts')
    expect(run('parts', 'echo x > /part/f && echo y > /mine/g && cat /whole/a/b/f /whole/parts/g /etc/one.conf')).toBe('x\ny\nfirst')
    cp.k('patch configmap parts -p {"data":{"one.conf":"second"}}')
    host.run('docker ps -q --filter label=io.kubernetes.container.name=c | xargs docker kill')
    await eventually('it was restarted', () => cp.k('get pod parts -o jsonpath={.status.containerStatuses[0].restartCount}') === '1')
    isReady('parts')
    // What a restarted container mounts is what is there then.
    expect(run('parts', 'cat /part/f /etc/one.conf')).toBe('x\nsecond')
    cp.k('delete pod parts')
    await eventually('nothing stays mounted', () => !host.run('cat /proc/self/mounts').includes('volume-subpaths'))
  })

  test('links in a volume lead nobody out of it', async () => {
    const volumes = [{ name: 'v', emptyDir: {} }]
    const mounts = [{ name: 'v', mountPath: '/v', subPath: 'trap' }]
    const setter = {
      name: 'setter',
      image: 'test/busybox:1',
      command: ['ln', '-s', '/', '/v/trap'],
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    }
    applied(pod('trapped', { volumes, mounts, initContainers: [setter] }))
    await eventually('it is refused', () => waits('trapped').startsWith('CreateContainerConfigError'))
    expect(waits('trapped')).toContain('failed to prepare subPath "trap": it leads out of its volume')
    cp.k('delete pod trapped')
  })

  test('volumes are of the group that the pod names, and tokens of the user alone', async () => {
    cp.k('create secret generic grouped --from-literal=key=x')
    const volumes = [
      { name: 'e', emptyDir: {} },
      { name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 's', secret: { secretName: 'grouped', defaultMode: 0o400 } },
      { name: 'p', persistentVolumeClaim: { claimName: 'grouped' } },
    ]
    const mounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }))
    applied(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'grouped' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
      }),
      pod('grouped', { volumes, mounts, securityContext: { runAsUser: 1000, fsGroup: 2000 } }),
    )
    isReady('grouped')
    const modes = run('grouped', 'stat -L -c "%u:%g %a" /e /m /s/key /p /var/run/secrets/kubernetes.io/serviceaccount/token')
    expect(modes.split('\n')).toEqual(['0:2000 2777', '0:2000 2777', '0:2000 440', '0:2000 2777', '1000:2000 640'])
    expect(run('grouped', 'cat /s/key; touch /p/f /e/f /m/f; stat -c %g /p/f')).toBe('x2000')
    // What the pod has done to it since is left alone when the daemon comes back.
    run('grouped', 'chmod 600 /p/f')
    host.killDaemon()
    host.startDaemon()
    cp.k('patch secret grouped -p {"data":{"key":"eQ=="}}')
    await eventually('the daemon is back', () => run('grouped', 'cat /s/key') === 'y', 90_000)
    expect(run('grouped', 'stat -c %a /p/f')).toBe('600')
    cp.k('delete pod grouped')
    cp.k('delete pvc,secret grouped')
  })

  test('a claim that is to be read only', () => {
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'readable' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    }
    const volumes = [{ name: 'p', persistentVolumeClaim: { claimName: 'readable', readOnly: true } }]
    applied(JSON.stringify(claim), pod('readable', { volumes, mounts: [{ name: 'p', mountPath: '/p' }] }))
    isReady('readable')
    expect(run('readable', 'touch /p/f 2>&1; true')).toContain('Read-only file system')
    cp.k('delete pod readable')
    cp.k('delete pvc readable')
  })

  test('an image is a volume, whole or in part, of one layer or of several', async () => {
    // A second layer, which takes away one file of the first and adds another.
    const layered =
      'c=$(docker run -d test/busybox:1 sh -c "rm /bin/vi; echo new > /etc/new") && docker wait $c && docker commit $c test/layered:1 && docker rm $c'
    host.run(layered)
    const of = (reference: string) => ({ image: { reference, pullPolicy: 'IfNotPresent' } })
    const volumes = [
      { name: 'one', ...of('test/busybox:1') },
      { name: 'two', ...of('test/layered:1') },
    ]
    const mounts = [
      { name: 'one', mountPath: '/one' },
      { name: 'two', mountPath: '/two' },
      { name: 'two', mountPath: '/part', subPath: 'etc' },
    ]
    applied(pod('reader', { volumes, mounts }))
    isReady('reader')
    expect(run('reader', 'cat /two/etc/new /part/new; ls /one/bin/vi')).toBe('new\nnew\n/one/bin/vi')
    expect(run('reader', 'ls /two/bin/vi 2>&1; true')).toContain('No such file')
    expect(run('reader', 'touch /one/x /two/x /part/x 2>&1; true').match(/Read-only/g)).toHaveLength(3)
    cp.k('delete pod reader')
    await eventually('nothing stays mounted', () => !/data\/pods/.test(host.run('cat /proc/self/mounts')))
    host.run('docker rmi test/layered:1')
  })

  test('an image that cannot be had keeps its pod waiting as a container’s does', async () => {
    const volumes = [{ name: 'i', image: { reference: 'test/none:1', pullPolicy: 'Never' } }]
    applied(pod('imageless', { volumes, mounts: [{ name: 'i', mountPath: '/i' }] }))
    await eventually('it says so', () => waits('imageless').startsWith('ErrImageNeverPull'))
    host.run('docker tag test/busybox:1 test/none:1')
    isReady('imageless')
    cp.k('delete pod imageless')
    host.run('docker rmi test/none:1')
  })

  test('a disk of the machine is a device of its pod', async () => {
    const device = loopDevice(host, 'local')
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['h1'] }] }] } }
    const spec = { volumeMode: 'Block', accessModes: ['ReadWriteOnce'], storageClassName: '' }
    try {
      applied(
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'PersistentVolume',
          metadata: { name: 'disk' },
          spec: { ...spec, capacity: { storage: '1Gi' }, local: { path: device }, nodeAffinity },
        }),
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'disk' },
          spec: { ...spec, volumeName: 'disk', resources: { requests: { storage: '1Gi' } } },
        }),
        JSON.stringify(podWithDevice('disk', 'disk')),
      )
      isReady('disk')
      run('disk', 'echo raw > /dev/raw; sync')
      expect(host.run(`head -c 3 ${device}`)).toBe('raw')
      cp.k('delete pod disk')
    } finally {
      host.run(`losetup -d ${device}`)
    }
  })

  test('a share of a server that is not there', async () => {
    const volumes = [{ name: 'n', nfs: { server: '127.0.0.1', path: '/none' } }]
    applied(pod('shareless', { volumes, mounts: [{ name: 'n', mountPath: '/n' }] }))
    await eventually('it is told', () => /FailedMount.*MountVolume.SetUp failed/.test(eventsOf('shareless')), 60_000)
    cp.k('delete pod shareless --grace-period=0 --force')
  })
})
