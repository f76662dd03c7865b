// Names are made of these: what is nearly the same must come to what has nothing in common.
import { expect, it } from 'vitest'
import { hashBytes } from './hash.ts'

it('gives texts that differ in their last digits alone names that hardly ever meet', () => {
  const names = new Set(
    Array.from({ length: 2000 }, (_, i) => [...hashBytes(`some uid 1795344874341 ${i}`).subarray(0, 5)].map((b) => b % 27).join()),
  )
  // Of 2,000 out of 27^5, an eighth of a pair is expected.
  expect(names.size).toBeGreaterThanOrEqual(1998)
})

it('spreads every byte', () => {
  for (let at = 0; at < 8; at++) {
    const seen = new Set(Array.from({ length: 4096 }, (_, i) => hashBytes(`x${i}`)[at]))
    expect(seen.size).toBe(256)
  }
})
