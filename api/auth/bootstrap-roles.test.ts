// Default roles of clusters that an older version made are brought up to date, unless somebody said that they are not to be.
import { expect, test } from 'vitest'
import { addRules, addSubjects } from './bootstrap-roles.ts'

const autoupdate = (value: string) => ({ 'rbac.authorization.kubernetes.io/autoupdate': value })
const rule = (resources: string[], verbs: string[]) => ({ apiGroups: [''], resources, verbs })
const role = (annotations: Record<string, string>, ...rules: object[]) => ({ metadata: { name: 'edit', annotations }, rules }) as any

test.each([
  ['a rule that is missing is added', autoupdate('true'), [rule(['pods'], ['get'])], [rule(['pods'], ['get']), rule(['secrets'], ['get'])]],
  ['a broader one is enough', autoupdate('true'), [rule(['*'], ['*'])], [rule(['*'], ['*'])]],
  ['what a user added stays', autoupdate('true'), [rule(['nodes'], ['get'])], [rule(['nodes'], ['get']), rule(['secrets'], ['get'])]],
  ['who said no is left alone', autoupdate('false'), [rule(['pods'], ['get'])], [rule(['pods'], ['get'])]],
  ['a role of that name that is not ours is left alone', {}, [], []],
])('%s', (_what, annotations, rules, expected) => {
  const o = role(annotations, ...rules)
  expect(addRules(o, [rule(['secrets'], ['get'])])).toBe(expected.length > rules.length)
  expect(o.rules).toEqual(expected)
})

test('subjects are added once', () => {
  const o = { metadata: { name: 'x', annotations: autoupdate('true') } } as any
  const subjects = [{ kind: 'Group', name: 'system:masters' }]
  expect([addSubjects(o, subjects), addSubjects(o, subjects)]).toEqual([true, false])
  expect(o.subjects).toEqual(subjects)
})
