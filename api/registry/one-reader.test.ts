// One reads for all; who was cut off while reading holds up nobody for long.
import { expect, test } from 'vitest'
import { Once, OneReader } from './one-reader.ts'

test('many ask at once, one reads', async () => {
  const reader = new OneReader()
  let reads = 0
  let there = false
  const read = async () => {
    reads++
    await new Promise((r) => setTimeout(r, 5))
    there = true
  }
  await Promise.all(
    Array.from({ length: 50 }, () =>
      reader.until(
        () => there,
        () => read(),
      ),
    ),
  )
  expect(reads).toBe(1)
})

test('who reads is cut off: another one does it', async () => {
  const reader = new OneReader()
  let there = false
  void reader.until(
    () => there,
    () => new Promise(() => {}),
  )
  await reader.until(
    () => there,
    async () => {
      there = true
    },
  )
  expect(there).toBe(true)
})

test('a value is read once, and again only where reading failed', async () => {
  const once = new Once<number | undefined>()
  let reads = 0
  const read = async () => {
    if (++reads === 1) throw new Error('away')
    return undefined
  }
  const answers = await Promise.allSettled([once.get(read), once.get(read), once.get(read)])
  expect(answers.map((a) => a.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  await once.get(read)
  expect(reads).toBe(2)
})
