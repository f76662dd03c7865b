// kedge api-resources.
import { Failure, kubeCommand, out } from '../kube/command.ts'
import { tabulate } from '../kube/printers.ts'
import { apiVersionOf } from '../kube/resources.ts'

export const run = kubeCommand(
  {
    name: 'api-resources',
    usage: '[flags] [options]',
    about: 'Print the supported API resources on the server.',
    flags: {
      'api-group': { type: 'string', about: 'Limit to resources in the specified API group.' },
      cached: { type: 'bool', about: 'Use the cached list of resources if available.' },
      categories: { type: 'list', about: 'Limit to resources that belong to the specified categories.' },
      namespaced: {
        type: 'bool',
        default: true,
        about: 'If false, non-namespaced resources will be returned, otherwise returning namespaced resources by default.',
      },
      'no-headers': { type: 'bool', about: "When using the default or custom-column output format, don't print headers." },
      output: { type: 'string', short: 'o', about: 'Output format. One of: (wide, name).' },
      'sort-by': { type: 'string', about: 'If non-empty, sort list of resources using specified field: name or kind.' },
      verbs: { type: 'list', about: 'Limit to resources that support the specified verbs.' },
    },
  },
  async (k) => {
    const { f } = k
    if (k.args.length) throw new Failure(`unexpected arguments: [${k.args.join(' ')}]\nSee 'kedge api-resources -h' for help and examples`)
    if (!['', 'wide', 'name'].includes(f.output)) throw new Failure(`--output ${f.output} is not available`)
    if (!['', 'name', 'kind'].includes(f['sort-by'])) throw new Failure('--sort-by accepts only name or kind')
    const list = (await k.resources.preferred())
      .filter((r) => r.verbs.length)
      .filter((r) => !k.given.has('api-group') || r.group === f['api-group'])
      .filter((r) => !k.given.has('namespaced') || r.namespaced === f.namespaced)
      .filter((r) => f.verbs.every((v: string) => r.verbs.includes(v)))
      .filter((r) => f.categories.every((c: string) => r.categories.includes(c)))
      .sort((a, b) => {
        const less = (x: string, y: string) => (x < y ? -1 : x > y ? 1 : 0)
        if (f['sort-by'] === 'name') return less(a.plural, b.plural)
        if (f['sort-by'] === 'kind') return less(a.kind, b.kind)
        return less(a.group, b.group) || less(a.plural, b.plural)
      })
    if (f.output === 'name') {
      for (const r of list) out(`${r.group ? `${r.plural}.${r.group}` : r.plural}\n`)
      return 0
    }
    const wide = f.output === 'wide'
    const rows = list.map((r) => [
      r.plural,
      r.shortNames.join(','),
      apiVersionOf(r),
      String(r.namespaced),
      r.kind,
      ...(wide ? [[...r.verbs].sort().join(','), r.categories.join(',')] : []),
    ])
    out(
      tabulate([
        ...(f['no-headers'] ? [] : [['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND', ...(wide ? ['VERBS', 'CATEGORIES'] : [])]]),
        ...rows,
      ]),
    )
    return 0
  },
)
