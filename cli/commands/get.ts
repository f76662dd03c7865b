// kedge get: tables as the server prints them, objects in every output format, watches.

import { find, relaxed } from '../../shared/print/jsonpath.ts'
import { err, Failure, Failures, type Kube, kubeCommand, out } from '../kube/command.ts'
import { fileFlags, listQuery, locals, type Wanted, wanted } from '../kube/objects.ts'
import { type Printer, printerFor, printFlags, tabulate } from '../kube/printers.ts'
import { pathOf, qualified, type Resource } from '../kube/resources.ts'

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'

export const getFlags = {
  ...fileFlags,
  ...printFlags,
  'all-namespaces': { type: 'bool', short: 'A', about: 'If present, list the requested object(s) across all namespaces.' },
  'chunk-size': { type: 'int', default: 500, about: 'Return large lists in chunks rather than all at once.' },
  'field-selector': { type: 'string', about: 'Selector (field query) to filter on.' },
  'ignore-not-found': { type: 'bool', about: 'If the requested object does not exist the command will return exit code 0.' },
  'label-columns': { type: 'list', short: 'L', about: 'Labels that are going to be presented as columns.' },
  'no-headers': { type: 'bool', about: "When using the default or custom-column output format, don't print headers." },
  'output-watch-events': { type: 'bool', about: 'Output watch event objects when --watch or --watch-only is used.' },
  raw: { type: 'string', about: 'Raw URI to request from the server.' },
  selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
  'server-print': { type: 'bool', default: true, about: 'If true, have the server return the appropriate table output.' },
  'show-kind': { type: 'bool', about: 'If present, list the resource type for the requested object(s).' },
  'show-labels': { type: 'bool', about: 'When printing, show all labels as the last column.' },
  'sort-by': { type: 'string', about: 'If non-empty, sort list types using this field specification, a JSONPath expression.' },
  subresource: { type: 'string', about: 'If specified, gets the subresource of the requested object.' },
  watch: { type: 'bool', short: 'w', about: 'After listing/getting the requested object, watch for changes.' },
  'watch-only': { type: 'bool', about: 'Watch for changes to the requested object(s), without listing/getting first.' },
} as const

const REQUIRED = (
  name: string,
) => `You must specify the type of resource to ${name}. Use "kedge api-resources" for a complete list of supported resources.

error: Required resource not specified.
Use "kedge explain <resource>" for a detailed description of that resource (e.g. kedge explain pods).
See 'kedge ${name} -h' for help and examples`

interface Table {
  resource: Resource
  columns: { name: string; priority: number; type?: string }[]
  rows: { cells: any[]; object: any }[]
  list?: any
}

