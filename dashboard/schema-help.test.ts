// Where a line of YAML is, and what may stand there.
import { describe, expect, test } from 'vitest'
import { fieldsAt, keyOfLine, pathAt, schemaOfKind, wordsAt } from './schema-help.ts'

const document = {
  components: {
    schemas: {
      'a.Thing': {
        'x-kubernetes-group-version-kind': [{ group: 'a', version: 'v1', kind: 'Thing' }],
        required: ['spec'],
        properties: {
          kind: { type: 'string' },
          spec: { allOf: [{ $ref: '#/components/schemas/a.Spec' }], description: 'What is wanted.' },
        },
      },
      'a.Spec': {
        properties: {
          items: { type: 'array', items: { $ref: '#/components/schemas/a.Item' } },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
          mode: { type: 'string', enum: ['Fast', 'Slow'] },
          on: { type: 'boolean' },
        },
      },
      'a.Item': { required: ['name'], properties: { image: { type: 'string' }, name: { type: 'string', description: 'Its name.' } } },
    },
  },
}
const root = schemaOfKind(document, 'a', 'v1', 'Thing')

describe('where a line is', () => {
  const text = `kind: Thing
spec:
  labels:
    app: x
  items:
  - name: a
    image: b
  # a comment
    args:
    - name: deeper
      image: c
`.split('\n')
  const cases: [line: number, indent: number, path: string[]][] = [
    [0, 0, []],
    [2, 2, ['spec']],
    [3, 4, ['spec', 'labels']],
    [5, 4, ['spec', 'items']],
    [6, 4, ['spec', 'items']],
    [9, 6, ['spec', 'items', 'args']],
    [10, 6, ['spec', 'items', 'args']],
  ]
  for (const [line, indent, path] of cases) test(`${line + 1}: ${text[line]}`, () => expect(pathAt(text, line, indent)).toEqual(path))
  test('another document is another place', () => expect(pathAt(['a:', '  b:', '---', '  c: 1'], 3, 2)).toEqual([]))
})

test('keys of lines, with dashes and quotes', () => {
  expect(keyOfLine('    - name: x')).toEqual({ key: 'name', indent: 6 })
  expect(keyOfLine('  "a.b/c": x')).toEqual({ key: 'a.b/c', indent: 2 })
  expect(keyOfLine('just text')).toBeUndefined()
})

test('fields, what they are of, and which words they may be', () => {
  expect(fieldsAt(document, root, [])[0]).toEqual({ name: 'spec', type: 'Spec', about: 'What is wanted.', required: true })
  expect(fieldsAt(document, root, ['spec']).map((f) => [f.name, f.type])).toEqual([
    ['items', '[]Item'],
    ['labels', 'map[string]string'],
    ['mode', 'string'],
    ['on', 'boolean'],
  ])
  expect(fieldsAt(document, root, ['spec', 'items']).map((f) => f.name)).toEqual(['name', 'image'])
  expect(wordsAt(document, root, ['spec', 'mode'])).toEqual(['Fast', 'Slow'])
  expect(wordsAt(document, root, ['spec', 'on'])).toEqual(['true', 'false'])
  expect(fieldsAt(document, root, ['nowhere', 'at', 'all'])).toEqual([])
})
