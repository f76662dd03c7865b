// Tables, and how long ago something was, as kubectl prints them.
import { expect, test } from 'vitest'
import { since } from '../../shared/kinds/kind.ts'
import { printTable } from './table.ts'

test.each([
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [185, '3m5s'],
  [601, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [11_000, '3h3m'],
  [8 * 3600, '8h'],
  [47 * 3600, '47h'],
  [49 * 3600, '2d1h'],
  [9 * 86_400, '9d'],
  [800 * 86_400, '2y70d'],
])('%d s is %s', (seconds, want) => {
  expect(since(new Date(0).toISOString(), seconds * 1000)).toBe(want)
})

test('a table has heads, gaps of three and no trailing spaces', () => {
  expect(
    printTable(
      ['name', 'role'],
      [
        ['a', 'owner'],
        ['long-name', undefined],
      ],
    ),
  ).toBe('NAME        ROLE\na           owner\nlong-name   <none>\n')
})
