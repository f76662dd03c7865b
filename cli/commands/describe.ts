// kedge describe: details of objects, with their events.
import { describe } from '../describe/describers.ts'
import { err, Failure, Failures, kubeCommand, out } from '../kube/command.ts'
import { fileFlags, listAll, locals, wanted } from '../kube/objects.ts'
import { pathOf, type Resource } from '../kube/resources.ts'

export const run = kubeCommand(
  {
    name: 'describe',
    usage: '(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME) [options]',
    about: 'Show details of a specific resource or group of resources.',
    flags: {
      ...fileFlags,
      'all-namespaces': { type: 'bool', short: 'A', about: 'If present, list the requested object(s) across all namespaces.' },
      'chunk-size': { type: 'int', default: 500, about: 'Return large lists in chunks rather than all at once.' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      'show-events': { type: 'bool', default: true, about: 'If true, display events related to the described object.' },
    },
  },
  async (k) => {
    const { f } = k
    const objects: any[] = []
    const faults: unknown[] = []
    const beginnings = new Set<any>()
    const one = async (resource: Resource, name: string, namespace: string | undefined) => {
      try {
        objects.push(await k.client.get(pathOf(resource, namespace, name)))
      } catch (cause) {
        if ((cause as { code?: number }).code !== 404) throw cause
        // A name may also be the beginning of several.
        const found = (await listAll(k, resource, namespace)).filter((o) => o.metadata.name.startsWith(name))
        if (!found.length) faults.push(cause)
        for (const o of found) beginnings.add(o)
        objects.push(...found)
      }
    }
    if (f.filename.length || f.kustomize)
      for (const { object } of await locals(f)) {
        const resource = await k.resources.ofKind(object.apiVersion, object.kind)
        await one(resource, object.metadata.name, resource.namespaced ? (object.metadata.namespace ?? k.namespace) : undefined)
      }
    else {
      if (!k.args.length) {
        err(`You must specify the type of resource to describe. Use "kedge api-resources" for a complete list of supported resources.\n`)
        return 1
      }
      for (const { resource, names } of await wanted(k)) {
        const namespace = resource.namespaced && !f['all-namespaces'] ? k.namespace : undefined
        if (names.length && f['all-namespaces']) throw new Failure('a resource cannot be retrieved by name across all namespaces')
        for (const name of names) await one(resource, name, namespace)
        if (!names.length) objects.push(...(await listAll(k, resource, namespace)))
      }
    }
    if (!objects.length && !faults.length)
      err(f['all-namespaces'] ? 'No resources found\n' : `No resources found in ${k.namespace} namespace.\n`)
    for (const [i, o] of objects.entries())
      out(`${i ? '\n\n' : ''}${await describe(k.client, o, f['show-events'])}${beginnings.has(o) ? '\n' : ''}`)
    if (faults.length) throw new Failures(faults)
    return 0
  },
)
