// Schedules that Kubernetes takes, and what it says of those that it does not.
import { expect, test } from 'vitest'
import { parseSchedule } from './cron.ts'

const fields = (text: string) => {
  const s = parseSchedule(text)
  return 'fields' in s ? s.fields.map((f) => [...f]) : s.every
}

test.each([
  ['*/15 0 1,15 * MON-FRI', [[0, 15, 30, 45], [0], [1, 15], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 5]]],
  ['5/20 22-23 ? jan Sun', [[5, 25, 45], [22, 23], Array.from({ length: 31 }, (_, i) => i + 1), [1], [0]]],
  ['@yearly', [[0], [0], [1], [1], [0, 1, 2, 3, 4, 5, 6]]],
  ['@every 1h30m', 5400],
])('%s', (text, expected) => expect(fields(text)).toEqual(expected))

test.each([
  ['', 'empty spec string'],
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['60 * * * *', 'end of range (60) above maximum (59): 60'],
  ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
  ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
  ['@fortnightly', 'unrecognized descriptor: @fortnightly'],
])('%s is refused', (text, message) => expect(() => parseSchedule(text)).toThrow(message))
