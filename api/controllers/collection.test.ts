// What goes when its owner or its namespace goes, custom resources as well, and what must not.
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { KObject } from '../../shared/meta/object.ts'
import { Controlled } from '../../test/rig/controlled.ts'

let c: Controlled
const WIDGETS = 'widgets.example.com'
beforeEach(async () => {
  c = await Controlled.start(0)
  const schema = { openAPIV3Schema: { type: 'object' } }
  await c.create('customresourcedefinitions.apiextensions.k8s.io', {
    metadata: { name: WIDGETS },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  })
  await c.settled()
})
afterEach(() => c.close())

const widget = (name: string, metadata: object = {}, ns = 'default') =>
  c.create(WIDGETS, { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name, ...metadata } }, ns)
const map = (name: string, owner: KObject | undefined, ns = 'default') =>
  c.create('configmaps', { metadata: { name, ...(owner ? { ownerReferences: [ownerOf(owner)] } : {}) } }, ns)
const ownerOf = (o: KObject) => ({ apiVersion: 'example.com/v1', kind: 'Widget', name: o.metadata.name, uid: o.metadata.uid })

test('a namespace is emptied of custom resources too, and says what holds it', async () => {
  await c.create('namespaces', { metadata: { name: 'team' } })
  await widget('free', {}, 'team')
  await widget('held', { finalizers: ['example.com/hold'] }, 'team')
  await c.delete('namespaces', 'team')
  await c.settled()
  expect((await c.list(WIDGETS, 'team')).map((w) => w.metadata.name)).toEqual(['held'])
  const { status } = (await c.get('namespaces', 'team'))!
  expect(status.phase).toBe('Terminating')
  expect(status.conditions).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        type: 'NamespaceContentRemaining',
        status: 'True',
        message: 'Some resources are remaining: widgets.example.com has 1 resource instances',
      }),
      expect.objectContaining({
        type: 'NamespaceFinalizersRemaining',
        status: 'True',
        message: 'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
      }),
    ]),
  )
  await c.patch(WIDGETS, 'held', { metadata: { finalizers: null } }, 'main', 'merge', 'team')
  await c.settled()
  expect(await c.get('namespaces', 'team')).toBeUndefined()
})

test('dependents of a custom resource go with it', async () => {
  const owner = await widget('a')
  await map('one', owner)
  await map('other', undefined)
  await c.settled()
  await c.delete(WIDGETS, 'a')
  await c.settled()
  expect((await c.list('configmaps')).map((m) => m.metadata.name)).toEqual(['kube-root-ca.crt', 'other'])
})

test('an owner in another namespace is none, and that is told', async () => {
  await c.create('namespaces', { metadata: { name: 'team' } })
  const owner = await widget('a', {}, 'team')
  await map('one', owner)
  await c.settled()
  expect((await c.list('configmaps')).map((m) => m.metadata.name)).toEqual(['kube-root-ca.crt'])
  const [said] = (await c.list('events')).filter((e) => e.reason === 'OwnerRefInvalidNamespace')
  expect(said!.message).toBe(
    `ownerRef [example.com/v1/Widget, namespace: default, name: a, uid: ${owner.metadata.uid}] does not exist in namespace "default"`,
  )
})

test('what is of no namespace is not collected for an owner that is in one', async () => {
  const owner = await widget('a')
  await c.create('clusterroles.rbac.authorization.k8s.io', { metadata: { name: 'r', ownerReferences: [ownerOf(owner)] }, rules: [] })
  await c.delete(WIDGETS, 'a')
  await c.settled()
  expect(await c.get('clusterroles.rbac.authorization.k8s.io', 'r')).toBeDefined()
})
