// Who may do what, by roles and bindings.
import { expect, test } from 'vitest'
import { grantsOf, isOf, subjectText, whoCan } from './who-can.ts'

const rule = (verbs: string[], resources: string[], apiGroups = [''], resourceNames?: string[]) => ({
  verbs,
  resources,
  apiGroups,
  ...(resourceNames ? { resourceNames } : {}),
})
const pods = { group: '', resource: 'pods' }

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
