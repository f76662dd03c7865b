// Prometheus on a node: it finds by every role of its discovery what there is, scrapes all of it as a service account, and evaluates the rules that clusters
// have. What it would complain of is looked for by promtool. Built from its source, for Debian's cannot discover in Kubernetes.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ControlPlane } from '../rig/control-plane.ts'
import { eventually, type Host, quietly } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const lacking = ['go', 'promtool'].find((tool) => !quietly(`command -v ${tool}`).trim())
const noPrometheus = lacking && `there is no ${lacking} here`
const missing = standMissing() ?? noPrometheus
if (noPrometheus && process.env.CI === 'true') throw new Error(noPrometheus)
if (noPrometheus) console.warn(`what Prometheus makes of it is not tested: ${noPrometheus}`)
/** Built once; Go's own cache knows it the next time. */
const program = path.join(import.meta.dirname, '../../node_modules/.cache/prometheus')

const PORT = 8080
const annotations = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': String(PORT) }
const names = { namespace: 'monitoring', name: 'prometheus' }
const read = ['get', 'list', 'watch']

/** Who scrapes, and may no more than that. */
const account = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: names.namespace } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: names },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: names.name },
    rules: [
      { apiGroups: [''], resources: ['nodes', 'nodes/proxy', 'services', 'endpoints', 'pods'], verbs: read },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
      { apiGroups: ['networking.k8s.io'], resources: ['ingresses'], verbs: read },
      { nonResourceURLs: ['/metrics', '/metrics/objects'], verbs: ['get'] },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: names.name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: names.name },
    subjects: [{ kind: 'ServiceAccount', ...names }],
  },
]

/** Something that has metrics of its own. */
const web = [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data: { metrics: '# TYPE web_answer gauge\nweb_answer 42\n' } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' }, annotations },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'c',
              image: 'test/busybox:1',
              command: ['httpd', '-f', '-p', String(PORT), '-h', '/www'],
              ports: [{ containerPort: PORT }],
              resources: { requests: { cpu: '10m' } },
              readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
              volumeMounts: [{ name: 'www', mountPath: '/www' }],
            },
          ],
          volumes: [{ name: 'www', configMap: { name: 'web' } }],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', annotations },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: PORT }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'broken' },
    spec: { containers: [{ name: 'c', image: 'test/busybox:1', command: ['false'] }] },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web' },
    spec: {
      rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] } }],
    },
  },
]

const rule = (name: string, kind: 'record' | 'alert', expr: string) => ({ [kind]: name, expr })
/** As the common rules for Kubernetes have it, in short windows. */
const rules = {
  groups: [
    {
      name: 'recorded',
      interval: '2s',
      rules: [
        rule(
          'node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate',
          'record',
          'sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{container!=""}[20s])) * on (namespace, pod) group_left(node) topk by (namespace, pod) (1, max by (namespace, pod, node) (kube_pod_info{node!=""}))',
        ),
        rule(
          'namespace_cpu:kube_pod_container_resource_requests:sum',
          'record',
          'sum by (namespace) (sum by (namespace, pod) (max by (namespace, pod, container) (kube_pod_container_resource_requests{resource="cpu"}) * on (namespace, pod) group_left() max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"} == 1)))',
        ),
        rule(
          'namespace_workload_pod:kube_pod_owner:relabel',
          'record',
          'max by (namespace, workload, pod) (label_replace(kube_pod_owner{owner_kind="ReplicaSet"}, "workload", "$1", "owner_name", "(.*)-[^-]+"))',
        ),
        rule(
          'cluster_quantile:apiserver_request_duration_seconds:histogram_quantile',
          'record',
          'histogram_quantile(0.99, sum by (le, resource) (rate(apiserver_request_duration_seconds_bucket{verb=~"LIST|GET"}[20s]))) > 0',
        ),
      ],
    },
    {
      name: 'alerts',
      interval: '2s',
      rules: [
        rule('KubePodCrashLooping', 'alert', 'max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[1m]) >= 1'),
        rule(
          'KubePodNotReady',
          'alert',
          'sum by (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Unknown|Failed"}) * on (namespace, pod) group_left(owner_kind) topk by (namespace, pod) (1, max by (namespace, pod, owner_kind) (kube_pod_owner{owner_kind!="Job"}))) > 0',
        ),
        rule('KubeDeploymentReplicasMismatch', 'alert', 'kube_deployment_spec_replicas > kube_deployment_status_replicas_available'),
        rule(
          'KubeNodeNotReady',
          'alert',
          'kube_node_status_condition{condition="Ready",status="true"} == 0 and on (node) kube_node_spec_unschedulable == 0',
        ),
        rule(
          'KubeletTooManyPods',
          'alert',
          'count by (node) (kube_pod_info) / max by (node) (kube_node_status_capacity{resource="pods"} != 1) > 0.95',
        ),
        rule(
          'KubeClientErrors',
          'alert',
          'sum(rate(apiserver_request_total{code=~"5.."}[20s])) / sum(rate(apiserver_request_total[20s])) > 0.5',
        ),
        rule('KubePersistentVolumeFillingUp', 'alert', 'kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.03'),
      ],
    },
  ],
}

