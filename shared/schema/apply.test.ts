// Server-side apply: who owns what, what conflicts, what a manager drops.
import { expect, test } from 'vitest'
import type { KObject } from '../meta/object.ts'
import { apply, managedByUpdate, type Writer } from './apply.ts'
import { paths } from './field-set.ts'
import { schemaOf } from './types.ts'

const schema = schemaOf('V1ConfigMap')
const writer = (manager: string): Writer => ({ manager, apiVersion: 'v1', time: '2026-01-01T00:00:00Z' })
const cm = (data: Record<string, string>, meta: object = {}): KObject => ({ metadata: { name: 'c', ...meta } as KObject['metadata'], data })
const same = (o: KObject) => o

const doApply = (live: KObject | undefined, config: KObject, manager: string, force = false): KObject => {
  const { object, managedFields } = apply(schema, live, config, writer(manager), force, same)
  return { ...object, metadata: { ...object.metadata, managedFields } }
}
const owned = (o: KObject) => Object.fromEntries((o.metadata.managedFields ?? []).map((e) => [e.manager, paths(e.fieldsV1)]))

test('the first apply owns what it sets, the next drops what it leaves out', () => {
  const one = doApply(undefined, cm({ a: '1', b: '2' }), 'one')
  expect(owned(one)).toEqual({ one: ['.data.a', '.data.b'] })
  const two = doApply(one, cm({ a: '1' }), 'one')
  expect(two.data).toEqual({ a: '1' })
  expect(owned(two)).toEqual({ one: ['.data.a'] })
})

test('another value is a conflict, force takes it', () => {
  const one = doApply(undefined, cm({ a: '1' }), 'one')
  expect(() => doApply(one, cm({ a: '2' }), 'two')).toThrow('Apply failed with 1 conflict: conflict with "one": .data.a')
  const forced = doApply(one, cm({ a: '2' }), 'two', true)
  expect(forced.data).toEqual({ a: '2' })
  expect(owned(forced)).toEqual({ two: ['.data.a'] })
})

test('equal values are shared, and stay while one of them holds them', () => {
  const shared = doApply(doApply(undefined, cm({ a: '1' }), 'one'), cm({ a: '1', z: '9' }), 'two')
  expect(owned(shared)).toEqual({ one: ['.data.a'], two: ['.data.a', '.data.z'] })
  expect(doApply(shared, cm({ a: '1' }), 'two').data).toEqual({ a: '1' })
  expect(doApply(shared, cm({}), 'one').data).toEqual({ a: '1', z: '9' })
})

test('lists merge by their keys', () => {
  const deployment = schemaOf('V1Deployment')
  const d = (containers: object[]): KObject => ({
    metadata: { name: 'd' } as KObject['metadata'],
    spec: { template: { spec: { containers } } },
  })
  const a = apply(deployment, undefined, d([{ name: 'app', image: '1' }]), writer('one'), false, same)
  const live = { ...a.object, metadata: { ...a.object.metadata, managedFields: a.managedFields } }
  const b = apply(deployment, live, d([{ name: 'side', image: '2' }]), writer('two'), false, same)
  expect(b.object.spec.template.spec.containers).toEqual([
    { name: 'app', image: '1' },
    { name: 'side', image: '2' },
  ])
  expect(paths(b.managedFields[1]!.fieldsV1)).toContain('.spec.template.spec.containers[name="side"].image')
})

test('plain updates own what they change and take it from others', () => {
  const one = doApply(undefined, cm({ a: '1', b: '1' }), 'one')
  const after = { ...one, data: { a: '1', b: '2' } }
  const managed = managedByUpdate(schema, one, after, writer('editor'))
  expect(Object.fromEntries(managed.map((e) => [e.manager, paths(e.fieldsV1)]))).toEqual({ one: ['.data.a'], editor: ['.data.b'] })
  expect(managedByUpdate(schema, one, structuredClone(one), writer('editor'))).toEqual(one.metadata.managedFields)
})
