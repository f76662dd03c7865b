// A property of controllers, on each database that an engine runs on: whatever steps fast-check thinks of, the state is right afterwards, and a new life of
// the engine finds nothing to write.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Settings } from '../../api/registry/context.ts'
import { Controlled } from '../rig/controlled.ts'
import { engineDatabases } from './databases.ts'

const RUNS = Number(process.env.KEDGE_RUNS ?? 40)
const seed = Number(process.env.KEDGE_SEED ?? 1)

/** `run` takes the steps on a cluster of so many nodes, lets it come to rest and checks. */
export function property<S>(
  title: string,
  steps: fc.Arbitrary<S>,
  nodes: number,
  run: (c: Controlled, steps: S) => Promise<void>,
  settings: Partial<Settings> = {},
): void {
  describe.each(engineDatabases)('$name', ({ name, open }) => {
    // A real server takes its time.
    const numRuns = name === 'embedded' ? RUNS : Math.ceil(RUNS / 10)
    test(title, { timeout: 240_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (taken) => {
          const { database, close } = await open()
          const c = await Controlled.start(nodes, database, settings)
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

/** What may happen next; two numbers say what with. */
interface Step {
  what: string
  n: number
  m: number
}
export type Steps = Record<string, (n: number, m: number) => Promise<unknown>>

/** So many steps of these names: what stands twice comes twice as often. */
export const walk = (names: readonly string[], minLength = 8, maxLength = 30): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ what: fc.constantFrom(...names), n: fc.nat({ max: 5 }), m: fc.nat({ max: 5 }) }), { minLength, maxLength })

/** What may happen to every cluster: its engine dies, it comes to rest, writes fail. */
const anywhere = (c: Controlled): Steps => ({
  restart: () => c.restart(),
  settle: () => c.settled(),
  trouble: (n, m) => c.troubled(1 + n, m % 2 ? 'before' : 'after'),
})

/** Takes the steps, a suite's own or those that may happen everywhere; `after` each of them may look. */
export async function take(c: Controlled, own: Steps, way: readonly Step[], after: () => Promise<void> = async () => {}): Promise<void> {
  const steps = { ...anywhere(c), ...own }
  for (const { what, n, m } of way) {
    await steps[what]!(n, m).catch(overtaken)
    await after()
  }
}

/** The engine works on meanwhile: what a step was about may have gone, or changed; and a namespace may be on its way out. */
export const overtaken = (e: { code?: number }): void => {
  if (![403, 404, 409].includes(e.code ?? 0)) throw e
}