/** The relabelings that everybody has, for the address of the API and that of a node which serves ingresses. */
function configuration(api: URL, folder: string, node: string) {
  const access = {
    tls_config: { ca_file: path.join(folder, 'ca.crt') },
    authorization: { credentials_file: path.join(folder, 'token') },
  }
  const job = (job_name: string, role: string, relabel_configs: object[], more: object = {}) => ({
    job_name,
    kubernetes_sd_configs: [{ role, api_server: api.href, ...access }],
    relabel_configs,
    // Busybox does not say what it serves.
    fallback_scrape_protocol: 'PrometheusText0.0.4',
    ...more,
  })
  const meta = (name: string) => `__meta_kubernetes_${name}`
  const keep = (regex: string, ...labels: string[]) => ({ source_labels: labels.map(meta), action: 'keep', regex })
  const toApi = { scheme: 'https', ...access }
  const ofNode = (name: string, at: string) =>
    job(
      name,
      'node',
      [
        { target_label: '__address__', replacement: api.host },
        { source_labels: [meta('node_name')], target_label: '__metrics_path__', replacement: `/api/v1/nodes/$1/proxy/${at}` },
      ],
      toApi,
    )
  const isAnnotated = keep('true', 'service_annotation_prometheus_io_scrape')
  return {
    global: { scrape_interval: '2s', scrape_timeout: '2s' },
    rule_files: [path.join(folder, 'rules.yml')],
    scrape_configs: [
      job('apiserver', 'endpoints', [keep('default;kubernetes;https', 'namespace', 'service_name', 'endpoint_port_name')], toApi),
      job('objects', 'endpoints', [keep('default;kubernetes;https', 'namespace', 'service_name', 'endpoint_port_name')], {
        ...toApi,
        metrics_path: '/metrics/objects',
      }),
      ofNode('kubelet', 'metrics'),
      ofNode('cadvisor', 'metrics/cadvisor'),
      ofNode('resource', 'metrics/resource'),
      ofNode('probes', 'metrics/probes'),
      job('endpoints', 'endpoints', [isAnnotated]),
      job('endpointslices', 'endpointslice', [isAnnotated]),
      job('pods', 'pod', [
        keep('true', 'pod_annotation_prometheus_io_scrape'),
        {
          source_labels: ['__address__', meta('pod_annotation_prometheus_io_port')],
          regex: '([^:]+)(?::\\d+)?;(\\d+)',
          replacement: '$1:$2',
          target_label: '__address__',
        },
      ]),
      job('services', 'service', [
        isAnnotated,
        { source_labels: [meta('service_cluster_ip')], replacement: '$1:80', target_label: '__address__' },
      ]),
      job('ingresses', 'ingress', [{ target_label: '__address__', replacement: `${node}:80` }]),
    ],
  }
}

