// Where a pod's cgroup lies, and what it is bounded by.
import { expect, test } from 'vitest'
import { boundFiles, podBounds, podCgroup, tierOf } from './pod-cgroups.ts'

const container = (requests: object = {}, limits: object = {}) => ({ resources: { requests, limits } })
const pod = (...containers: object[]) => ({ metadata: { uid: 'a-b-c' }, spec: { containers } })
const best = pod({})
const burstable = pod(container({ cpu: '100m' }))
const guaranteed = pod(container({ cpu: '1', memory: '1Gi' }, { cpu: '1', memory: '1Gi' }))

test.each([
  ['of one that asks for nothing', best, '/kubepods/besteffort/poda-b-c', 'kubepods-besteffort-poda_b_c.slice'],
  ['of one that asks for something', burstable, '/kubepods/burstable/poda-b-c', 'kubepods-burstable-poda_b_c.slice'],
  ['of one that gets what it asks for', guaranteed, '/kubepods/poda-b-c', 'kubepods-poda_b_c.slice'],
])('the cgroup %s', (_, p, folder, slice) => {
  expect(podCgroup('a-b-c', tierOf(p), 'cgroupfs')).toEqual({ parent: folder, folder })
  expect(podCgroup('a-b-c', tierOf(p), 'cgroupfs', 'some/where').parent).toBe(`/some/where${folder}`)
  expect(podCgroup('a-b-c', tierOf(p), 'systemd').parent).toBe(slice)
})

test('a slice lies in those that its name begins with', () => {
  expect(podCgroup('a-b-c', 'burstable', 'systemd').folder).toBe(
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda_b_c.slice',
  )
})

test.each([
  ['nothing', best, { shares: 2 }],
  ['a request', burstable, { shares: 102 }],
  ['limits of all', guaranteed, { shares: 1024, quota: 100_000, memory: 2 ** 30 }],
  ['limits of some', pod(container({}, { cpu: '1', memory: '1Gi' }), container()), { shares: 2 }],
  ['several', pod(container({ cpu: '100m' }, { cpu: '200m' }), container({ cpu: '400m' }, { cpu: '1' })), { shares: 512, quota: 120_000 }],
])('bounds by %s', (_, p, want) => {
  expect(podBounds(p)).toEqual(want)
})

test('as each version of cgroups writes them', () => {
  const bounds = { shares: 1024, quota: 50_000 }
  expect(boundFiles(bounds, 1).map(([, file, value]) => `${file} ${value}`)).toEqual([
    'cpu.shares 1024',
    'cpu.cfs_quota_us 50000',
    'memory.limit_in_bytes -1',
  ])
  expect(boundFiles(bounds, 2).map(([, file, value]) => `${file} ${value}`)).toEqual([
    'cpu.weight 39',
    'cpu.max 50000 100000',
    'memory.max max',
  ])
})
