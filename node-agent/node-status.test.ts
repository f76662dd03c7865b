// The order in which the node's reports are written.
import { expect, test } from 'vitest'
import { NodeReporter } from './node-status.ts'

const quiet = { info() {}, warn() {}, error() {} }

test('a report that knew less is never written after one that knew more', async () => {
  let connected = false
  const written: boolean[] = []
  const pending: (() => void)[] = []
  const reporter = new NodeReporter(async () => {
    const seen = connected
    await new Promise<void>((resolve) => pending.push(resolve))
    written.push(seen)
  }, quiet)
  reporter.report()
  connected = true
  reporter.report()
  reporter.report()
  expect(pending).toHaveLength(1)
  pending.shift()!()
  await expect.poll(() => pending.length).toBe(1)
  pending.shift()!()
  await expect.poll(() => written).toEqual([false, true])
})
