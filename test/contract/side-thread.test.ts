// Heavy writes on Node: a second thread answers them, and nobody can tell. When it dies, what it was doing fails and nothing else.
import { readdirSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bootstrap } from '../../api/cluster.ts'
import { openEmbedded } from '../../api/platform/node/embedded-database.ts'
import { type RunningCluster, runCluster } from '../../api/platform/node/running-cluster.ts'
import { SideThread } from '../../api/platform/node/side-thread.ts'
import type { Identity } from '../../api/registry/context.ts'
import { defaultSettings } from '../../api/settings.ts'
import { stage } from '../fuzz/stage.ts'
import { eventually } from '../rig/hosts.ts'
import { temporaryFolder } from '../rig/sqld.ts'

const admin: Identity = { username: 'admin', groups: ['system:masters', 'system:authenticated'] }
const jane: Identity = { username: 'jane', groups: ['system:authenticated'] }
const MAPS = '/api/v1/namespaces/default/configmaps'
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default'
const POLICIES = '/apis/admissionregistration.k8s.io/v1'

let folder: ReturnType<typeof temporaryFolder>
let cluster: RunningCluster
let thread: SideThread
let logged: string[]

const start = async (maxHeapMb?: number) => {
  const file = path.join(folder.path, 'cluster.db')
  thread = new SideThread({ info: () => {}, warn: () => {}, error: (m) => logged.push(m) }, maxHeapMb)
  cluster = await runCluster({
    database: openEmbedded(file),
    side: { thread, database: { file } },
    alone: true,
    sealKey: new Uint8Array(32).fill(1),
    settings: defaultSettings,
    prepare: (c) => bootstrap(c),
  })
}
beforeEach(() => {
  folder = temporaryFolder('side')
  logged = []
})
afterEach(async () => {
  cluster.drain()
  await cluster.close()
  // What stays: the main thread's three, closed when their memory is collected, and one that SQLite keeps for the next connection.
  await eventually('the thread has no database open any more', () => openFiles() <= 4)
  folder.remove()
})

/** How many files of the folder this process has open. */
const openFiles = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder.path)
    } catch {
      return false
    }
  }).length

const ask = async (method: string, at: string, body?: object, identity = admin): Promise<{ code: number; body: any }> => {
  const text = body && JSON.stringify(body)
  const request = new Request(`https://server${at}`, {
    method,
    ...(text ? { body: text, headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) } } : {}),
  })
  const answer = await cluster.fetch(request, { identity })
  return { code: answer.status, body: await answer.json() }
}
const heavy = (name: string, labels = {}) => ({ metadata: { name, labels }, data: { text: 'x'.repeat(50_000) } })
/** Writes until there is a thread that takes the next. */
const warmUp = async () => {
  let n = 0
  await eventually('the thread is there', async () => {
    await ask('POST', MAPS, heavy(`warm-${n++}`))
    return thread.ready
  })
}

test('what a thread beside writes is there at once, and what it has to know it knows at once', async () => {
  await start()
  await warmUp()
  const before = (await ask('GET', MAPS)).body
  const watch = await cluster.fetch(
    new Request(`https://server${MAPS}?watch=1&resourceVersion=${before.metadata.resourceVersion}&timeoutSeconds=5`),
    { identity: admin },
  )
  const names = Array.from({ length: 12 }, (_, i) => `heavy-${i}`)
  await Promise.all(
    names.map(async (name) => {
      expect((await ask('POST', MAPS, heavy(name))).code).toBe(201)
      // A list may have been kept from before.
      expect((await ask('GET', MAPS)).body.items.some((i: any) => i.metadata.name === name)).toBe(true)
    }),
  )
  const seen = new Set<string>()
  let rest = ''
  for await (const part of watch.body!.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>) {
    const lines = (rest + part).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line) seen.add(JSON.parse(line).object.metadata.name)
    if (seen.size === names.length) break
  }
  expect([...seen].sort()).toEqual([...names].sort())

  // A policy of the moment before.
  const expression = "!('refused' in object.metadata.?labels.orValue({}))"
  const spec = {
    matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }] },
    validations: [{ expression }],
  }
  await ask('POST', `${POLICIES}/validatingadmissionpolicies`, { metadata: { name: 'p' }, spec })
  await ask('POST', `${POLICIES}/validatingadmissionpolicybindings`, {
    metadata: { name: 'p' },
    spec: { policyName: 'p', validationActions: ['Deny'] },
  })
  expect((await ask('POST', MAPS, heavy('refused', { refused: 'x' }))).code).toBe(422)
  await ask('DELETE', `${POLICIES}/validatingadmissionpolicybindings/p`)
  expect((await ask('POST', MAPS, heavy('refused', { refused: 'x' }))).code).toBe(201)

  // Rights of the moment before.
  expect((await ask('POST', MAPS, heavy('by-jane'), jane)).code).toBe(403)
  await ask('POST', `${RBAC}/roles`, {
    metadata: { name: 'r' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create'] }],
  })
  await ask('POST', `${RBAC}/rolebindings`, {
    metadata: { name: 'r' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
  })
  expect((await ask('POST', MAPS, heavy('by-jane'), jane)).code).toBe(201)
  await ask('DELETE', `${RBAC}/rolebindings/r`)
  expect((await ask('POST', MAPS, heavy('by-jane-again'), jane)).code).toBe(403)

  // A definition of the moment before.
  const things = '/apis/example.com/v1/namespaces/default/things'
  await ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: 'object', properties: { data: { type: 'object', additionalProperties: { type: 'string' } } } },
          },
        },
      ],
    },
  })
  const thing = { apiVersion: 'example.com/v1', kind: 'Thing', ...heavy('a') }
  expect((await ask('POST', things, thing)).code).toBe(201)
  await ask('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com')
  expect((await ask('POST', things, { ...thing, metadata: { name: 'b' } })).code).toBe(405)
  expect(logged).toEqual([])
})

test('objects whose rules cost much go aside, too', async () => {
  await start()
  const { path: at, body } = stage.find((s) => (s.body as any).spec?.names?.kind === 'Costly')!
  await ask('POST', at, body)
  let n = 0
  const write = () =>
    ask('POST', '/apis/costly.example/v1/namespaces/default/costlies', {
      apiVersion: 'costly.example/v1',
      kind: 'Costly',
      metadata: { name: `c${n++}` },
      spec: Array.from({ length: 40 }, (_, i) => i),
    })
  await eventually('the thread is there', async () => {
    expect((await write()).code).toBe(201)
    return thread.ready
  })
  expect((await write()).code).toBe(201)
})

test('a thread that needs too much memory fails what it was doing, and is replaced', async () => {
  await start(32)
  await warmUp()
  await ask('POST', MAPS, heavy('before'))
  const bomb = { metadata: { name: 'bomb' }, data: Array.from({ length: 700_000 }, () => ({})) }
  const answers = await Promise.all(Array.from({ length: 4 }, () => ask('POST', MAPS, bomb)))
  expect(answers.map((a) => a.code)).toContain(500)
  expect(thread.ready).toBe(false)
  expect((await ask('GET', `${MAPS}/before`)).code).toBe(200)
  await warmUp()
  expect((await ask('POST', MAPS, heavy('after'))).code).toBe(201)
  expect(logged).toEqual(['the side thread has failed'])
})
