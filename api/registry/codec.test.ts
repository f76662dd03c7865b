// Stored bodies, taken apart with and without what nobody wants of them.
import { expect, test } from 'vitest'
import { decodeBody, decodeUnmanaged } from './codec.ts'

const managers = [
  {
    manager: 'a',
    fieldsV1: { 'f:metadata': { 'f:labels': { '.': {}, 'f:a"]}': {}, 'f:b\\': {} } }, 'f:spec': { 'k:{"name":"[x]"}': {} } },
  },
  { manager: '\\"]', subresource: 'status', fieldsV1: {} },
]
const rest = { labels: { a: ',"managedFields":[' }, annotations: { old: '{"x":1,"managedFields":[{"a":[]}]}' } }

test.each<[string, object]>([
  ['none', { metadata: { name: 'a' } }],
  ['nobody', { metadata: { name: 'a', managedFields: [] } }],
  ['in the middle', { metadata: { name: 'a', managedFields: managers, ...rest }, spec: { x: [1] } }],
  ['at the end', { metadata: { name: 'a', ...rest, managedFields: managers }, spec: { x: [1] } }],
  ['alone', { metadata: { managedFields: managers, name: 'a' }, status: { managedFields: [1], x: 1 } }],
])('managed fields are left out where they are: %s', (_, o) => {
  const body = JSON.stringify(o)
  const whole = decodeBody(body, 7)
  const without = decodeUnmanaged(body, 7)
  // Where they stand at an unusual place the object may be whole.
  delete whole.metadata.managedFields
  delete without.metadata.managedFields
  expect(without).toEqual(whole)
})

test('what comes after them is not looked at, and what ends within them is an error', () => {
  const body = JSON.stringify({ metadata: { name: 'a', managedFields: managers }, spec: {} })
  expect(decodeUnmanaged(body, 7).metadata.managedFields).toBeUndefined()
  for (let n = body.indexOf('managedFields') + 20; n < body.indexOf('spec'); n += 7)
    expect(() => decodeUnmanaged(body.slice(0, n), 7)).toThrow(SyntaxError)
})
