// Where what containers say, and events, are sent: Elasticsearch's bulk API, Loki, and OpenTelemetry's logs over HTTP. Pure: from records to requests, and
// from answers to what is to be sent again.

/** A line that a container said, with what is known of whose it is, as fluentd's filter for Kubernetes has it; or an event. Empty is what is not known. */
export interface LogRecord {
  /** The same whenever the line is read. */
  id: string
  /** RFC 3339, with nanoseconds. */
  time: string
  stream: string
  text: string
  containerId: string
  namespace: string
  pod: string
  uid: string
  container: string
  image: string
  node: string
  labels: Record<string, string>
  /** Of an event: its kind, name, reason, type, count and component. */
  event?: Record<string, string>
}

const OUTPUTS = ['elasticsearch', 'loki', 'otlp'] as const

export interface Output {
  /** What its positions are remembered by. */
  name: string
  type: (typeof OUTPUTS)[number]
  url: string
  headers: Record<string, string>
  /** Of Elasticsearch: what the index's name begins with; the day comes behind it. */
  index: string
  /** Of which namespaces; of all where absent. */
  namespaces?: string[]
}

/** The outputs of a file, as it was parsed; `where` is its name. Throws with what is wrong in it. */
export function outputsOf(parsed: any, where: string): Output[] {
  const names = new Set<string>()
  return (parsed?.outputs ?? []).map((o: any, i: number): Output => {
    const name = String(o?.name ?? o?.type ?? i)
    const fail = (why: string): never => {
      throw new Error(`${where}: outputs[${i}] ${why}`)
    }
    if (!OUTPUTS.includes(o?.type)) fail(`has the type ${JSON.stringify(o?.type)}: ${OUTPUTS.join(', ')} are known`)
    if (!URL.canParse(o.url) || !/^https?:/.test(o.url)) fail(`has no URL: ${JSON.stringify(o.url)}`)
    if (names.has(name)) fail(`has the name ${name} of another`)
    if (o.namespaces !== undefined && !Array.isArray(o.namespaces)) fail('has namespaces that are no list')
    names.add(name)
    return {
      name,
      type: o.type,
      url: String(o.url).replace(/\/$/, ''),
      headers: Object.fromEntries(Object.entries(o.headers ?? {}).map(([k, v]) => [k, String(v)])),
      index: String(o.index ?? 'kedge'),
      ...(o.namespaces ? { namespaces: o.namespaces.map(String) } : {}),
    }
  })
}

/** Without what is not known. */
const known = (of: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(of).filter(([, v]) => v))

export interface OutputRequest {
  url: string
  type: string
  body: string
}

