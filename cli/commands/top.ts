// kedge top: what nodes and pods use, as the metrics API has measured it.
import { milliOf, unitsOf } from '../../shared/meta/quantity.ts'
import { Failure, type Kube, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import type { Flags } from '../kube/flags.ts'
import { selectorFlag } from '../kube/objects.ts'

const API = '/apis/metrics.k8s.io/v1beta1'
const MEBI = 2 ** 20

interface Usage {
  /** Thousandths of a core. */
  cpu: number
  /** Bytes. */
  memory: number
}

const usageOf = (u: any): Usage => ({ cpu: milliOf(u?.cpu), memory: unitsOf(u?.memory) })
const plus = (a: Usage, b: Usage): Usage => ({ cpu: a.cpu + b.cpu, memory: a.memory + b.memory })
const none: Usage = { cpu: 0, memory: 0 }
const cells = (u: Usage): string[] => [`${u.cpu}m`, `${Math.floor(u.memory / MEBI)}Mi`]
const percent = (part: number, whole: number): string => (whole ? `${Math.floor((part * 100) / whole)}%` : '<unknown>')

/** Every cell ends with a tab for kubectl, so the last column is as wide as it needs to be too. */
function columns(rows: string[][]): string {
  const widths: number[] = []
  for (const r of rows) for (const [i, c] of r.entries()) widths[i] = Math.max(widths[i] ?? 0, c.length)
  return rows.map((r) => `${r.map((c, i) => c.padEnd(widths[i]! + 3)).join('')}\n`).join('')
}

interface PodOptions {
  containers: boolean
  allNamespaces: boolean
  headers: boolean
  sum: boolean
  sortBy: string
}

const byUsage = (sortBy: string, name: (x: any) => string) => (a: { usage: Usage; object: any }, b: { usage: Usage; object: any }) =>
  sortBy === 'cpu' || sortBy === 'memory' ? b.usage[sortBy] - a.usage[sortBy] : name(a.object) < name(b.object) ? -1 : 1

export function podTable(items: any[], o: PodOptions): string {
  const pods = items
    .map((object) => ({ object, usage: object.containers.map((c: any) => usageOf(c.usage)).reduce(plus, none) }))
    .sort(byUsage(o.sortBy, (x) => `${o.allNamespaces ? x.metadata.namespace : ''}/${x.metadata.name}`))
  const place = (p: any) => (o.allNamespaces ? [p.metadata.namespace] : [])
  const rows = pods.flatMap(({ object, usage }) =>
    o.containers
      ? object.containers
          .map((c: any) => ({ object: c, usage: usageOf(c.usage) }))
          .sort(byUsage(o.sortBy, (x) => x.name))
          .map((c: any) => [...place(object), object.metadata.name, c.object.name, ...cells(c.usage)])
      : [[...place(object), object.metadata.name, ...cells(usage)]],
  )
  const heads = [...(o.allNamespaces ? ['NAMESPACE'] : []), ...(o.containers ? ['POD'] : []), 'NAME', 'CPU(cores)', 'MEMORY(bytes)']
  if (o.sum) {
    const before = Array.from({ length: heads.length - 2 }, () => '')
    rows.push([...before, '________', '________'], [...before, ...cells(pods.map((p) => p.usage).reduce(plus, none))])
  }
  return columns([...(o.headers ? [heads] : []), ...rows])
}

/** Usage of nodes beside what they have; a node that was not measured shows so. */
export function nodeTable(metrics: any[], nodes: any[], o: { headers: boolean; sortBy: string; capacity: boolean }): string {
  const known = new Map(metrics.map((m) => [m.metadata.name, m]))
  const measured = metrics
    .map((object) => ({ object, usage: usageOf(object.usage) }))
    .sort(byUsage(o.sortBy, (x) => x.metadata.name))
    .map(({ object, usage }) => {
      const status = nodes.find((n) => n.metadata.name === object.metadata.name)?.status ?? {}
      const has = usageOf(o.capacity ? status.capacity : status.allocatable)
      const [cpu, memory] = cells(usage)
      return [object.metadata.name, cpu!, percent(usage.cpu, has.cpu), memory!, percent(usage.memory, has.memory)]
    })
  const missing = nodes
    .filter((n) => !known.has(n.metadata.name))
    .map((n) => [n.metadata.name, '<unknown>', '<unknown>', '<unknown>', '<unknown>'])
  const heads = ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)']
  return columns([...(o.headers ? [heads] : []), ...measured, ...missing])
}

/** As Go prints durations of minutes and more. */
function exactAge(ms: number): string {
  const hours = Math.floor(ms / 3_600_000)
  return `${hours ? `${hours}h` : ''}${Math.floor(ms / 60_000) % 60}m${(ms % 60_000) / 1000}s`
}