const labelText = (labels: Record<string, string> | undefined): string =>
  Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${v}`)
    .join(',') || '<none>'

/** The cells of a row with what the flags add, and the heads above. */
class Rows {
  readonly f: Record<string, any>
  readonly withKind: boolean
  constructor(f: Record<string, any>, withKind: boolean) {
    this.f = f
    this.withKind = withKind
  }
  #shown(t: Table): number[] {
    return t.columns.flatMap((c, i) => (c.priority === 0 || this.f.output === 'wide' ? [i] : []))
  }
  heads(t: Table): string[] {
    const { f } = this
    return [
      ...(f['all-namespaces'] && t.resource.namespaced ? ['NAMESPACE'] : []),
      ...this.#shown(t).map((i) => t.columns[i]!.name.toUpperCase()),
      ...(f['label-columns'] as string[]).map((l) => l.split('/').at(-1)!.toUpperCase()),
      ...(f['show-labels'] ? ['LABELS'] : []),
    ]
  }
  cells(t: Table, row: Table['rows'][number]): string[] {
    const { f } = this
    const metadata = row.object?.metadata ?? {}
    const first = this.withKind ? `${qualified(t.resource)}/` : ''
    return [
      ...(f['all-namespaces'] && t.resource.namespaced ? [metadata.namespace ?? ''] : []),
      ...this.#shown(t).map((i, n) => `${n === 0 ? first : ''}${cellText(row.cells[i])}`),
      ...(f['label-columns'] as string[]).map((l) => metadata.labels?.[l] ?? ''),
      ...(f['show-labels'] ? [labelText(metadata.labels)] : []),
    ]
  }
}

const cellText = (v: unknown): string => {
  if (v === null || v === undefined) return '<none>'
  const text = String(v)
  const at = text.search(/[\f\n\r]/)
  return at < 0 ? text : `${text.slice(0, at)}...`
}

async function tableOf(k: Kube, resource: Resource, path: string): Promise<Table> {
  const body = await k.client.get(path, TABLE)
  if (body.kind !== 'Table') {
    const items = body.items ?? [body]
    return {
      resource,
      columns: [
        { name: 'Name', priority: 0 },
        { name: 'Age', priority: 0 },
      ],
      rows: items.map((object: any) => ({ object, cells: [object.metadata.name, object.metadata.creationTimestamp] })),
      list: body,
    }
  }
  return { resource, columns: body.columnDefinitions, rows: body.rows ?? [], list: body }
}

/** Every page of a table as one. */
async function wholeTable(k: Kube, resource: Resource, namespace: string | undefined, include: boolean): Promise<Table> {
  let whole: Table | undefined
  for (let next = ''; ; ) {
    const query = {
      limit: String(k.f['chunk-size'] || 500),
      ...(include ? { includeObject: 'Object' } : {}),
      ...(next ? { continue: next } : {}),
    }
    const page = await tableOf(k, resource, pathOf(resource, namespace) + listQuery(k.f, query))
    if (whole) whole.rows.push(...page.rows)
    else whole = page
    next = page.list.metadata?.continue ?? ''
    if (!next) return whole
  }
}

function sortValue(v: unknown): { kind: number; v: any } {
  if (v === undefined || v === null) return { kind: 0, v: '' }
  if (typeof v === 'number') return { kind: 1, v }
  if (typeof v === 'string' && /^-?\d+(\.\d+)?([EPTGMKk]i?|m)?$/.test(v)) return { kind: 1, v: quantity(v) }
  return { kind: 2, v }
}
const scales: Record<string, number> = {
  m: 1e-3,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}
const quantity = (text: string): number => {
  const [, n, unit] = /^(-?[\d.]+)(.*)$/.exec(text)!
  return Number(n) * (scales[unit!] ?? 1)
}

/** Stable, by a field of each object. */
export function sortBy<T>(items: T[], objectOf: (item: T) => any, path: string): T[] {
  const template = relaxed(path)
  const keyed = items.map((item) => ({ item, value: find(template, objectOf(item))[0] }))
  if (keyed.length && keyed.every((x) => x.value === undefined))
    throw new Failure(`couldn't find any field with path "${template}" in the list of objects`)
  return keyed
    .sort(({ value: a }, { value: b }) => {
      if (typeof a === 'number' && typeof b === 'number') return a - b
      const [x, y] = [sortValue(a), sortValue(b)]
      if (x.kind === 1 && y.kind === 1) return x.v - y.v
      if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
      return x.kind - y.kind
    })
    .map((x) => x.item)
}

