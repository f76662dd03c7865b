// When a daemon tidies up: once, a while after the last that happened.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AtRest } from './at-rest.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('once, when nothing has happened for a while; and again after more has', () => {
  const rest = vi.fn()
  const at = new AtRest(rest)
  for (let i = 0; i < 10; i++) {
    at.stirred()
    vi.advanceTimersByTime(5000)
  }
  expect(rest).not.toHaveBeenCalled()
  vi.advanceTimersByTime(60_000)
  expect(rest).toHaveBeenCalledTimes(1)
  at.stirred()
  vi.advanceTimersByTime(60_000)
  expect(rest).toHaveBeenCalledTimes(2)
})

test('what it does by itself is possible here', () => {
  const at = new AtRest()
  at.stirred()
  expect(() => vi.advanceTimersByTime(60_000)).not.toThrow()
})
