// Pods that are not let in: whoever wanted them says so, once and then counting, goes on saying what is so, and makes them when there is room.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { condition } from '../../shared/meta/conditions.ts'
import { Controlled } from '../../test/rig/controlled.ts'

let c: Controlled
beforeEach(async () => {
  c = await Controlled.start(1)
  await c.create('resourcequotas', { metadata: { name: 'few' }, spec: { hard: { pods: '1' } } })
  await c.settled()
})
afterEach(() => c.close())

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] },
}
const workload = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template, ...more },
})
const told = async (reason: string) => (await c.list('events')).filter((e) => e.reason === reason)

test('a deployment says it by its condition, and is complete when there is room', async () => {
  await c.create('deployments.apps', workload('web'))
  await c.rest()
  const [set] = await c.list('replicasets.apps')
  expect(set!.status).toMatchObject({ replicas: 1, readyReplicas: 1, observedGeneration: 1 })
  const why = expect.stringContaining('exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1')
  expect(condition(set!, 'ReplicaFailure')).toMatchObject({ status: 'True', reason: 'FailedCreate', message: why })
  const web = await c.get('deployments.apps', 'web')
  expect(condition(web!, 'ReplicaFailure')).toMatchObject({ status: 'True', reason: 'FailedCreate', message: why })
  // Of pods that were not made nobody says that they were.
  expect(await told('SuccessfulCreate')).toHaveLength(1)
  await c.pass(60_000)
  const failures = await told('FailedCreate')
  expect(failures).toMatchObject([
    { involvedObject: { kind: 'ReplicaSet' }, type: 'Warning', message: expect.stringMatching(/^Error creating: pods "web-/) },
  ])
  expect(failures[0]!.count).toBeGreaterThan(1)
  await c.patch('resourcequotas', 'few', { spec: { hard: { pods: '5' } } })
  await c.rest()
  expect((await c.get('deployments.apps', 'web'))!.status).toMatchObject({ replicas: 3, availableReplicas: 3 })
  expect(condition((await c.get('deployments.apps', 'web'))!, 'ReplicaFailure')).toBeUndefined()
  expect(condition((await c.list('replicasets.apps'))[0]!, 'ReplicaFailure')).toBeUndefined()
})

const REFUSED = /^Error creating: pods ".*" is forbidden: exceeded quota: few/
test.each([
  [
    'statefulsets.apps',
    workload('db', { serviceName: 'db', podManagementPolicy: 'Parallel' }),
    'StatefulSet',
    /^create Pod db-\d in StatefulSet db failed error: pods "db-\d" is forbidden: exceeded quota: few/,
  ],
  [
    'jobs.batch',
    {
      metadata: { name: 'one' },
      spec: { parallelism: 3, completions: 3, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
    },
    'Job',
    REFUSED,
  ],
  [
    'replicationcontrollers',
    { metadata: { name: 'old' }, spec: { replicas: 3, selector: { app: 'web' }, template } },
    'ReplicationController',
    REFUSED,
  ],
])('%s say it by an event', async (resource, object, kind, message) => {
  await c.create(resource, object)
  await c.rest()
  expect(await told('FailedCreate')).toMatchObject([{ involvedObject: { kind }, message: expect.stringMatching(message) }])
  expect((await c.alive()).length).toBe(1)
})
