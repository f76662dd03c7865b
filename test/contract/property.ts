// A property of controllers, on each database that an engine runs on: whatever steps fast-check thinks of, the state is right afterwards, and a new life of
// the engine finds nothing to write.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Controlled } from '../rig/controlled.ts'
import { engineDatabases } from './databases.ts'

const RUNS = Number(process.env.KEDGE_RUNS ?? 40)
const seed = Number(process.env.KEDGE_SEED ?? 1)

/** `run` takes the steps on a cluster of so many nodes, lets it come to rest and checks. */
export function property<S>(title: string, steps: fc.Arbitrary<S>, nodes: number, run: (c: Controlled, steps: S) => Promise<void>): void {
  describe.each(engineDatabases)('$name', ({ name, open }) => {
    // A real server takes its time.
    const numRuns = name === 'embedded' ? RUNS : Math.ceil(RUNS / 10)
    test(title, { timeout: 240_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (taken) => {
          const { database, close } = await open()
          const c = await Controlled.start(nodes, database)
          try {
            await run(c, taken)
            const before = await c.version()
            await c.restart()
            expect((await c.since(before)).map((e) => `${e.verb} ${e.resource} ${e.name}`)).toEqual([])
          } finally {
            await c.close()
            await close()
          }
        }),
        { numRuns, seed, endOnFailure: false },
      )
    })
  })
}

/** The engine works on meanwhile: what a step was about may have gone, or changed; and a namespace may be on its way out. */
export const overtaken = (e: { code?: number }): void => {
  if (![403, 404, 409].includes(e.code ?? 0)) throw e
}