/** Nanoseconds since 1970, as text. */
export function nanoseconds(time: string): string {
  const [, whole, fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(time) ?? []
  const ms = Date.parse(`${whole}Z`)
  return `${Math.floor(ms / 1000)}${fraction.padEnd(9, '0').slice(0, 9)}`
}

/** Dots would make an object of a label's name. */
const flat = (labels: Record<string, string>) => Object.fromEntries(Object.entries(labels).map(([k, v]) => [k.replaceAll('.', '_'), v]))

function bulk(o: Output, records: readonly LogRecord[]): OutputRequest {
  const lines = records.flatMap((r) => [
    JSON.stringify({ create: { _index: `${o.index}-${r.time.slice(0, 10).replaceAll('-', '.')}`, _id: r.id } }),
    JSON.stringify({
      '@timestamp': r.time,
      log: r.text,
      ...(r.event ? { event: r.event } : { stream: r.stream, docker: { container_id: r.containerId } }),
      kubernetes: {
        ...known({
          namespace_name: r.namespace,
          pod_name: r.pod,
          pod_id: r.uid,
          container_name: r.container,
          container_image: r.image,
          host: r.node,
        }),
        ...(Object.keys(r.labels).length ? { labels: flat(r.labels) } : {}),
      },
    }),
  ])
  return { url: `${o.url}/_bulk`, type: 'application/x-ndjson', body: `${lines.join('\n')}\n` }
}

function push(o: Output, records: readonly LogRecord[]): OutputRequest {
  const streams = new Map<string, { stream: Record<string, string>; values: [string, string][] }>()
  for (const r of records) {
    const stream = known(
      r.event
        ? { namespace: r.namespace, type: r.event.type ?? '', kind: r.event.kind ?? '', job: 'kubernetes-events' }
        : {
            namespace: r.namespace,
            pod: r.pod,
            container: r.container,
            node_name: r.node,
            stream: r.stream,
            job: `${r.namespace}/${r.labels.app ?? r.labels['app.kubernetes.io/name'] ?? r.pod}`,
          },
    )
    const key = JSON.stringify(stream)
    if (!streams.has(key)) streams.set(key, { stream, values: [] })
    streams.get(key)!.values.push([nanoseconds(r.time), r.event ? JSON.stringify({ ...r.event, message: r.text }) : r.text])
  }
  return { url: `${o.url}/loki/api/v1/push`, type: 'application/json', body: JSON.stringify({ streams: [...streams.values()] }) }
}

const attributes = (of: Record<string, string>) => Object.entries(known(of)).map(([key, value]) => ({ key, value: { stringValue: value } }))

function otlp(o: Output, records: readonly LogRecord[]): OutputRequest {
  const resources = new Map<string, { resource: object; logRecords: object[] }>()
  for (const r of records) {
    const id = r.containerId || r.namespace
    const group = resources.get(id) ?? {
      resource: {
        attributes: attributes({
          'k8s.namespace.name': r.namespace,
          'k8s.pod.name': r.pod,
          'k8s.pod.uid': r.uid,
          'k8s.container.name': r.container,
          'k8s.node.name': r.node,
          'container.id': r.containerId,
          'container.image.name': r.image,
          ...Object.fromEntries(Object.entries(r.labels).map(([k, v]) => [`k8s.pod.label.${k}`, v])),
        }),
      },
      logRecords: [],
    }
    resources.set(id, group)
    group.logRecords.push({
      timeUnixNano: nanoseconds(r.time),
      body: { stringValue: r.text },
      attributes: attributes({
        'log.iostream': r.stream,
        'log.record.uid': r.id,
        ...Object.fromEntries(Object.entries(r.event ?? {}).map(([k, v]) => [`k8s.event.${k}`, v])),
      }),
    })
  }
  const resourceLogs = [...resources.values()].map(({ resource, logRecords }) => ({
    resource,
    scopeLogs: [{ scope: { name: 'kedge' }, logRecords }],
  }))
  return { url: `${o.url}/v1/logs`, type: 'application/json', body: JSON.stringify({ resourceLogs }) }
}

const requests = { elasticsearch: bulk, loki: push, otlp }
export const requestOf = (o: Output, records: readonly LogRecord[]): OutputRequest => requests[o.type](o, records)

/** What an answer means: all is there; some is to be sent again; or so many will never be taken, for what they are. */
export type Verdict = { again: boolean; refused: number; why?: string }

const isPassing = (code: number): boolean => code === 408 || code === 429 || code >= 500

export function verdictOf(o: Output, code: number, body: string, count: number): Verdict {
  if (code >= 400)
    return isPassing(code) || code === 401 || code === 403 || code === 404
      ? { again: true, refused: 0, why: `${code}: ${body.slice(0, 200)}` }
      : { again: false, refused: count, why: `${code}: ${body.slice(0, 200)}` }
  if (o.type !== 'elasticsearch') return { again: false, refused: 0 }
  let answer: any
  try {
    answer = JSON.parse(body)
  } catch {
    return { again: true, refused: 0, why: 'the answer is no JSON' }
  }
  if (!answer.errors) return { again: false, refused: 0 }
  // 409: it is there already, from before a crash.
  const faults = (answer.items ?? []).map((i: any) => i.create ?? i.index ?? {}).filter((i: any) => i.status >= 400 && i.status !== 409)
  const why = faults.length ? `${faults[0].status}: ${faults[0].error?.reason ?? faults[0].error?.type ?? ''}` : undefined
  if (faults.some((f: any) => isPassing(f.status))) return { again: true, refused: 0, ...(why ? { why } : {}) }
  return { again: false, refused: faults.length, ...(why ? { why } : {}) }
}
