// The priority levels and flow schemas that every cluster begins with: Kubernetes' own (apiserver/pkg/apis/flowcontrol/bootstrap).

const limited = (name: string, shares: number, lendable: number, queues: number, hand: number) => ({
  metadata: { name },
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: shares,
      lendablePercent: lendable,
      limitResponse: { type: 'Queue', queuing: { queues, handSize: hand, queueLengthLimit: 50 } },
    },
  },
})

export const priorityLevels = [
  { metadata: { name: 'exempt' }, spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 50 } } },
  limited('node-high', 40, 25, 64, 6),
  limited('system', 30, 33, 64, 6),
  limited('leader-election', 10, 0, 16, 4),
  limited('workload-high', 40, 50, 128, 6),
  limited('workload-low', 100, 90, 128, 6),
  limited('global-default', 20, 50, 128, 6),
  {
    metadata: { name: 'catch-all' },
    spec: { type: 'Limited', limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } } },
  },
]

const user = (name: string) => ({ kind: 'User', user: { name } })
const group = (name: string) => ({ kind: 'Group', group: { name } })
const account = (namespace: string, name: string) => ({ kind: 'ServiceAccount', serviceAccount: { namespace, name } })
const everyone = [group('system:authenticated'), group('system:unauthenticated')]
const resources = (verbs: string[], apiGroups: string[], list: string[], namespaces = ['*'], clusterScope = false) => ({
  verbs,
  apiGroups,
  resources: list,
  namespaces,
  ...(clusterScope ? { clusterScope } : {}),
})
const everything = {
  resourceRules: [resources(['*'], ['*'], ['*'], ['*'], true)],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
}
const election = resources(['get', 'create', 'update'], ['coordination.k8s.io'], ['leases'])

const schema = (name: string, matchingPrecedence: number, level: string, by: string | undefined, ...rules: object[]) => ({
  metadata: { name },
  spec: {
    matchingPrecedence,
    priorityLevelConfiguration: { name: level },
    ...(by ? { distinguisherMethod: { type: by } } : {}),
    rules,
  },
})

export const flowSchemas = [
  schema('exempt', 1, 'exempt', undefined, { subjects: [group('system:masters')], ...everything }),
  schema('probes', 2, 'exempt', undefined, {
    subjects: everyone,
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  schema('system-leader-election', 100, 'leader-election', 'ByUser', {
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), account('kube-system', '*')],
    resourceRules: [election],
  }),
  schema('endpoint-controller', 150, 'workload-high', 'ByUser', {
    subjects: [
      user('system:kube-controller-manager'),
      account('kube-system', 'endpoint-controller'),
      account('kube-system', 'endpointslicemirroring-controller'),
    ],
    resourceRules: [resources(['get', 'create', 'update'], [''], ['endpoints'])],
  }),
  schema('workload-leader-election', 200, 'leader-election', 'ByUser', {
    subjects: [account('kube-system', '*')],
    resourceRules: [election],
  }),
  schema('system-node-high', 400, 'node-high', 'ByUser', {
    subjects: [group('system:nodes')],
    resourceRules: [resources(['*'], [''], ['nodes', 'nodes/status'], ['*'], true), resources(['*'], ['coordination.k8s.io'], ['leases'])],
  }),
  schema('system-nodes', 500, 'system', 'ByUser', { subjects: [group('system:nodes')], ...everything }),
  schema('kube-controller-manager', 800, 'workload-high', 'ByNamespace', {
    subjects: [user('system:kube-controller-manager')],
    ...everything,
  }),
  schema('kube-scheduler', 800, 'workload-high', 'ByNamespace', { subjects: [user('system:kube-scheduler')], ...everything }),
  schema('kube-system-service-accounts', 900, 'workload-high', 'ByNamespace', { subjects: [account('kube-system', '*')], ...everything }),
  schema('service-accounts', 9000, 'workload-low', 'ByUser', { subjects: [group('system:serviceaccounts')], ...everything }),
  schema('global-default', 9900, 'global-default', 'ByUser', { subjects: everyone, ...everything }),
  schema('catch-all', 10_000, 'catch-all', 'ByUser', { subjects: everyone, ...everything }),
]
