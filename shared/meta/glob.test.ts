// Patterns as branch and path filters use them.
import { expect, test } from 'vitest'
import { matches, passes } from './glob.ts'

test.each([
  ['main', 'main', true],
  ['main', 'maine', false],
  ['release-*', 'release-1.2', true],
  ['release-*', 'release-1/2', false],
  ['release/**', 'release/1/2', true],
  ['**', 'a/b/c', true],
  ['**/*.ts', 'a/b/c.ts', true],
  ['**/*.ts', 'c.ts', true],
  ['src/**/x', 'src/x', true],
  ['src/**/x', 'src/a/b/x', true],
  ['src/**/x', 'lib/x', false],
  ['v?.*', 'v1.0', true],
  ['*a*b', 'xxaxxbxxb', true],
  ['', '', true],
  ['*', '', true],
])('%s against %s: %s', (pattern, text, fits) => {
  expect(matches(pattern, text)).toBe(fits)
})

test('many stars take no time', () => {
  expect(matches('*a'.repeat(100), 'b'.repeat(5000))).toBe(false)
  expect(matches('**a'.repeat(100), 'b'.repeat(5000))).toBe(false)
})

test.each([
  [undefined, 'x', true],
  [['main'], 'main', true],
  [['main'], 'dev', false],
  [['!dev'], 'main', true],
  [['!dev'], 'dev', false],
  [['*', '!dev'], 'dev', false],
])('%j lets %s through: %s', (patterns, text, fits) => {
  expect(passes(patterns, text)).toBe(fits)
})
