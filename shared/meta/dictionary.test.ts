// What users write is looked up in tables that know their own words alone.
import { expect, test } from 'vitest'
import { dictionary } from './dictionary.ts'

const table = dictionary({ a: 1 })

test.each([
  ['a', 1],
  ['b', undefined],
  ['__proto__', undefined],
  ['constructor', undefined],
  ['toString', undefined],
])('%s is %s', (word, wanted) => expect(table[word]).toBe(wanted))
