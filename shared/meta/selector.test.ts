// Label selectors: parsing, matching and the words of refusal.
import { expect, test } from 'vitest'
import { matches, parseFieldSelector, parseLabelSelector, printSelector } from './selector.ts'

const labels = { app: 'web', tier: 'front', 'example.com/x': '' }
const cases: [string, boolean][] = [
  ['app=web', true],
  ['app==db', false],
  ['app!=db', true],
  ['missing!=x', true],
  ['app in (web, db)', true],
  ['app notin (web)', false],
  ['missing notin (x)', true],
  ['app', true],
  ['!app', false],
  ['!missing', true],
  ['app=web,tier=back', false],
  ['example.com/x=', true],
  ['', true],
]
test.each(cases)('%s → %s', (text, want) => {
  expect(matches(parseLabelSelector(text), labels)).toBe(want)
})

const faults: [string, RegExp][] = [
  ['a b', /found 'b', expected: in, notin/],
  ['x in (', /expected: ',', '\)' or identifier/],
  ['a=b,', /expected: identifier after ','/],
  ['=a', /expected: !, identifier/],
  ['-bad=x', /name part must consist/],
]
test.each(faults)('%s is refused', (text, message) => {
  expect(() => parseLabelSelector(text)).toThrow(message)
})

test('field selectors take no sets and keep escaped commas', () => {
  expect(parseFieldSelector('a.b=c,d!=e')).toEqual([
    { key: 'a.b', operator: '=', values: ['c'] },
    { key: 'd', operator: '!=', values: ['e'] },
  ])
  expect(parseFieldSelector('a=b\\,c')).toEqual([{ key: 'a', operator: '=', values: ['b,c'] }])
  expect(() => parseFieldSelector('nonsense')).toThrow(/can't understand/)
})

test('a selector prints in order', () => {
  expect(
    printSelector({
      matchLabels: { b: '1', a: '2' },
      matchExpressions: [
        { key: 'c', operator: 'In', values: ['y', 'x'] },
        { key: 'd', operator: 'Exists' },
      ],
    }),
  ).toBe('a=2,b=1,c in (x,y),d')
})