async function printTables(k: Kube, list: Wanted[]): Promise<number> {
  const { f } = k
  const faults: unknown[] = []
  const tables: Table[] = []
  const include = !!f['sort-by']
  await Promise.all(
    list.map(async ({ resource, names }, i) => {
      const namespace = resource.namespaced && !f['all-namespaces'] ? k.namespace : undefined
      if (!names.length) {
        tables[i] = await wholeTable(k, resource, namespace, include)
        return
      }
      const found = await Promise.all(
        names.map((name) =>
          tableOf(
            k,
            resource,
            pathOf(resource, namespace, name, f.subresource || undefined) + (include ? '?includeObject=Object' : ''),
          ).catch((cause) => {
            if (!(f['ignore-not-found'] && cause.code === 404)) faults.push(cause)
            return undefined
          }),
        ),
      )
      const there = found.filter((t) => t !== undefined)
      if (there.length) tables[i] = { ...there[0]!, rows: there.flatMap((t) => t.rows) }
    }),
  )
  const shown = merge(tables.filter(Boolean))
  const mixed = new Set(list.map((w) => w.resource)).size > 1
  const rows = new Rows(f, mixed || f['show-kind'])
  let printed = 0
  for (const t of shown) {
    if (!t.rows.length) continue
    if (f['sort-by']) t.rows = sortBy(t.rows, (r) => r.object, f['sort-by'])
    if (printed++) out('\n')
    out(tabulate([...(f['no-headers'] ? [] : [rows.heads(t)]), ...t.rows.map((r) => rows.cells(t, r))]))
  }
  if (!printed && !faults.length && !f['ignore-not-found'])
    err(
      list.some((w) => w.resource.namespaced) && !f['all-namespaces']
        ? `No resources found in ${k.namespace} namespace.\n`
        : 'No resources found\n',
    )
  if (faults.length) throw new Failures(faults)
  return 0
}

/** Neighbours of the same type share a table. */
function merge(tables: Table[]): Table[] {
  const whole: Table[] = []
  for (const t of tables) {
    const last = whole.at(-1)
    if (last?.resource === t.resource) last.rows.push(...t.rows)
    else whole.push(t)
  }
  return whole
}

async function printObjects(k: Kube, list: Wanted[], printer: Printer): Promise<number> {
  const { f } = k
  const faults: unknown[] = []
  const objects: any[] = []
  let single = list.length === 1 && list[0]!.names.length === 1
  for (const { resource, names } of list) {
    const namespace = resource.namespaced && !f['all-namespaces'] ? k.namespace : undefined
    for (const name of names)
      await k.client.get(pathOf(resource, namespace, name, f.subresource || undefined)).then(
        (o) => objects.push(o),
        (cause) => {
          if (!(f['ignore-not-found'] && cause.code === 404)) faults.push(cause)
        },
      )
    if (names.length) continue
    single = false
    for (let next = ''; ; ) {
      const page = await k.client.get(
        pathOf(resource, namespace) + listQuery(f, { limit: String(f['chunk-size'] || 500), ...(next ? { continue: next } : {}) }),
      )
      objects.push(...page.items.map((i: any) => ({ apiVersion: page.apiVersion, kind: page.kind.replace(/List$/, ''), ...i })))
      next = page.metadata.continue ?? ''
      if (!next) break
    }
  }
  const items = f['sort-by'] ? sortBy(objects, (o) => o, f['sort-by']) : objects
  if (single ? items.length : !faults.length || items.length) {
    const whole = single ? items[0] : { apiVersion: 'v1', items, kind: 'List', metadata: { resourceVersion: '' } }
    out(printer.print(whole))
    out(printer.end())
  }
  if (faults.length) throw new Failures(faults)
  return 0
}

