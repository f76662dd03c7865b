// Audit policies: which rule decides, and which policies are none.
import { describe, expect, test } from 'vitest'
import { type AuditedRequest, decide, parsePolicy } from './policy.ts'

const policy = parsePolicy({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', users: ['system:kube-proxy'], verbs: ['watch'], resources: [{ group: '', resources: ['endpoints', 'services'] }] },
    { level: 'None', userGroups: ['system:authenticated'], nonResourceURLs: ['/api*', '/version'] },
    { level: 'Request', resources: [{ group: '', resources: ['configmaps'] }], namespaces: ['kube-system'], omitManagedFields: true },
    { level: 'Metadata', resources: [{ group: '', resources: ['secrets', 'configmaps'] }] },
    {
      level: 'RequestResponse',
      resources: [
        { group: '', resources: ['pods'] },
        { group: 'apps', resources: ['*/status'] },
      ],
      omitStages: ['ResponseStarted'],
    },
    { level: 'None', resources: [{ group: '', resources: ['pods/*'], resourceNames: ['quiet'] }] },
    { level: 'Request', resources: [{ group: 'batch' }] },
  ],
})
const request = (more: Partial<AuditedRequest>): AuditedRequest => ({
  user: 'jane',
  groups: ['system:authenticated'],
  verb: 'get',
  group: '',
  ...more,
})

describe('the first rule that matches decides', () => {
  test.each<[string, Partial<AuditedRequest>, string]>([
    ['a user, a verb and a resource', { user: 'system:kube-proxy', verb: 'watch', resource: 'services' }, 'None'],
    ['another verb', { user: 'system:kube-proxy', resource: 'services' }, 'None'],
    ['a path', { path: '/version' }, 'None'],
    ['a path by its beginning', { path: '/apis/apps' }, 'None'],
    ['a namespace', { resource: 'configmaps', namespace: 'kube-system' }, 'Request'],
    ['another namespace', { resource: 'configmaps', namespace: 'default' }, 'Metadata'],
    ['a resource without its subresources', { resource: 'pods' }, 'RequestResponse'],
    ['a subresource is another resource', { resource: 'pods', subresource: 'log', name: 'p' }, 'None'],
    ['a subresource of any', { group: 'apps', resource: 'deployments', subresource: 'status' }, 'RequestResponse'],
    ['a whole group', { group: 'batch', resource: 'jobs' }, 'Request'],
    ['what no rule speaks of', { group: 'apps', resource: 'deployments' }, 'None'],
  ])('%s', (_, more, level) => expect(decide(policy, request(more)).level).toBe(level))

  test('stages and managed fields are left out as the rule and the policy say', () => {
    const pods = decide(policy, request({ resource: 'pods' }))
    expect([...pods.omitStages].sort()).toEqual(['RequestReceived', 'ResponseStarted'])
    expect(decide(policy, request({ resource: 'configmaps', namespace: 'kube-system' })).omitManagedFields).toBe(true)
  })
})

test.each<[any, string]>([
  [{ kind: 'Policy' }, 'audit.k8s.io/v1'],
  [{ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [] }, 'rules'],
  [{ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'All' }] }, 'rules[0].level'],
  [{ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'None' }], omitStages: ['Begin'] }, 'omitStages'],
  [
    { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'None', nonResourceURLs: ['/'], namespaces: ['a'] }] },
    'nonResourceURLs',
  ],
])('%j is no policy', (o, field) => expect(() => parsePolicy(o)).toThrow(field))
