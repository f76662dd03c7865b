// A table by its owners: whatever comes, goes and fails, the kernel has in the end what is called for, and each element from whoever called for it first.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Elements } from './service-rules.ts'
import { TableState } from './table-state.ts'

const BASE = 'flush\n'

/** What a kernel makes of scripts; as strict as it: nothing twice, nothing away that is not there. */
class Kernel {
  readonly all = new Map<string, string>()
  apply(script: string): void {
    for (const line of script.split('\n')) {
      if (line === 'flush') this.all.clear()
      const [, verb, set, list] = /^(add|delete) element ip kedge (\S+) \{ (.*) \}$/.exec(line) ?? []
      for (const item of list?.split(', ') ?? []) {
        const [key, value = ''] = item.split(' : ') as [string, string?]
        const id = `${set} ${key}`
        if (this.all.has(id) === (verb === 'add')) throw new Error(`${verb} ${id}`)
        if (verb === 'add') this.all.set(id, value)
        else this.all.delete(id)
      }
    }
  }
}

const elements = fc
  .array(fc.tuple(fc.constantFrom('s', 't'), fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2')), { maxLength: 5 })
  .map((list) => {
    const out: Elements = new Map()
    for (const [set, key, value] of list) out.set(set, (out.get(set) ?? new Map()).set(key, value))
    return out
  })
const step = fc.record({ owner: fc.constantFrom('x', 'y', 'z'), now: elements, writes: fc.boolean(), fails: fc.boolean() })

test('what is called for, by whoever called for it first', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const state = new TableState('ip kedge')
      const kernel = new Kernel()
      let isWritten = false
      /** By set and key: who calls for it, the first one first. */
      const wanted = new Map<string, Map<string, string>>()
      const write = () => {
        kernel.apply(state.script(isWritten ? undefined : BASE))
        state.written()
        isWritten = true
      }
      for (const { owner, now, writes, fails } of steps) {
        state.replace(owner, now)
        for (const set of ['s', 't'])
          for (const key of ['a', 'b', 'c']) {
            const claims = wanted.get(`${set} ${key}`) ?? new Map<string, string>()
            wanted.set(`${set} ${key}`, claims)
            const value = now.get(set)?.get(key)
            if (value === undefined) claims.delete(owner)
            else claims.set(owner, value)
          }
        if (fails) isWritten = false
        else if (writes) write()
      }
      write()
      const first = [...wanted].flatMap(([id, claims]) => (claims.size ? [[id, claims.values().next().value]] : []))
      expect(Object.fromEntries(kernel.all)).toEqual(Object.fromEntries(first))
      expect(state.script()).toBe('')
    }),
    { numRuns: 2000 },
  )
})