async function metrics(k: Kube, path: string): Promise<any[]> {
  const groups = await k.client.get('/apis')
  const served = groups.groups.some((g: any) => g.name === 'metrics.k8s.io' && g.versions.some((v: any) => v.version === 'v1beta1'))
  if (!served) throw new Failure('Metrics API not available')
  const found = await k.client.get(`${API}${path}`)
  return found.items ?? [found]
}

const query = (f: Record<string, any>): string => {
  const q = new URLSearchParams()
  if (f.selector) q.set('labelSelector', f.selector)
  if (f['field-selector']) q.set('fieldSelector', f['field-selector'])
  return q.size ? `?${q}` : ''
}

const common: Flags = {
  ...selectorFlag,
  'no-headers': { type: 'bool', about: 'If present, print output without headers.' },
  'sort-by': { type: 'string', about: "If non-empty, sort the list using specified field. The field can be either 'cpu' or 'memory'." },
  'use-protocol-buffers': { type: 'bool', default: true, about: 'Enables using protocol-buffers to access Metrics API.' },
}

function check(k: Kube): void {
  const { f } = k
  if (k.args.length > 1) throw new Failure(`${k.name.slice(4)} [NAME | -l label]\nSee 'kedge ${k.name} -h' for help and examples`)
  if (f['sort-by'] && f['sort-by'] !== 'cpu' && f['sort-by'] !== 'memory') throw new Failure('--sort-by accepts only cpu or memory')
  if (k.args.length && (f.selector || f['field-selector'])) throw new Failure('only one of NAME or selector can be provided')
}

const pods = kubeCommand(
  {
    name: 'top pod',
    usage: '[NAME | -l label] [options]',
    about: 'Display resource (CPU/memory) usage of pods.',
    flags: {
      ...common,
      'all-namespaces': {
        type: 'bool',
        short: 'A',
        about: 'If present, list the requested object(s) across all namespaces.',
      },
      containers: { type: 'bool', about: 'If present, print usage of containers within a pod.' },
      'field-selector': { type: 'string', about: 'Selector (field query) to filter on.' },
      sum: { type: 'bool', about: 'Print the sum of the resource usage' },
    },
  },
  async (k) => {
    const { f } = k
    check(k)
    const all = f['all-namespaces']
    const at = `${all ? '' : `/namespaces/${encodeURIComponent(k.namespace)}`}/pods`
    const [name] = k.args
    const items = await metrics(k, name ? `${at}/${encodeURIComponent(name)}` : `${at}${query(f)}`)
    if (!items.length) {
      // Young pods are not measured yet: that is another answer than none.
      const { items: live } = await k.client.get(`/api/v1${at}${query(f)}`)
      const ageOf = (p: any) => Date.now() - Date.parse(p.metadata.creationTimestamp)
      const old = live.find((p: any) => ageOf(p) > 120_000)
      if (old)
        throw new Failure(`Metrics not available for pod ${old.metadata.namespace}/${old.metadata.name}, age: ${exactAge(ageOf(old))}`)
      if (live.length) throw new Failure('metrics not available yet')
      process.stderr.write(all ? 'No resources found\n' : `No resources found in ${k.namespace} namespace.\n`)
      return 0
    }
    out(podTable(items, { containers: f.containers, allNamespaces: all, headers: !f['no-headers'], sum: f.sum, sortBy: f['sort-by'] }))
    return 0
  },
)

const nodes = kubeCommand(
  {
    name: 'top node',
    usage: '[NAME | -l label] [options]',
    about: 'Display resource (CPU/memory) usage of nodes.',
    flags: {
      ...common,
      'show-capacity': { type: 'bool', about: 'Print node resources based on Capacity instead of Allocatable(default) of the nodes.' },
    },
  },
  async (k) => {
    const { f } = k
    check(k)
    const [name] = k.args
    const items = await metrics(k, name ? `/nodes/${encodeURIComponent(name)}` : `/nodes${query(f)}`)
    if (!items.length) throw new Failure('metrics not available yet')
    const live = name
      ? [await k.client.get(`/api/v1/nodes/${encodeURIComponent(name)}`)]
      : (await k.client.get(`/api/v1/nodes${query(f)}`)).items
    out(nodeTable(items, live, { headers: !f['no-headers'], sortBy: f['sort-by'], capacity: f['show-capacity'] }))
    return 0
  },
)

export const run = kubeGroup('top', 'Display resource (CPU/memory) usage.', { pod: pods, pods, po: pods, node: nodes, nodes, no: nodes })
