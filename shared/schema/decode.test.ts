// Decoding: types are checked, unknown fields pruned and named, empty collections dropped, quantities canonical.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DecodeError, decode } from './decode.ts'
import { schemaOf } from './types.ts'

const pod = schemaOf('V1Pod')

test('unknown fields are pruned and named', () => {
  const unknown: string[] = []
  const out = decode(pod, { spec: { containers: [{ name: 'a', image: 'b', nope: 1 }], wrong: {} }, extra: 1 }, unknown)
  expect(unknown).toEqual(['spec.containers[0].nope', 'spec.wrong', 'extra'])
  expect(out).toEqual({ spec: { containers: [{ name: 'a', image: 'b' }] } })
})

test('nulls and empty optional collections go, required ones stay', () => {
  expect(
    decode(
      pod,
      { metadata: { name: 'x', labels: {}, annotations: null }, spec: { containers: [], tolerations: [], nodeSelector: {} } },
      [],
    ),
  ).toEqual({ metadata: { name: 'x' }, spec: { containers: [] } })
})

test('quantities, times and bytes', () => {
  const c = decode(schemaOf('V1ResourceRequirements'), { limits: { cpu: 0.5, memory: '1024Mi' } }, [])
  expect(c).toEqual({ limits: { cpu: '500m', memory: '1Gi' } })
  expect(decode(schemaOf('V1LeaseSpec'), { renewTime: '2026-01-01T00:00:00Z' }, [])).toEqual({ renewTime: '2026-01-01T00:00:00.000000Z' })
  expect(decode(schemaOf('CoreV1Event'), { firstTimestamp: '2026-01-01T02:00:00+02:00' }, [])).toEqual({
    firstTimestamp: '2026-01-01T00:00:00Z',
  })
})

const faults: [string, unknown, RegExp][] = [
  ['V1Pod', { metadata: { name: 5 } }, /cannot unmarshal number into Go struct field metadata.name of type string/],
  ['V1Pod', { spec: { containers: {} } }, /cannot unmarshal object/],
  ['V1DeploymentSpec', { replicas: '3' }, /cannot unmarshal string/],
  ['V1DeploymentSpec', { replicas: 1.5 }, /number 1.5/],
  ['V1DeploymentSpec', { replicas: 3e9 }, /number 3000000000/],
  ['V1ResourceRequirements', { limits: { cpu: 'lots' } }, /quantities must match/],
  ['V1Secret', { data: { a: 'not base64!' } }, /illegal base64/],
]
test.each(faults)('%s %j is refused', (type, value, message) => {
  expect(() => decode(schemaOf(type), value, [])).toThrow(message)
})

test('nesting is bounded', () => {
  let deep: any = {}
  for (let i = 0; i < 200; i++) deep = { a: deep }
  expect(() => decode(schemaOf('V1ControllerRevision'), { data: deep }, [])).toThrow(DecodeError)
})

test('whatever comes, decoding answers or refuses, and twice is once', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        const once = decode(pod, { spec: value }, [])
        expect(decode(pod, once, [])).toEqual(once)
      } catch (cause) {
        expect(cause).toBeInstanceOf(DecodeError)
      }
    }),
    { numRuns: 300 },
  )
})
