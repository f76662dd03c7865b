// Pods from their texts are what parsing them whole would give, whatever strings are in them.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KObject } from '../../shared/meta/object.ts'
import { decodePod, slim } from './pods-alike.ts'

const managers = [
  {
    manager: 'a',
    fieldsV1: { 'f:metadata': { 'f:labels': { '.': {}, 'f:a"]}': {}, 'f:b\\': {} } }, 'f:spec': { 'k:{"name":"[x]"}': {} } },
  },
  { manager: '\\"]', subresource: 'status', fieldsV1: {} },
]
const hostile = ['}', ',"spec":{', '},"status":{', '"nodeName":"', ',"managedFields":[', '"', '\\', '"]}', 'ä', 'web']
const text = fc.array(fc.constantFrom(...hostile), { maxLength: 4 }).map((parts) => parts.join(''))
const few = fc.constantFrom('a', 'b')
const optional = (fields: Record<string, fc.Arbitrary<unknown>>) => fc.record(fields, { requiredKeys: [] })

const container = fc.record({ name: few, env: fc.array(fc.record({ name: few, value: text }), { maxLength: 2 }) })
const claim = fc.record({ metadata: fc.constantFrom({}, { managedFields: managers }), spec: fc.record({ storageClassName: few }) })
const volume = fc.record({ name: few, ephemeral: fc.record({ volumeClaimTemplate: claim }) })
const pod = fc.record({
  metadata: optional({
    name: few,
    managedFields: fc.constantFrom(managers, []),
    labels: fc.dictionary(few, few),
    annotations: fc.dictionary(text, text),
    ownerReferences: fc.array(fc.record({ uid: few })),
  }),
  spec: optional({
    nodeName: few,
    containers: fc.array(container, { maxLength: 2 }),
    volumes: fc.array(volume, { maxLength: 2 }),
    hostname: few,
  }),
  status: optional({ phase: few, message: text, nominatedNodeName: few, conditions: fc.array(fc.record({ type: few, message: text })) }),
})

const stripped = (o: unknown) => JSON.parse(JSON.stringify(o, (key, value) => (key === 'managedFields' ? undefined : value)))
const parsed = (body: string, rv: number): KObject => {
  const o = JSON.parse(body)
  o.metadata.resourceVersion = String(rv)
  return o
}

test('as parsed whole, but for managed fields', () => {
  fc.assert(
    fc.property(fc.array(pod, { minLength: 1, maxLength: 4 }), (pods) => {
      for (const [rv, p] of pods.entries()) {
        const body = JSON.stringify(p)
        const got = decodePod(body, rv)
        expect(stripped(got)).toEqual(stripped(parsed(body, rv)))
        expect(got.metadata.managedFields).toBeUndefined()
        expect(stripped(slim(parsed(body, rv)))).toEqual(stripped(got))
      }
    }),
    { numRuns: 2000, seed: 1 },
  )
})

test.each<[string, object]>([
  ['no status', { metadata: { name: 'a' }, spec: { nodeName: 'n' } }],
  ['status first', { metadata: { name: 'a' }, status: { phase: 'x' }, spec: { nodeName: 'n' } }],
  ['neither', { metadata: { name: 'a' } }],
  ['the node alone', { metadata: { name: 'a' }, spec: { nodeName: 'n' }, status: {} }],
])('whatever parts there are: %s', (_, o) => {
  const body = JSON.stringify(o)
  expect(stripped(decodePod(body, 7))).toEqual(stripped({ spec: {}, ...parsed(body, 7) }))
})

test('pods of one template share what they have in common, whatever their nodes', () => {
  const of = (nodeName: string, image = 'one') =>
    decodePod(
      JSON.stringify({ metadata: { name: nodeName, labels: { app: 'a' } }, spec: { containers: [{ image }], nodeName }, status: {} }),
      1,
    )
  const [a, b, c] = [of('m'), of('n'), of('n', 'two')]
  expect([a.spec.nodeName, b.spec.nodeName]).toEqual(['m', 'n'])
  expect(b.spec.containers).toBe(a.spec.containers)
  expect(b.metadata.labels).toBe(a.metadata.labels)
  expect(c.spec.containers).toEqual([{ image: 'two' }])
})

test('a text that ends within anything is an error', () => {
  const body = JSON.stringify({ metadata: { name: 'a', managedFields: managers }, spec: { nodeName: 'n' }, status: {} })
  for (let n = 1; n < body.length; n += 3) expect(() => decodePod(body.slice(0, n), 7)).toThrow(SyntaxError)
})
