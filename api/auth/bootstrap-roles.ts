// Kubernetes' default cluster roles and bindings for what is served here (plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
import { DEPLOY_GROUP } from '../../shared/kinds/deploy.ts'
import { OBSERVE_GROUP } from '../../shared/logs.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Rule } from '../../shared/rbac.ts'
import { rulesCover } from './rbac.ts'

const read = ['get', 'list', 'watch']
const write = ['create', 'delete', 'deletecollection', 'patch', 'update']
const rule = (apiGroup: string, resources: string[], verbs: string[]): Rule => ({ apiGroups: [apiGroup], resources, verbs })
const paths = (...nonResourceURLs: string[]): Rule => ({ nonResourceURLs, verbs: ['get'] })

const bootstrapLabels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }
const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' }
const aggregate = (to: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${to}`]: 'true' })

const role = (name: string, rules: Rule[] | null, labels: Record<string, string> = {}, more: object = {}) => ({
  metadata: { name, labels: { ...bootstrapLabels, ...labels }, annotations },
  rules,
  ...more,
})

const aggregated = (name: string, from: string, labels: Record<string, string> = {}) =>
  role(name, null, labels, { aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregate(from) }] } })

const workloads = [
  'deployments',
  'deployments/scale',
  'replicasets',
  'replicasets/scale',
  'statefulsets',
  'statefulsets/scale',
  'daemonsets',
]
const corePlain = [
  'configmaps',
  'endpoints',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'replicationcontrollers/scale',
  'serviceaccounts',
  'services',
]

/** Namespaced ones, in kube-system: aggregated API servers are bound to it. */
export const kubeSystemRoles = [
  role('extension-apiserver-authentication-reader', [
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['extension-apiserver-authentication'], verbs: read },
  ]),
]

export const clusterRoles = [
  role('cluster-admin', [
    { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ]),
  role('system:discovery', [
    paths('/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz', '/version', '/version/'),
  ]),
  role('system:public-info-viewer', [paths('/healthz', '/livez', '/readyz', '/version', '/version/')]),
  role('system:basic-user', [
    rule('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
    rule('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
  ]),
  role('system:auth-delegator', [
    rule('authentication.k8s.io', ['tokenreviews'], ['create']),
    rule('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
  ]),
  role('system:monitoring', [
    paths('/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/metrics/objects', '/metrics/slis', '/readyz', '/readyz/*'),
  ]),
  aggregated('admin', 'admin'),
  aggregated('edit', 'edit', aggregate('admin')),
  aggregated('view', 'view', aggregate('edit')),
  role(
    'system:aggregate-to-admin',
    [
      rule('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
      rule('rbac.authorization.k8s.io', ['rolebindings', 'roles'], [...read, ...write]),
    ],
    aggregate('admin'),
  ),
  role(
    'system:aggregate-to-edit',
    [
      rule('', ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'], read),
      rule('', ['serviceaccounts'], ['impersonate']),
      rule('', ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'], write),
      rule('', ['pods/eviction'], ['create']),
      rule('', [...corePlain, 'events', 'secrets', 'services/proxy'], write),
      rule('', ['serviceaccounts/token'], ['create']),
      rule('apps', [...workloads, 'deployments/rollback'], write),
      rule('coordination.k8s.io', ['leases'], ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']),
      rule('networking.k8s.io', ['ingresses', 'networkpolicies'], write),
      rule('batch', ['cronjobs', 'jobs'], write),
      rule('autoscaling', ['horizontalpodautoscalers'], write),
      rule('policy', ['poddisruptionbudgets'], write),
      rule(DEPLOY_GROUP, ['deployhooks', 'deploydeliveries'], write),
      rule(OBSERVE_GROUP, ['logcounters'], write),
    ],
    aggregate('edit'),
  ),
  role(
    'system:aggregate-to-view',
    [
      rule(
        '',
        [
          ...corePlain,
          'pods',
          'services/status',
          'persistentvolumeclaims/status',
          'pods/log',
          'pods/status',
          'bindings',
          'events',
          'limitranges',
          'namespaces',
          'namespaces/status',
          'resourcequotas',
          'resourcequotas/status',
        ],
        read,
      ),
      rule('discovery.k8s.io', ['endpointslices'], read),
      rule(DEPLOY_GROUP, ['deployhooks', 'deploydeliveries'], read),
      rule(OBSERVE_GROUP, ['logcounters'], read),
      rule(
        'apps',
        [...workloads, 'controllerrevisions', 'deployments/status', 'replicasets/status', 'statefulsets/status', 'daemonsets/status'],
        read,
      ),
      rule('networking.k8s.io', ['ingresses', 'networkpolicies', 'ingresses/status'], read),
      rule('batch', ['cronjobs', 'jobs', 'cronjobs/status', 'jobs/status'], read),
      rule('autoscaling', ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'], read),
      rule('policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status'], read),
    ],
    aggregate('view'),
  ),
  // As metrics-server brings it.
  role('system:aggregated-metrics-reader', [rule('metrics.k8s.io', ['nodes', 'pods'], read)], {
    ...aggregate('admin'),
    ...aggregate('edit'),
    ...aggregate('view'),
  }),
]

const binding = (name: string, subjects: string[]) => ({
  metadata: { name, labels: bootstrapLabels, annotations },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
  subjects: subjects.map((s) => ({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: s })),
})

/** Who does not want a default role brought up to date says so on it. */
const kept = (o: KObject) => o.metadata.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] !== 'true'

/** Adds the rules that a role of an older cluster lacks; whether it lacked any. */
export function addRules(o: KObject, rules: Rule[]): boolean {
  const lacking = kept(o) ? [] : rules.filter((r) => !rulesCover(o.rules ?? [], [r]))
  o.rules = [...(o.rules ?? []), ...lacking]
  return lacking.length > 0
}

export function addSubjects(o: KObject, subjects: { kind: string; name: string }[]): boolean {
  const lacking = kept(o) ? [] : subjects.filter((s) => !o.subjects?.some((x: any) => x.kind === s.kind && x.name === s.name))
  o.subjects = [...(o.subjects ?? []), ...lacking]
  return lacking.length > 0
}

export const clusterRoleBindings = [
  binding('cluster-admin', ['system:masters']),
  binding('system:discovery', ['system:authenticated']),
  binding('system:basic-user', ['system:authenticated']),
  binding('system:public-info-viewer', ['system:authenticated', 'system:unauthenticated']),
  binding('system:monitoring', ['system:monitoring']),
]
