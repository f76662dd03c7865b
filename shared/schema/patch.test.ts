// Patches: the three kinds, their directives and their refusals. Inputs stay as they were.
import { expect, test } from 'vitest'
import { jsonPatch, mergePatch, strategicPatch } from './patch.ts'
import { schemaOf } from './types.ts'

const spec = schemaOf('V1PodSpec')
const base = {
  containers: [
    { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
    { name: 'b', image: '2' },
  ],
  tolerations: [{ key: 'k' }],
}

const cases: { name: string; patch: any; want: any }[] = [
  {
    name: 'merges a container by name',
    patch: { containers: [{ name: 'b', image: '3' }] },
    want: { ...base, containers: [base.containers[0], { name: 'b', image: '3' }] },
  },
  {
    name: 'puts a new one first',
    patch: { containers: [{ name: 'c', image: '3' }] },
    want: { ...base, containers: [{ name: 'c', image: '3' }, ...base.containers] },
  },
  {
    name: 'deletes by directive',
    patch: { containers: [{ name: 'a', $patch: 'delete' }] },
    want: { ...base, containers: [base.containers[1]] },
  },
  {
    name: 'replaces a list',
    patch: { containers: [{ $patch: 'replace' }, { name: 'z', image: '9' }] },
    want: { ...base, containers: [{ name: 'z', image: '9' }] },
  },
  {
    name: 'orders',
    patch: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
    want: { ...base, containers: [base.containers[1], base.containers[0]] },
  },
  { name: 'replaces atomic lists', patch: { tolerations: [{ key: 'z' }] }, want: { ...base, tolerations: [{ key: 'z' }] } },
  { name: 'deletes with null', patch: { tolerations: null }, want: { containers: base.containers } },
  {
    name: 'goes deep',
    patch: { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] },
    want: {
      ...base,
      containers: [
        {
          ...base.containers[0],
          env: [
            { name: 'Y', value: '2' },
            { name: 'X', value: '1' },
          ],
        },
        base.containers[1],
      ],
    },
  },
]
test.each(cases)('strategic patch $name', ({ patch, want }) => {
  const before = structuredClone(base)
  expect(strategicPatch(spec, base, patch)).toEqual(want)
  expect(base).toEqual(before)
})

test('strategic patch keeps only the keys it retains', () => {
  expect(
    strategicPatch(
      schemaOf('V1DeploymentSpec'),
      { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
      { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    ),
  ).toEqual({ strategy: { type: 'Recreate' } })
})

test('merge patch', () => {
  expect(mergePatch({ a: 1, b: { c: 2 } }, { b: { c: null, d: 3 }, a: null })).toEqual({ b: { d: 3 } })
})

test('json patch applies all or refuses', () => {
  expect(jsonPatch({ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }])).toEqual({ a: [1, 2] })
  expect(() => jsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }])).toThrow(/rejected our request/)
  expect(() => jsonPatch({}, {})).toThrow(/error decoding patch/)
})
