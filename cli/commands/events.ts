// kedge events: what happened, the oldest first.

import { since } from '../describe/writer.ts'
import { Failure, kubeCommand, out } from '../kube/command.ts'
import { printerFor, printFlags, tabulate } from '../kube/printers.ts'

export const run = kubeCommand(
  {
    name: 'events',
    usage:
      '[(-o|--output=)json|yaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file] [--for TYPE/NAME] [--watch] [--types=Normal,Warning] [options]',
    about: 'Display events.',
    flags: {
      ...printFlags,
      'all-namespaces': { type: 'bool', short: 'A', about: 'If present, list the requested object(s) across all namespaces.' },
      'chunk-size': { type: 'int', default: 500, about: 'Return large lists in chunks rather than all at once.' },
      for: { type: 'string', about: 'Filter events to only those pertaining to the specified resource.' },
      'no-headers': { type: 'bool', about: "When using the default output format, don't print headers." },
      types: { type: 'list', about: 'Output only events of given types.' },
      watch: { type: 'bool', short: 'w', about: 'After listing the requested events, watch for more events.' },
    },
  },
  async (k) => {
    const { f } = k
    for (const t of f.types) if (!/^(normal|warning)$/i.test(t)) throw new Failure('valid --types are Normal or Warning')
    let selector = ''
    if (f.for) {
      const [type, name] = f.for.split('/')
      if (!name) throw new Failure('--for must be in resource/name form')
      const resource = await k.resources.find(type)
      selector = `involvedObject.kind=${resource.kind},involvedObject.name=${name}`
    }
    const at = `/api/v1${f['all-namespaces'] ? '' : `/namespaces/${encodeURIComponent(k.namespace)}`}/events`
    const list = await k.client.get(`${at}?limit=500${selector ? `&fieldSelector=${encodeURIComponent(selector)}` : ''}`)
    const wanted = (e: any) => !f.types.length || f.types.some((t: string) => t.toLowerCase() === String(e.type).toLowerCase())
    const time = (e: any) => e.series?.lastObservedTime ?? e.lastTimestamp ?? e.eventTime ?? e.firstTimestamp ?? ''
    const items = list.items.filter(wanted).sort((a: any, b: any) => (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : 0))
    const printer = printerFor(f)
    if (printer) {
      out(
        printer.print({
          apiVersion: 'v1',
          items: items.map((i: any) => ({ apiVersion: 'v1', kind: 'Event', ...i })),
          kind: 'List',
          metadata: { resourceVersion: list.metadata.resourceVersion },
        }),
      )
      return 0
    }
    const row = (e: any): string[] => {
      const count = e.series?.count ?? e.count ?? 1
      const first = since(e.firstTimestamp ?? e.eventTime)
      const age = count > 1 ? `${since(e.series?.lastObservedTime ?? e.lastTimestamp)} (x${count} over ${first})` : first
      const o = e.involvedObject
      return [
        ...(f['all-namespaces'] ? [e.metadata.namespace] : []),
        age,
        e.type,
        e.reason,
        `${o.kind}/${o.name}`,
        String(e.message ?? '').trim(),
      ]
    }
    const heads = [...(f['all-namespaces'] ? ['NAMESPACE'] : []), 'LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE']
    if (!items.length && !f.watch) {
      process.stderr.write(f['all-namespaces'] ? 'No events found.\n' : `No events found in ${k.namespace} namespace.\n`)
      return 0
    }
    out(tabulate([...(f['no-headers'] ? [] : [heads]), ...items.map(row)]))
    if (!f.watch) return 0
    for await (const e of k.client.watch(
      `${at}?watch=true&resourceVersion=${list.metadata.resourceVersion}${selector ? `&fieldSelector=${encodeURIComponent(selector)}` : ''}`,
    ))
      if (e.type !== 'DELETED' && e.object.involvedObject && wanted(e.object)) out(tabulate([row(e.object)]))
    return 0
  },
)
