// What a node grants of what pods ask for when they ask for more, and what becomes of their containers.
import { describe, expect, test } from 'vitest'
import { asGranted, decide, grantedOf, type Resources, resizeStep } from './resize.ts'

const GiB = 1024 ** 3
const pod = (resources: Resources, status?: object) => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', resources }, { name: 'd' }] },
  ...(status ? { status } : {}),
})
const had: Resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '128Mi' } }
const room = (cpu: number, memory: number) => () => ({ capacity: { cpu: 2000, memory: 4 * GiB }, used: { cpu, memory } })
const before = grantedOf(pod(had))

test.each<[string, Resources, () => any, string | undefined]>([
  ['the same', had, room(2000, 4 * GiB), undefined],
  ['less, however full the node is', { ...had, requests: { cpu: '50m', memory: '32Mi' } }, room(2000, 4 * GiB), undefined],
  ['higher limits, however full the node is', { ...had, limits: { cpu: '1', memory: '1Gi' } }, room(2000, 4 * GiB), undefined],
  ['more that there is room for', { ...had, requests: { cpu: '1', memory: '64Mi' } }, room(1000, 0), undefined],
  [
    'more than there is room for now',
    { ...had, requests: { cpu: '1', memory: '64Mi' } },
    room(1001, 0),
    "Deferred: Node didn't have enough resource: cpu, requested: 1000, used: 1001, capacity: 2000",
  ],
  [
    'more than the node has',
    { ...had, requests: { cpu: '100m', memory: '5Gi' } },
    room(0, 0),
    `Infeasible: Node didn't have enough capacity: memory, requested: ${5 * GiB}, capacity: ${4 * GiB}`,
  ],
])('%s', (_, wanted, has, expected) => {
  const { granted, pending } = decide(pod(wanted), before, has)
  expect(pending && `${pending.reason}: ${pending.message}`).toBe(expected)
  expect(granted.get('c')).toEqual(expected ? had : wanted)
})

describe('what was granted', () => {
  const wanted = { requests: { cpu: '5' }, limits: { cpu: '6' } }
  const status = { containerStatuses: [{ name: 'c', allocatedResources: had.requests, resources: had }] }
  test('is remembered by the status', () => expect(grantedOf(pod(wanted, status)).get('c')).toEqual(had))
  test('is what the container came with before there is a status', () => expect(grantedOf(pod(wanted)).get('c')).toEqual(wanted))
  test('takes the place of what is asked for', () =>
    expect(asGranted(pod(wanted, status), grantedOf(pod(wanted, status))).spec.containers).toEqual([
      { name: 'c', resources: had },
      { name: 'd', resources: {} },
    ]))
})

const restart = (resourceName: string) => ({ resizePolicy: [{ resourceName, restartPolicy: 'RestartContainer' }] })
test.each<[string, object, object | undefined, object, string | undefined]>([
  ['nothing has changed', {}, { CpuShares: 102, CpuQuota: 0, Memory: 0 }, { CpuShares: 102 }, undefined],
  ['it is not known what it has', {}, undefined, { CpuShares: 102 }, undefined],
  ['more processor', {}, { CpuShares: 102 }, { CpuShares: 204 }, 'update'],
  ['another quota', {}, { CpuShares: 2, CpuQuota: 1000 }, { CpuShares: 2, CpuQuota: 2000 }, 'update'],
  ['more memory', {}, { CpuShares: 2, Memory: 1 }, { CpuShares: 2, Memory: 2 }, 'update'],
  [
    'more memory, which it only sees when it starts',
    restart('memory'),
    { CpuShares: 2, Memory: 1 },
    { CpuShares: 2, Memory: 2 },
    'restart',
  ],
  ['more processor, where only memory needs a start', restart('memory'), { CpuShares: 2 }, { CpuShares: 3 }, 'update'],
])('%s', (_, container, has, should, expected) => expect(resizeStep(container, has as never, should as never)).toBe(expected))