async function watch(k: Kube, list: Wanted[], printer: Printer | undefined): Promise<number> {
  const { f } = k
  if (list.length !== 1 || list[0]!.names.length > 1) throw new Failure(`you may only specify a single resource type`)
  const { resource, names } = list[0]!
  const [name] = names
  const namespace = resource.namespaced && !f['all-namespaces'] ? k.namespace : undefined
  const rows = new Rows(f, f['show-kind'])
  let widths: number[] = []
  let columns: Table['columns'] = []
  const line = (cells: string[]) => {
    widths = cells.map((c, i) => Math.max(widths[i] ?? 0, c.length))
    out(`${cells.map((c, i) => (i === cells.length - 1 ? c : c.padEnd(Math.max(widths[i]! + 3, 6)))).join('')}\n`)
  }
  let headed = false
  const show = (t: Table, type: string) => {
    const cells = t.rows.map((r) => [...(f['output-watch-events'] ? [type] : []), ...rows.cells(t, r)])
    if (!headed && !f['no-headers']) {
      const heads = [...(f['output-watch-events'] ? ['EVENT'] : []), ...rows.heads(t)]
      for (const row of [heads, ...cells]) widths = row.map((c, i) => Math.max(widths[i] ?? 0, c.length))
      line(heads)
    }
    headed = true
    for (const row of cells) line(row)
  }
  const event = (type: string, object: any) => (f['output-watch-events'] ? { object, type } : object)
  const query: Record<string, string> = name ? { fieldSelector: `metadata.name=${name}` } : {}
  let rv = '0'
  if (!f['watch-only']) {
    if (printer) {
      if (name) {
        const o = await k.client.get(pathOf(resource, namespace, name))
        rv = o.metadata.resourceVersion
        out(printer.print(event('ADDED', o)))
      } else {
        const page = await k.client.get(pathOf(resource, namespace) + listQuery(f, query))
        rv = page.metadata.resourceVersion
        for (const i of page.items)
          out(printer.print(event('ADDED', { apiVersion: page.apiVersion, kind: page.kind.replace(/List$/, ''), ...i })))
      }
    } else {
      const t = name
        ? await tableOf(k, resource, pathOf(resource, namespace, name))
        : await tableOf(k, resource, pathOf(resource, namespace) + listQuery(f, query))
      columns = t.columns
      rv = t.list.metadata?.resourceVersion ?? '0'
      if (t.rows.length) show(t, 'ADDED')
    }
  } else rv = (await k.client.get(pathOf(resource, namespace) + listQuery(f, { ...query, limit: '1' }))).metadata.resourceVersion
  const path = pathOf(resource, namespace) + listQuery(f, { ...query, watch: 'true', resourceVersion: rv })
  for await (const e of k.client.watch(path, printer ? undefined : TABLE)) {
    if (e.type === 'ERROR') throw new Failure(e.object.message ?? 'the watch ended')
    if (e.type === 'BOOKMARK') continue
    if (printer) {
      out(printer.print(event(e.type, e.object)))
      continue
    }
    if (e.object.columnDefinitions?.length) columns = e.object.columnDefinitions
    show({ resource, columns, rows: e.object.rows ?? [] }, e.type)
  }
  return 0
}

export const run = kubeCommand(
  {
    name: 'get',
    usage:
      '[(-o|--output=)json|yaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file|custom-columns|custom-columns-file|wide] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags] [options]',
    about: 'Display one or many resources.',
    flags: getFlags,
    examples: `
  # List all pods in ps output format
  kedge get pods

  # List all pods in ps output format with more information (such as node name)
  kedge get pods -o wide

  # List deployments in JSON output format, in the "v1" version of the "apps" API group
  kedge get deployments.v1.apps -o json

  # Return only the phase value of the specified pod
  kedge get -o template pod/web-pod-13je7 --template={{.status.phase}}`,
  },
  async (k) => {
    const { f } = k
    if (f.raw) {
      out(await k.client.text(f.raw))
      return 0
    }
    const printer = printerFor(f, ['custom-columns', 'wide'])
    let list: Wanted[]
    if (f.filename.length || f.kustomize) {
      list = []
      for (const { object } of await locals(f))
        list.push({ resource: await k.resources.ofKind(object.apiVersion, object.kind), names: [object.metadata.name] })
    } else {
      if (!k.args.length) {
        err(`${REQUIRED('get')}\n`)
        return 1
      }
      list = await wanted(k)
    }
    if (list.some((w) => w.names.length)) {
      if (f.selector) throw new Failure('name cannot be provided when a selector is specified')
      if (f['all-namespaces']) throw new Failure('a resource cannot be retrieved by name across all namespaces')
    }
    if (f.watch || f['watch-only']) return watch(k, list, printer)
    return printer ? printObjects(k, list, printer) : printTables(k, list)
  },
)