describe.skipIf(missing)('Prometheus', () => {
  let stand: Stand
  let cp: ControlPlane
  let host: Host
  const ask = (what: string) => JSON.parse(host.try(`wget -qO- 'http://127.0.0.1:9090/api/v1/${what}'`) || '{}').data
  const query = (text: string): any[] => ask(`query?query=${encodeURIComponent(text)}`)?.result ?? []
  const applied = (items: object[]) => cp.k('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })

  beforeAll(async () => {
    mkdirSync(path.dirname(program), { recursive: true })
    const tags = 'remove_all_sd,enable_kubernetes_sd'
    execFileSync('go', ['build', '-buildvcs=false', '-tags', tags, '-o', program, 'github.com/prometheus/prometheus/cmd/prometheus'], {
      cwd: path.join(import.meta.dirname, '../clients/prometheus'),
      stdio: 'inherit',
    })
    stand = await startStand(2)
    cp = stand.cp
    host = stand.hosts[0]!
    applied([...account, ...web])
    cp.k('rollout status deployment/web --timeout=60s')
    const folder = path.join(host.folder, 'prometheus')
    mkdirSync(folder)
    writeFileSync(path.join(folder, 'ca.crt'), cp.ca)
    writeFileSync(path.join(folder, 'token'), cp.k('create token prometheus -n monitoring').trim())
    const file = path.join(folder, 'prometheus.yml')
    writeFileSync(file, JSON.stringify(configuration(new URL(cp.url), folder, stand.hosts[1]!.ip)))
    writeFileSync(path.join(folder, 'rules.yml'), JSON.stringify(rules))
    const flags = [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`, '--web.listen-address=127.0.0.1:9090', '--log.level=warn']
    // Ends with its host.
    const said: Buffer[] = []
    const prometheus = spawn('nsenter', host.inside([program, ...flags]), { stdio: ['ignore', 'ignore', 'pipe'] })
    prometheus.stderr.on('data', (d) => said.push(d))
    await eventually('it listens', () => host.try('wget -qO- http://127.0.0.1:9090/-/ready') !== '', 30_000).catch((cause) => {
      throw new Error(`${cause.message}\n${Buffer.concat(said)}`)
    })
  }, 1_200_000)
  afterAll(() => stand?.stop(), 60_000)

  test('it finds everything by each role, and scrapes it', async () => {
    const wanted = {
      apiserver: 1,
      objects: 1,
      kubelet: 2,
      cadvisor: 2,
      resource: 2,
      probes: 2,
      endpoints: 2,
      endpointslices: 2,
      pods: 2,
      services: 1,
      ingresses: 1,
    }
    const found = () => {
      const up: Record<string, number> = {}
      for (const t of ask('targets?state=active')?.activeTargets ?? [])
        if (t.health === 'up') up[t.labels.job] = (up[t.labels.job] ?? 0) + 1
      return up
    }
    await eventually('all are up', () => Object.entries(wanted).every(([job, n]) => found()[job] === n), 60_000).catch((cause) => {
      const faults = (ask('targets?state=active')?.activeTargets ?? []).map((t: any) => [t.labels.job, t.scrapeUrl, t.health, t.lastError])
      throw new Error(`${cause.message}\n${JSON.stringify(faults, null, 1)}`)
    })
    expect(found()).toEqual(wanted)
    expect(query('count(web_answer == 42)')[0].value[1]).toBe('8')
  }, 90_000)

  test.each([
    ['what pods take', 'sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",pod=~"web-.*"}[20s]))', 2],
    ['what nodes take', 'sum by (instance) (rate(node_cpu_usage_seconds_total[20s]))', 1],
    [
      'how long requests last',
      'histogram_quantile(0.99, sum by (verb, le) (rate(apiserver_request_duration_seconds_bucket{verb="GET"}[20s]))) > 0',
      1,
    ],
    ['how deep queues are', 'max(workqueue_depth) >= 0', 1],
    ['how probes end', 'sum by (pod) (prober_probe_total{probe_type="Readiness",result="successful"}) > 0', 2],
    ['how many pods run', 'sum(kubelet_running_pods)', 1],
  ])(
    '%s is told by the questions that everybody asks',
    async (_, text, least) => {
      await eventually(text, () => query(text).length >= least, 60_000)
    },
    90_000,
  )

  test('rules that clusters have find what they are about', async () => {
    const all = (): any[] => (ask('rules')?.groups ?? []).flatMap((g: any) => g.rules)
    await eventually('all have been evaluated', () => all().length > 0 && all().every((r) => r.health === 'ok'), 60_000)
    for (const { record } of rules.groups[0]!.rules) await eventually(record!, () => query(record!).length > 0, 60_000)
    const firing = () =>
      all()
        .filter((r) => r.state === 'firing')
        .map((r) => r.name)
    await eventually('what is broken is told', () => firing().includes('KubePodCrashLooping'), 60_000)
    expect(firing()).not.toContain('KubeNodeNotReady')
    expect(query('namespace_workload_pod:kube_pod_owner:relabel{workload="web"}')).toHaveLength(2)
  }, 200_000)

  test.each([
    '/metrics',
    '/metrics/objects',
    ...['metrics', 'metrics/cadvisor', 'metrics/resource', 'metrics/probes'].map((at) => `/api/v1/nodes/h1/proxy/${at}`),
  ])('promtool has nothing to say of %s', (at) => {
    const said = execFileSync('sh', ['-c', 'promtool check metrics 2>&1 || true'], { input: cp.k(`get --raw ${at}`), encoding: 'utf8' })
    expect(said).toBe('')
  })
})
