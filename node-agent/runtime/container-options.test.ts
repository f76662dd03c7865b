// What Docker is told for what a container says.
import { expect, test } from 'vitest'
import { type ContainerInput, containerOptions } from './container-options.ts'

const made = (container: object, pod: object = {}, more: Partial<ContainerInput> = {}) =>
  containerOptions({
    pod: { metadata: { name: 'p', namespace: 'default', uid: 'u' }, spec: { containers: [container], ...pod } },
    container: { name: 'c', image: 'one', ...container },
    image: 'one',
    restarts: 0,
    sandboxId: 'pause',
    env: new Map([['A', 'b']]),
    mounts: [],
    terminationLog: '/log',
    memory: 8 * 2 ** 30,
    ...more,
  })

test.each<[string, object, object, object]>([
  ['user and group', { securityContext: { runAsUser: 1, runAsGroup: 2 } }, {}, { User: '1:2' }],
  ["the pod's user", {}, { securityContext: { runAsUser: 5 } }, { User: '5' }],
  [
    'command and arguments, with variables',
    { command: ['sh', '$(A)'], args: ['$(A)$$(A)'] },
    {},
    { Entrypoint: ['sh', 'b'], Cmd: ['b$(A)'] },
  ],
  ['arguments alone', { args: ['x'] }, {}, { Cmd: ['x'] }],
])('%s', (_, container, pod, want) => {
  expect(made(container, pod)).toMatchObject(want)
})

test.each<[string, object, object, object]>([
  ['groups', {}, { securityContext: { supplementalGroups: [7], fsGroup: 8 } }, { GroupAdd: ['7', '8'] }],
  [
    'capabilities',
    { securityContext: { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } } },
    {},
    { CapAdd: ['NET_ADMIN'], CapDrop: ['ALL'] },
  ],
  ['no new privileges', { securityContext: { allowPrivilegeEscalation: false } }, {}, { SecurityOpt: ['no-new-privileges'] }],
  ['privileged', { securityContext: { privileged: true } }, {}, { Privileged: true }],
  ['a root that is read-only', { securityContext: { readOnlyRootFilesystem: true } }, {}, { ReadonlyRootfs: true }],
  ["the kernel's files unmasked", { securityContext: { procMount: 'Unmasked' } }, {}, { MaskedPaths: [], ReadonlyPaths: [] }],
  ["the host's processes", {}, { hostPID: true }, { PidMode: 'host' }],
  ["each other's processes", {}, { shareProcessNamespace: true }, { PidMode: 'container:pause' }],
  ["the host's memory segments", {}, { hostIPC: true }, { IpcMode: 'host' }],
  [
    'limits',
    { resources: { limits: { cpu: '200m', memory: '32Mi' } } },
    {},
    { CpuQuota: 20_000, CpuShares: 204, Memory: 33_554_432, MemorySwap: 33_554_432 },
  ],
  ['requests', { resources: { requests: { cpu: '100m', memory: '4Gi' } } }, {}, { CpuShares: 102, OomScoreAdj: 500 }],
  ['nothing asked for', {}, {}, { CpuShares: 2, OomScoreAdj: 1000 }],
])('on the host: %s', (_, container, pod, want) => {
  expect(made(container, pod).HostConfig).toMatchObject(want)
})

test('mounts, and what they pass on', () => {
  const volumeMounts = [
    { name: 'v', mountPath: '/a' },
    { name: 'v', mountPath: '/b', readOnly: true },
    { name: 'w', mountPath: '/c', mountPropagation: 'HostToContainer' },
    { name: 'v', mountPath: '/d', mountPropagation: 'Bidirectional' },
  ]
  const place = (path: string, readOnly = false) => ({ path, readOnly })
  const mounts = [place('/volumes/v'), place('/parts/x'), place('/volumes/w', true), place('/volumes/v')]
  const { HostConfig } = made({ volumeMounts, terminationMessagePath: '/end' }, {}, { mounts, hosts: '/h', resolvConf: '/r' })
  expect(HostConfig!.Binds).toEqual([
    '/volumes/v:/a:rw',
    '/parts/x:/b:ro',
    '/volumes/w:/c:ro,rslave',
    '/volumes/v:/d:rw,rshared',
    '/h:/etc/hosts',
    '/r:/etc/resolv.conf',
    '/log:/end',
  ])
})

test('where a machine lacks capabilities, a privileged container gets the rest', () => {
  const { HostConfig } = made({ securityContext: { privileged: true } }, {}, { lacked: ['SYS_RESOURCE'] })
  expect(HostConfig).toMatchObject({ CapAdd: ['ALL'], CapDrop: ['SYS_RESOURCE'], DeviceCgroupRules: ['a *:* rwm'], MaskedPaths: [] })
  expect([HostConfig!.Privileged, HostConfig!.Binds![0]]).toEqual([undefined, '/dev:/dev'])
  expect(made({}, {}, { lacked: ['SYS_RESOURCE'] }).HostConfig!.CapAdd).toBeUndefined()
})

test('profiles go along', () => {
  const { HostConfig } = made({ securityContext: { allowPrivilegeEscalation: false } }, {}, { profiles: ['seccomp=unconfined'] })
  expect(HostConfig!.SecurityOpt).toEqual(['no-new-privileges', 'seccomp=unconfined'])
})
