// What the dashboard leads to, in the order of its menu. Kinds that are named nowhere here are under "All kinds".

export interface Entry {
  title: string
  /** A kind, by its resource; or a page of its own. */
  resource?: string
  page?: string
  /** Of which rights one is needed to see it, where it is a page of its own. */
  needs?: { verb: string; resource: string; subresource?: string }[]
}

const creating = ['deployments.apps', 'pods', 'configmaps', 'services', 'jobs.batch'].map((resource) => ({ verb: 'create', resource }))

export const menu: { title: string; entries: Entry[] }[] = [
  {
    title: 'Cluster',
    entries: [
      { title: 'Overview', page: '' },
      { title: 'Nodes', resource: 'nodes' },
      { title: 'Namespaces', resource: 'namespaces' },
      { title: 'Events', resource: 'events' },
      { title: 'Logs', page: 'logs', needs: [{ verb: 'get', resource: 'pods', subresource: 'log' }] },
      { title: 'Past', page: 'past' },
    ],
  },
  {
    title: 'Workloads',
    entries: [
      { title: 'Deployments', resource: 'deployments.apps' },
      { title: 'StatefulSets', resource: 'statefulsets.apps' },
      { title: 'DaemonSets', resource: 'daemonsets.apps' },
      { title: 'Jobs', resource: 'jobs.batch' },
      { title: 'CronJobs', resource: 'cronjobs.batch' },
      { title: 'Pods', resource: 'pods' },
      { title: 'Autoscalers', resource: 'horizontalpodautoscalers.autoscaling' },
      { title: 'Disruption budgets', resource: 'poddisruptionbudgets.policy' },
    ],
  },
  {
    title: 'Network',
    entries: [
      { title: 'Map', page: 'map', needs: [{ verb: 'list', resource: 'services' }] },
      { title: 'Services', resource: 'services' },
      { title: 'Ingresses', resource: 'ingresses.networking.k8s.io' },
      { title: 'Network policies', resource: 'networkpolicies.networking.k8s.io' },
    ],
  },
  {
    title: 'Storage',
    entries: [
      { title: 'Claims', resource: 'persistentvolumeclaims' },
      { title: 'Volumes', resource: 'persistentvolumes' },
      { title: 'Classes', resource: 'storageclasses.storage.k8s.io' },
    ],
  },
  {
    title: 'Config',
    entries: [
      { title: 'Config maps', resource: 'configmaps' },
      { title: 'Secrets', resource: 'secrets' },
      { title: 'Quotas', resource: 'resourcequotas' },
      { title: 'Limit ranges', resource: 'limitranges' },
      { title: 'Log counters', resource: 'logcounters.observe.kedge.dev' },
    ],
  },
  {
    title: 'Deploy',
    entries: [
      { title: 'Hooks', resource: 'deployhooks.deploy.kedge.dev' },
      { title: 'Deliveries', resource: 'deploydeliveries.deploy.kedge.dev' },
    ],
  },
  {
    title: 'Access',
    entries: [
      { title: 'Who can do what', page: 'access' },
      { title: 'Service accounts', resource: 'serviceaccounts' },
      { title: 'Roles', resource: 'roles.rbac.authorization.k8s.io' },
      { title: 'Role bindings', resource: 'rolebindings.rbac.authorization.k8s.io' },
      { title: 'Cluster roles', resource: 'clusterroles.rbac.authorization.k8s.io' },
      { title: 'Cluster role bindings', resource: 'clusterrolebindings.rbac.authorization.k8s.io' },
    ],
  },
  {
    title: 'More',
    entries: [
      { title: 'All kinds', page: 'kinds' },
      { title: 'Create', page: 'create', needs: creating },
    ],
  },
]
