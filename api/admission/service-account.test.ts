// Whose account a pod gets, and how long it is waited for.
import { beforeEach, expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { kindByName } from '../../shared/kinds/index.ts'
import { type TestCluster, testCluster } from '../../test/rig/cluster.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'
import { systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'

let c: TestCluster
let now = Date.now()
beforeEach(async () => {
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  now = Date.now()
  c = await testCluster(database, () => now)
})

const made = (kind: string, ns: string, object: object) =>
  create(c.cluster.env, kindByName('', kind)!, ns, object, { fieldManager: 'test', fieldValidation: 'Strict' }, systemContext('test'))
const pod = (account?: string) =>
  made('Pod', 'new', {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'one' }], ...(account ? { serviceAccountName: account } : {}) },
  })

test('in a new namespace its account is waited for', async () => {
  await made('Namespace', '', { metadata: { name: 'new' } })
  const coming = pod()
  await new Promise((r) => setTimeout(r, 150))
  await made('ServiceAccount', 'new', { metadata: { name: 'default' } })
  expect((await coming).object.spec.serviceAccountName).toBe('default')
})

test.each([
  ['in an old one it is not', undefined, 60_000],
  ['nor is any other', 'mine', 0],
])('%s', async (_, account, age) => {
  await made('Namespace', '', { metadata: { name: 'new' } })
  now += age
  await expect(pod(account)).rejects.toMatchObject({ code: 403, message: expect.stringContaining('error looking up service account new/') })
})
