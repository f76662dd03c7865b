// Bodies that are nested: how deep is too deep, and what only looks so.
import { expect, test } from 'vitest'
import { parseBody } from './body.ts'

const JSON_TYPE = 'application/json'
const YAML_TYPE = 'application/yaml'
const lists = (n: number, inside = '') => `${'['.repeat(n)}${inside}${']'.repeat(n)}`
const spaces = ' '.repeat(1000)

test.each<[string, string, string]>([
  ['as deep as may be', JSON_TYPE, lists(500, spaces)],
  ['brackets in a string', JSON_TYPE, JSON.stringify({ a: '[{'.repeat(2000) })],
  ['brackets behind an escaped quote', JSON_TYPE, JSON.stringify({ a: `"${'['.repeat(2000)}` })],
  ['a string that ends in backslashes', JSON_TYPE, JSON.stringify({ a: '\\'.repeat(2001), b: '[' })],
  ['side by side', JSON_TYPE, `[${'[],'.repeat(2000)}[]]`],
  ['YAML as deep as may be', YAML_TYPE, `a: ${lists(300)}`],
])('%s is read', (_, type, text) => expect(parseBody(text, type, 'Pod')).toBeDefined())

test.each<[string, string, string]>([
  ['lists', JSON_TYPE, lists(501, spaces)],
  ['objects', JSON_TYPE, `${'{"a":'.repeat(600)}1${'}'.repeat(600)}`],
  ['lists that never end', JSON_TYPE, '['.repeat(100_000)],
  ['YAML', YAML_TYPE, `a: ${lists(600)}`],
])('%s too deep are refused', (_, type, text) => expect(() => parseBody(text, type, 'Pod')).toThrow(/exceeded max depth/))

test.each(['{', '{"a":"b', 'nope', '{"a":1}}'])('%s is no JSON, and said to be none', (text) =>
  expect(() => parseBody(text, JSON_TYPE, 'Pod')).toThrow(/json parse error/),
)
