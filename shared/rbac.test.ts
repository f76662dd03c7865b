// What a rule allows.
import { describe, expect, test } from 'vitest'
import { ruleAllows } from './rbac.ts'

const rule = (verbs: string[], resources: string[], apiGroups = [''], resourceNames?: string[]) => ({
  verbs,
  resources,
  apiGroups,
  ...(resourceNames ? { resourceNames } : {}),
})
const pods = { group: '', resource: 'pods' }

describe('a rule', () => {
  const cases: [string, any, any, boolean][] = [
    ['as it is', rule(['get'], ['pods']), { verb: 'get' }, true],
    ['another verb', rule(['get'], ['pods']), { verb: 'list' }, false],
    ['everything', rule(['*'], ['*'], ['*']), { verb: 'delete', subresource: 'exec' }, true],
    ['a resource is not its subresources', rule(['get'], ['pods']), { verb: 'get', subresource: 'log' }, false],
    ['a subresource', rule(['get'], ['pods/log']), { verb: 'get', subresource: 'log' }, true],
    ['a subresource of all', rule(['get'], ['*/log']), { verb: 'get', subresource: 'log' }, true],
    ['another group', rule(['get'], ['pods'], ['apps']), { verb: 'get' }, false],
    ['by name', rule(['get'], ['pods'], [''], ['one']), { verb: 'get', name: 'one' }, true],
    ['by another name', rule(['get'], ['pods'], [''], ['one']), { verb: 'get', name: 'two' }, false],
    ['by name, asked for all', rule(['get'], ['pods'], [''], ['one']), { verb: 'get' }, false],
  ]
  for (const [name, r, q, want] of cases) test(name, () => expect(ruleAllows(r, { ...pods, ...q })).toBe(want))
})
