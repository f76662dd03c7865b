// Who may do what, by roles and bindings.
import { describe, expect, test } from 'vitest'
import { covered } from './rights-rules.ts'
import { grantsOf, isOf, subjectText, whoCan } from './who-can.ts'

const rule = (verbs: string[], resources: string[], apiGroups = [''], resourceNames?: string[]) => ({
  verbs,
  resources,
  apiGroups,
  ...(resourceNames ? { resourceNames } : {}),
})
const pods = { group: '', plural: 'pods' }

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
  for (const [name, r, q, want] of cases) test(name, () => expect(covered([r], pods, q)).toBe(want))
})

const access = {
  clusterRoles: [{ metadata: { name: 'view' }, rules: [rule(['get'], ['pods'])] }],
  roles: [{ metadata: { name: 'ops', namespace: 'a' }, rules: [rule(['delete'], ['pods'])] }],
  clusterRoleBindings: [
    {
      metadata: { name: 'all' },
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'Group', name: 'system:serviceaccounts:a' }],
    },
  ],
  roleBindings: [
    {
      metadata: { name: 'ops', namespace: 'a' },
      roleRef: { kind: 'Role', name: 'ops' },
      subjects: [{ kind: 'ServiceAccount', name: 'bot' }],
    },
    { metadata: { name: 'lost', namespace: 'a' }, roleRef: { kind: 'Role', name: 'none' }, subjects: [{ kind: 'User', name: 'ann' }] },
  ],
}

test('who can, in a namespace and in all', () => {
  const grants = grantsOf(access)
  const who = (verb: string, namespace: string) => whoCan(grants, { verb, ...pods, namespace }).map((g) => subjectText(g.subject))
  expect(who('delete', 'a')).toEqual(['service account a/bot'])
  expect(who('delete', '')).toEqual([])
  expect(who('delete', 'b')).toEqual([])
  expect(who('get', '')).toEqual(['group system:serviceaccounts:a'])
})

test('what is somebody’s by their groups', () => {
  const bot = { kind: 'ServiceAccount', name: 'bot', namespace: 'a' }
  expect(
    grantsOf(access)
      .filter((g) => isOf(g, bot))
      .map((g) => g.by),
  ).toEqual(['ClusterRoleBinding all', 'RoleBinding a/ops'])
})
