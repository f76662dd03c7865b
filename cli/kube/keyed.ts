// label and annotate: the same command over two maps.
import { changeAll } from './change.ts'
import { Failure, kubeCommand, out } from './command.ts'
import { fileFlags, remotes } from './objects.ts'
import { printFlags } from './printers.ts'
import { writeFlags } from './write.ts'

const isChange = (a: string) => /^[^=]+=/.test(a) || /^[^=]+-$/.test(a)

export const labelKeyed = (name: 'label' | 'annotate', field: 'labels' | 'annotations') =>
  kubeCommand(
    {
      name,
      usage: '[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] [options]',
      about: name === 'label' ? 'Update the labels on a resource.' : 'Update the annotations on one or more resources.',
      flags: {
        ...fileFlags,
        ...printFlags,
        ...writeFlags,
        all: { type: 'bool', about: 'Select all resources, in the namespace of the specified resource types' },
        'all-namespaces': { type: 'bool', short: 'A', about: 'If true, check the specified action in all namespaces.' },
        'field-selector': { type: 'string', about: 'Selector (field query) to filter on.' },
        list: { type: 'bool', about: `If true, display the ${field} for a given resource.` },
        local: { type: 'bool', about: `If true, ${name} will NOT contact api-server but run locally.` },
        overwrite: {
          type: 'bool',
          about: `If true, allow ${field} to be overwritten, otherwise reject updates that overwrite existing ${field}.`,
        },
        'resource-version': {
          type: 'string',
          about: 'If non-empty, the update will only succeed if this is the current resource-version for the object.',
        },
        selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      },
    },
    async (k) => {
      const at = k.args.findIndex((a, i) => isChange(a) && !(i === 0 && !a.includes('=') && !k.f.filename.length))
      const changes = at < 0 ? [] : k.args.slice(at)
      if (at >= 0) k.args = k.args.slice(0, at)
      const wrong = changes.find((c) => !isChange(c))
      if (wrong !== undefined)
        throw new Failure(
          name === 'label'
            ? `all resources must be specified before label changes: ${wrong}`
            : `all resources must be specified before annotation changes: ${wrong}`,
        )
      if (!k.args.length && !k.f.filename.length && !k.f.kustomize)
        throw new Failure('one or more resources must be specified as <resource> <name> or <resource>/<name>')
      if (k.f.list && !changes.length) {
        for (const { resource, object } of await remotes(k, { all: true })) {
          if (k.args.length !== 2 && !k.args[0]?.includes('/'))
            out(
              `Listing ${field} for ${resource.kind}.${resource.version}${resource.group ? `.${resource.group}` : ''}/${object.metadata.name}:\n `,
            )
          for (const [key, v] of Object.entries(object.metadata[field] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) out(`${key}=${v}\n`)
        }
        return 0
      }
      if (!changes.length)
        throw new Failure(name === 'label' ? 'at least one label update is required' : 'at least one annotation update is required')
      const removed = changes.filter((c) => !c.includes('=')).map((c) => c.slice(0, -1))
      const set = Object.fromEntries(
        changes.filter((c) => c.includes('=')).map((c) => [c.slice(0, c.indexOf('=')), c.slice(c.indexOf('=') + 1)]),
      )
      const both = removed.find((r) => r in set)
      if (both) throw new Failure(`can not both modify and remove ${name === 'label' ? 'a label' : 'an annotation'} in the same command`)
      return changeAll(k, (o) => {
        const now: Record<string, string> = { ...o.metadata[field] }
        if (!k.f.overwrite)
          for (const [key, v] of Object.entries(set))
            if (now[key] !== undefined && now[key] !== v)
              throw new Failure(
                name === 'label'
                  ? `'${key}' already has a value (${now[key]}), and --overwrite is false`
                  : `--overwrite is false but found the following declared annotation(s): '${key}' already has a value (${now[key]})`,
              )
        for (const key of removed) {
          if (now[key] === undefined && name === 'label') out(`label ${JSON.stringify(key)} not found.\n`)
          delete now[key]
        }
        const before = JSON.stringify(o.metadata[field] ?? {})
        Object.assign(now, set)
        const changed = before !== JSON.stringify(now) && !(before === '{}' && !Object.keys(now).length)
        if (k.f['resource-version']) o.metadata.resourceVersion = k.f['resource-version']
        o.metadata[field] = now
        if (name === 'annotate') return 'annotated'
        if (!changed) return 'not labeled'
        return Object.keys(set).length ? 'labeled' : 'unlabeled'
      })
    },
  )
