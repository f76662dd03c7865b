// Schedules that Kubernetes takes, and what it says of those that it does not.
import { describe, expect, test } from 'vitest'
import { lastTime, nextTime, parseSchedule } from './cron.ts'

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

describe('when it is due', () => {
  const times = (schedule: string, from: string, n: number, zone?: string) => {
    const found: string[] = []
    let at: number | undefined = Date.parse(from)
    for (let i = 0; i < n && at !== undefined; i++) {
      at = nextTime(parseSchedule(schedule), at, zone)
      if (at !== undefined) found.push(new Date(at).toISOString().slice(0, 16))
    }
    return found
  }
  test.each([
    ['* * * * *', '2026-01-01T00:00:30Z', ['2026-01-01T00:01', '2026-01-01T00:02']],
    ['*/15 8-9 * * *', '2026-01-01T09:30:00Z', ['2026-01-01T09:45', '2026-01-02T08:00']],
    ['0 0 31 * *', '2026-01-31T00:00:00Z', ['2026-03-31T00:00', '2026-05-31T00:00']],
    ['0 12 1 * mon', '2026-01-01T00:00:00Z', ['2026-01-01T12:00', '2026-01-05T12:00']],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', ['2028-02-29T00:00']],
    ['0 0 30 2 *', '2026-01-01T00:00:00Z', []],
    ['@weekly', '2026-01-01T00:00:00Z', ['2026-01-04T00:00', '2026-01-11T00:00']],
    ['@every 90s', '2026-01-01T00:00:00Z', ['2026-01-01T00:01', '2026-01-01T00:03']],
  ])('%s', (schedule, from, expected) => expect(times(schedule, from, Math.max(1, expected.length))).toEqual(expected))

  test.each([
    ['in a zone', '30 9 * * *', 'Asia/Kolkata', '2026-01-01T00:00:00Z', ['2026-01-01T04:00', '2026-01-02T04:00']],
    // The clocks leap from two to three on the 8th of March.
    [
      'an hour that is leapt over is left out',
      '30 2 * * *',
      'America/New_York',
      '2026-03-07T00:00:00Z',
      ['2026-03-07T07:30', '2026-03-09T06:30'],
    ],
    ['and so is midnight where it goes', '0 0 * * *', 'America/Santiago', '2026-09-05T00:00:00Z', ['2026-09-05T04:00', '2026-09-07T03:00']],
    // They show the hour from one to two twice on the 1st of November.
    [
      'an hour that comes twice counts twice',
      '30 1 * * *',
      'America/New_York',
      '2026-11-01T00:00:00Z',
      ['2026-11-01T05:30', '2026-11-01T06:30', '2026-11-02T06:30'],
    ],
    [
      'days of 23 and 25 hours have their midnights',
      '0 0 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00:00Z',
      ['2026-10-24T22:00', '2026-10-25T23:00'],
    ],
    ['the day after a short one', '15 0 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['2026-03-28T23:15', '2026-03-29T22:15']],
  ])('%s', (_what, schedule, zone, from, expected) => expect(times(schedule, from, expected.length, zone)).toEqual(expected))

  test.each([
    ['* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:00:30Z', undefined],
    ['* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:03:30Z', { at: '2026-01-01T00:03', more: false }],
    ['* * * * *', '2025-01-01T00:00:00Z', '2026-01-01T00:03:30Z', { at: '2026-01-01T00:03', more: true }],
    ['0 0 1 1 *', '2020-06-01T00:00:00Z', '2026-05-01T00:00:00Z', { at: '2026-01-01T00:00', more: false }],
    ['@every 1h', '2026-01-01T00:10:00Z', '2026-01-01T05:00:00Z', { at: '2026-01-01T04:10', more: false }],
  ])('%s last after %s until %s', (schedule, after, until, expected) => {
    const found = lastTime(parseSchedule(schedule), Date.parse(after), Date.parse(until), 'UTC', 100)
    expect(found && { at: new Date(found.at).toISOString().slice(0, 16), more: found.more }).toEqual(expected)
  })
})
