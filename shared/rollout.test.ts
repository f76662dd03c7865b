// Revisions and the way back to one.
import { expect, test } from 'vitest'
import { revisionsOf, rollbackPatch } from './rollout.ts'

const owner = {
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace: 'a',
    uid: 'u',
    annotations: { 'deployment.kubernetes.io/revision': '2', team: 'new', mine: 'kept?' },
  },
} as any
const set = (revision: string, image: string, annotations = {}, uid = 'u') => ({
  kind: 'ReplicaSet',
  metadata: {
    name: `web-${revision}`,
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations: { 'deployment.kubernetes.io/revision': revision, ...annotations },
    ownerReferences: [{ uid, apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }],
  },
  spec: { template: { metadata: { labels: { app: 'web', 'pod-template-hash': 'h' } }, spec: { containers: [{ name: 'c', image }] } } },
})

test('revisions of an owner, the oldest first, without what the controller adds', () => {
  const all = revisionsOf(owner, [
    set('10', 'three'),
    set('2', 'two', { 'kubernetes.io/change-cause': 'why' }),
    set('1', 'x', {}, 'other'),
  ] as any)
  expect(all.map((r) => r.revision)).toEqual([2, 10])
  expect(all[0]).toMatchObject({ cause: 'why', made: '2026-01-01T00:00:00Z', template: { metadata: { labels: { app: 'web' } } } })
  expect(all[0]!.template.metadata.labels).toEqual({ app: 'web' })
})

test('back to a ReplicaSet: its template and annotations, and what is the deployment’s own', () => {
  const [old] = revisionsOf(owner, [set('1', 'one', { team: 'old', 'deployment.kubernetes.io/desired-replicas': '9' })] as any)
  const { type, patch } = rollbackPatch(owner, old!)
  expect(type).toBe('application/json-patch+json')
  expect(patch).toEqual([
    {
      op: 'replace',
      path: '/spec/template',
      value: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'one' }] } },
    },
    { op: 'add', path: '/metadata/annotations', value: { 'deployment.kubernetes.io/revision': '2', team: 'old' } },
  ])
})

test('back to a ControllerRevision: its data is the patch', () => {
  const data = { spec: { template: { $patch: 'replace', spec: { containers: [] } } } }
  const kept = { kind: 'ControllerRevision', revision: 3, data, metadata: { name: 'r', ownerReferences: [{ uid: 'u' }] } }
  const [r] = revisionsOf({ ...owner, kind: 'StatefulSet' }, [kept] as any)
  expect(r!.template).toEqual({ spec: { containers: [] } })
  expect(rollbackPatch(owner, r!)).toEqual({ type: 'application/strategic-merge-patch+json', patch: data })
})
