// What a node may make: mirrors of the pods that it runs by itself, and no more.
import { expect, test } from 'vitest'
import { kindByName } from '../../shared/kinds/index.ts'
import { nodeRestriction } from './node-restriction.ts'

const kind = kindByName('', 'Pod')!
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u', controller: true }
const mirror = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'p-n1',
    namespace: 'default',
    annotations: { 'kubernetes.io/config.mirror': 'h' },
    ownerReferences: [owner],
    ...metadata,
  },
  spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }], ...spec },
})
const create = (object: object) => {
  const ctx = { user: { username: 'system:node:n1', groups: ['system:nodes'] } }
  return nodeRestriction.create!({ kind, object, ctx } as never)
}

test('a mirror', () => expect(create(mirror())).toBeUndefined())

test.each<[string, object, RegExp]>([
  ['an ordinary pod', mirror({}, { annotations: {} }), /can only create mirror pods/],
  ['another node’s', mirror({ nodeName: 'n2' }), /spec.nodeName set to itself/],
  ['one without an owner', mirror({}, { ownerReferences: [] }), /owner reference set to itself/],
  ['one that another node owns', mirror({}, { ownerReferences: [{ ...owner, name: 'n2' }] }), /owner reference set to itself/],
  ['one with two owners', mirror({}, { ownerReferences: [owner, owner] }), /owner reference set to itself/],
  ['one that blocks its owner', mirror({}, { ownerReferences: [{ ...owner, blockOwnerDeletion: true }] }), /owner reference set to itself/],
  ['one with an account', mirror({ serviceAccountName: 'default' }), /reference serviceaccounts/],
  ['one with a secret', mirror({ volumes: [{ name: 'v', secret: { secretName: 's' } }] }), /reference secrets/],
  ['one with a config map', mirror({ containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'm' } }] }] }), /reference configmaps/],
  ['one with a claim', mirror({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }), /reference persistentvolumeclaims/],
])('%s is refused', (_, object, words) => expect(() => create(object)).toThrow(words))

const bound = (status: object, spec: object = { volumeName: 'v' }) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'c', namespace: 'default' },
  spec,
  status: { phase: 'Bound', capacity: { storage: '1Gi' }, ...status },
})
const update = (object: object) => {
  const ctx = { user: { username: 'system:node:n1', groups: ['system:nodes'] } }
  return nodeRestriction.update!({ kind: kindByName('', 'PersistentVolumeClaim')!, object, old: bound({}), ctx } as never)
}

test('how large a claim has become', () =>
  expect(update(bound({ capacity: { storage: '2Gi' }, conditions: [{ type: 'Resizing' }] }))).toBeUndefined())

test.each<[string, object]>([
  ['whose a claim is', bound({}, { volumeName: 'other' })],
  ['its phase', bound({ phase: 'Lost' })],
])('%s is not a node’s to say', (_, object) => expect(() => update(object)).toThrow(/fields other than status.quantity/))
