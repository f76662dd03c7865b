// kedge wait: until a condition, a field, a creation or a deletion.

import { find, relaxed } from '../../shared/print/jsonpath.ts'
import { err, Failure, type Kube, kubeCommand, messageOf, out } from '../kube/command.ts'
import { fileFlags, listAll, locals, wanted } from '../kube/objects.ts'
import { printerFor, printFlags } from '../kube/printers.ts'
import { pathOf, qualified, type Resource } from '../kube/resources.ts'

type Test = (o: any) => boolean

function testOf(condition: string): { deleted?: true; created?: true; test?: Test } {
  if (/^delete$/i.test(condition)) return { deleted: true }
  if (/^create$/i.test(condition)) return { created: true }
  if (/^condition=/i.test(condition)) {
    const [name, value = 'true'] = condition.slice(10).split('=')
    return {
      test: (o) => {
        const c = o.status?.conditions?.find((x: any) => String(x.type).toLowerCase() === name!.toLowerCase())
        if (!c) return false
        const observed = c.observedGeneration ?? o.status?.observedGeneration
        if (observed !== undefined && o.metadata.generation !== undefined && observed < o.metadata.generation) return false
        return String(c.status).toLowerCase() === value.toLowerCase()
      },
    }
  }
  if (/^jsonpath=/i.test(condition)) {
    const text = condition.slice(9)
    const m = /^'?(\{[\s\S]*?\}|[^=]+?)'?(?:=([\s\S]*))?$/.exec(text)
    if (!m)
      throw new Failure(
        `jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'`,
      )
    const path = relaxed(m[1]!)
    const value = m[2]?.replace(/^(["'])(.*)\1$/, '$2')
    if (m[2] === '')
      throw new Failure("jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3")
    return {
      test: (o) => {
        const found = find(path, o)
        if (!found.length) return false
        if (value === undefined) return found[0] !== undefined && found[0] !== ''
        if (found.length > 1) throw new Failure('given jsonpath expression matches more than one value')
        if (typeof found[0] === 'object') throw new Failure('jsonpath leads to a nested object or list which is not supported')
        return String(found[0]) === value
      },
    }
  }
  throw new Failure(`unrecognized condition: ${JSON.stringify(condition)}`)
}

async function waitFor(
  k: Kube,
  resource: Resource,
  namespace: string | undefined,
  name: string,
  uid: string | undefined,
  c: ReturnType<typeof testOf>,
  end: number,
): Promise<any> {
  const at = pathOf(resource, namespace, name)
  for (;;) {
    const now = await k.client.get(at).catch((cause) => {
      if (cause.code === 404 && (c.deleted || c.created)) return undefined
      throw cause
    })
    if (c.deleted && (!now || (uid && now.metadata.uid !== uid))) return now ?? { metadata: { name } }
    if (c.created && now) return now
    if (c.test && now && c.test(now)) return now
    const left = end - Date.now()
    if (left <= 0) throw new Failure(`timed out waiting for the condition on ${resource.plural}/${name}`)
    const rv = now?.metadata.resourceVersion
    const events = k.client.watch(
      `${pathOf(resource, namespace)}?watch=true&fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}${rv ? `&resourceVersion=${rv}` : ''}`,
    )
    const seen = (async () => {
      for await (const e of events) {
        if (c.deleted && e.type === 'DELETED') return
        if (c.created && e.type === 'ADDED') return
        if (c.test && e.type === 'DELETED') throw new Failure(`${qualified(resource)} ${JSON.stringify(name)} was deleted`)
        if (c.test?.(e.object)) return
      }
    })()
    let timer: NodeJS.Timeout | undefined
    await Promise.race([seen, new Promise<void>((r) => (timer = setTimeout(r, Math.min(left, 60_000))))])
    clearTimeout(timer)
  }
}

export const run = kubeCommand(
  {
    name: 'wait',
    usage:
      "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]] [options]",
    about: 'Wait for a specific condition on one or many resources.',
    flags: {
      ...fileFlags,
      ...printFlags,
      all: { type: 'bool', about: 'Select all resources in the namespace of the specified resource types' },
      'all-namespaces': { type: 'bool', short: 'A', about: 'If present, list the requested object(s) across all namespaces.' },
      'field-selector': { type: 'string', about: 'Selector (field query) to filter on.' },
      for: {
        type: 'string',
        about:
          "The condition to wait on: [create|delete|condition=condition-name[=condition-value]|jsonpath='{JSONPath expression}'=[JSONPath value]].",
      },
      local: { type: 'bool', about: 'If true, annotation will NOT contact api-server but run locally.' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      timeout: {
        type: 'duration',
        default: '30s',
        about: "The length of time to wait before giving up. Zero means check once and don't wait, negative means wait for a week.",
      },
    },
  },
  async (k) => {
    const { f } = k
    const condition = testOf(f.for)
    const end = Date.now() + (f.timeout < 0 ? 7 * 24 * 3600 * 1000 : f.timeout)
    const printer = printerFor(f)
    const targets: { resource: Resource; namespace: string | undefined; name: string; uid?: string }[] = []
    if (f.filename.length || f.kustomize)
      for (const { object } of await locals(f)) {
        const resource = await k.resources.ofKind(object.apiVersion, object.kind)
        targets.push({
          resource,
          namespace: resource.namespaced ? (object.metadata.namespace ?? k.namespace) : undefined,
          name: object.metadata.name,
        })
      }
    else
      for (const { resource, names } of await wanted(k)) {
        const namespace = resource.namespaced && !f['all-namespaces'] ? k.namespace : undefined
        for (const name of names) targets.push({ resource, namespace, name })
        if (names.length) continue
        if (!f.all && !f.selector && !f['field-selector']) throw new Failure('resource(s) were provided, but no name was specified')
        for (const o of await listAll(k, resource, namespace))
          targets.push({ resource, namespace: o.metadata.namespace, name: o.metadata.name, uid: o.metadata.uid })
      }
    if (!targets.length) {
      if (condition.deleted) return 0
      throw new Failure('no matching resources found')
    }
    const faults: unknown[] = []
    for (const t of targets)
      try {
        if (!condition.created && !t.uid) {
          const there = await k.client.get(pathOf(t.resource, t.namespace, t.name)).catch((cause) => {
            if (cause.code !== 404 || !condition.deleted) throw cause
            return undefined
          })
          // Gone before anybody asked: nothing to tell.
          if (!there) continue
          t.uid = there.metadata.uid
        }
        const o = await waitFor(k, t.resource, t.namespace, t.name, t.uid, condition, end)
        if (printer) out(printer.print(o))
        else out(`${qualified(t.resource)}/${t.name} condition met\n`)
      } catch (cause) {
        faults.push(cause)
      }
    for (const c of faults) err(`${messageOf(c)}\n`)
    // Watches that lost the race may still be open.
    process.exit(faults.length ? 1 : 0)
  },
)
