// kedge set: image, env, resources, serviceaccount, selector, subject.
import { changeAll as changeObjects, type Edit, podSpecOf } from '../kube/change.ts'
import { Failure, type Kube, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import type { Flags } from '../kube/flags.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { writeFlags } from '../kube/write.ts'

const common: Flags = {
  ...fileFlags,
  ...printFlags,
  ...writeFlags,
  all: { type: 'bool', about: 'Select all resources, in the namespace of the specified resource types' },
  local: { type: 'bool', about: 'If true, set will NOT contact api-server but run locally.' },
  selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
}
const containersFlag: Flags = {
  containers: {
    type: 'string',
    short: 'c',
    default: '*',
    about: 'The names of containers in the selected pod templates to change, all containers are selected by default - may use wildcards',
  },
}

const fits = (pattern: string, name: string) =>
  new RegExp(
    `^${pattern
      .split('*')
      .map((p) => p.replace(/[.\\^$+?()[\]{}|-]/g, '\\$&'))
      .join('[\\s\\S]*')}$`,
  ).test(name)
const all = (spec: any): any[] => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]

/** Objects that are only shown have the template's empty field, as kubectl's have. */
const changeAll = (k: Kube, edit: Edit): Promise<number> =>
  changeObjects(k, async (o, resource) => {
    const said = await edit(o, resource)
    if ((k.f['dry-run'] === 'client' || k.f.local) && o.spec?.template?.metadata) o.spec.template.metadata.creationTimestamp ??= null
    return said
  })

/** Takes the `key=value` words from the arguments' end. */
function takePairs(k: Kube, form = /=/): string[] {
  const at = k.args.findIndex((a) => form.test(a))
  const taken = at < 0 ? [] : k.args.slice(at)
  if (at >= 0) k.args = k.args.slice(0, at)
  return taken
}

const image = kubeCommand(
  {
    name: 'set image',
    usage: '(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N [options]',
    about: 'Update existing container image(s) of resources.',
    flags: common,
  },
  async (k) => {
    const pairs = takePairs(k).map((p) => [p.slice(0, p.indexOf('=')), p.slice(p.indexOf('=') + 1)] as const)
    if (!pairs.length) throw new Failure('at least one image update is required')
    return changeAll(k, (o) => {
      const containers = all(podSpecOf(o))
      for (const [name, to] of pairs) {
        const found = containers.filter((c) => name === '*' || c.name === name)
        if (!found.length) throw new Failure(`unable to find container named ${JSON.stringify(name)}`)
        for (const c of found) c.image = to
      }
      return 'image updated'
    })
  },
)

const env = kubeCommand(
  {
    name: 'set env',
    usage: 'RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N [options]',
    about: 'Update environment variables on a pod template.',
    flags: {
      ...common,
      ...containersFlag,
      env: { type: 'array', short: 'e', about: 'Specify a key-value pair for an environment variable to set into each container.' },
      from: { type: 'string', about: 'The name of a resource from which to inject environment variables' },
      keys: { type: 'list', about: 'Comma-separated list of keys to import from specified resource' },
      list: { type: 'bool', about: 'If true, display the environment and any changes in the standard format.' },
      overwrite: {
        type: 'bool',
        default: true,
        about: 'If true, allow environment to be overwritten, otherwise reject updates that overwrite existing environment.',
      },
      prefix: { type: 'string', about: 'Prefix to append to variable names' },
      resolve: { type: 'bool', about: 'If true, show secret or configmap references when listing variables' },
    },
  },
  async (k) => {
    const words = [...takePairs(k, /^[^/]+=|^[A-Za-z_.][\w.-]*-$/), ...k.f.env]
    const set = words.filter((w) => w.includes('=')).map((w) => ({ name: w.slice(0, w.indexOf('=')), value: w.slice(w.indexOf('=') + 1) }))
    const removed = words.filter((w) => !w.includes('=')).map((w) => w.slice(0, -1))
    let imported: any[] = []
    if (k.f.from) {
      const [type, name] = k.f.from.split('/')
      const resource = await k.resources.find(type)
      const source = await k.client.get(
        `/api/v1/namespaces/${encodeURIComponent(k.namespace)}/${resource.plural}/${encodeURIComponent(name)}`,
      )
      const ref = resource.kind === 'Secret' ? 'secretKeyRef' : 'configMapKeyRef'
      imported = Object.keys(source.data ?? {})
        .sort()
        .filter((key) => !k.f.keys.length || k.f.keys.includes(key))
        .map((key) => ({ name: `${k.f.prefix}${key.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`, valueFrom: { [ref]: { key, name } } }))
    }
    if (k.f.list) {
      for (const { resource, object } of await remotes(k))
        for (const c of all(podSpecOf(object)).filter((x) => fits(k.f.containers, x.name))) {
          out(`# ${resource.kind} ${object.metadata.name}, container ${c.name}\n`)
          for (const e of c.env ?? []) {
            const r = e.valueFrom?.configMapKeyRef ?? e.valueFrom?.secretKeyRef
            if (e.valueFrom)
              out(
                r
                  ? `# ${e.name} from ${e.valueFrom.secretKeyRef ? 'secret' : 'configmap'} ${r.name}, key ${r.key}\n`
                  : `# ${e.name} from field path ${e.valueFrom.fieldRef?.fieldPath ?? ''}\n`,
              )
            else out(`${e.name}=${e.value ?? ''}\n`)
          }
        }
      return 0
    }
    if (!set.length && !removed.length && !imported.length) throw new Failure('at least one environment variable must be provided')
    return changeAll(k, (o) => {
      const containers = all(podSpecOf(o)).filter((c) => fits(k.f.containers, c.name))
      if (!containers.length)
        throw new Failure(`${o.kind}/${o.metadata.name} does not have any containers matching ${JSON.stringify(k.f.containers)}`)
      for (const c of containers) {
        const now: any[] = c.env ?? []
        if (!k.f.overwrite) {
          const known = set.find((s) => now.some((e) => e.name === s.name && e.value !== s.value))
          if (known)
            throw new Failure(
              `'${known.name}' already has a value (${now.find((e) => e.name === known.name).value}), and --overwrite is false`,
            )
        }
        let next = now.filter((e) => !removed.includes(e.name))
        for (const s of [...set, ...imported]) {
          const at = next.findIndex((e) => e.name === s.name)
          if (at < 0) next = [...next, s]
          else next[at] = s
        }
        if (next.length) c.env = next
        else delete c.env
      }
      return 'env updated'
    })
  },
)

const quantities = (text: string, what: string) =>
  Object.fromEntries(
    text
      .split(',')
      .filter(Boolean)
      .map((p) => {
        const [name, value] = p.split('=')
        if (!name || !value) throw new Failure(`invalid ${what} ${p}, expected <resource>=<value>`)
        return [name, value]
      }),
  )

const resources = kubeCommand(
  {
    name: 'set resources',
    usage: '(-f FILENAME | TYPE NAME) ([--limits=LIMITS & --requests=REQUESTS]) [options]',
    about: 'Specify compute resource requirements (CPU, memory) for any resource that defines a pod template.',
    flags: {
      ...common,
      ...containersFlag,
      limits: { type: 'string', about: "The resource requirement requests for this container. For example, 'cpu=100m,memory=256Mi'." },
      requests: { type: 'string', about: "The resource requirement requests for this container. For example, 'cpu=100m,memory=256Mi'." },
    },
  },
  async (k) => {
    if (!k.f.limits && !k.f.requests)
      throw new Failure('you must specify an update to requests or limits (in the form of --requests/--limits)')
    const [limits, requests] = [quantities(k.f.limits, 'limit'), quantities(k.f.requests, 'request')]
    return changeAll(k, (o) => {
      const containers = all(podSpecOf(o)).filter((c) => fits(k.f.containers, c.name))
      for (const c of containers) {
        c.resources ??= {}
        if (k.f.limits) c.resources.limits = { ...c.resources.limits, ...limits }
        if (k.f.requests) c.resources.requests = { ...c.resources.requests, ...requests }
      }
      return 'resource requirements updated'
    })
  },
)

const serviceAccount = kubeCommand(
  {
    name: 'set serviceaccount',
    usage: '(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT [options]',
    about: 'Update the service account of pod template resources.',
    flags: common,
  },
  async (k) => {
    if (!k.args.length) throw new Failure('serviceaccount is required')
    const account = k.args.at(-1)
    k.args = k.args.slice(0, -1)
    return changeAll(k, (o) => {
      const spec = podSpecOf(o)
      if (!spec) throw new Failure(`${o.kind} ${o.metadata.name} has no pod template`)
      spec.serviceAccountName = account
      return 'serviceaccount updated'
    })
  },
)

const selector = kubeCommand(
  {
    name: 'set selector',
    usage: '(-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version] [options]',
    about: 'Set the selector on a resource.',
    flags: {
      ...common,
      'resource-version': {
        type: 'string',
        about: 'If non-empty, the selectors update will only succeed if this is the current resource-version for the object.',
      },
    },
  },
  async (k) => {
    const labels = Object.fromEntries(
      takePairs(k)
        .flatMap((t) => t.split(','))
        .map((p) => p.split('=') as [string, string]),
    )
    return changeAll(k, (o) => {
      if (o.kind !== 'Service') throw new Failure(`setting a selector is only supported for Services`)
      // The whole selector, not one more label in it.
      for (const key of Object.keys(o.spec.selector ?? {})) if (!(key in labels)) delete o.spec.selector[key]
      o.spec.selector = { ...o.spec.selector, ...labels }
      return 'selector updated'
    })
  },
)

const subject = kubeCommand(
  {
    name: 'set subject',
    usage: '(-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [options]',
    about: 'Update the user, group, or service account in a role binding or cluster role binding.',
    flags: {
      ...common,
      group: { type: 'list', about: 'Groups to bind to the role' },
      serviceaccount: { type: 'list', about: 'Service accounts to bind to the role' },
      user: { type: 'list', about: 'Usernames to bind to the role' },
    },
  },
  async (k) => {
    const apiGroup = 'rbac.authorization.k8s.io'
    const wanted = [
      ...k.f.user.map((name: string) => ({ kind: 'User', apiGroup, name })),
      ...k.f.group.map((name: string) => ({ kind: 'Group', apiGroup, name })),
      ...k.f.serviceaccount.map((text: string) => {
        const [namespace, name] = text.split(':')
        if (!name) throw new Failure('serviceaccount must be <namespace>:<name>')
        return { kind: 'ServiceAccount', name, namespace }
      }),
    ]
    if (!wanted.length) throw new Failure('you must specify at least one value of user, group or serviceaccount')
    return changeAll(k, (o) => {
      const now: any[] = o.subjects ?? []
      const id = (s: any) => `${s.kind}/${s.namespace ?? ''}/${s.name}`
      const fresh = wanted.filter((w) => !now.some((s) => id(s) === id(w)))
      o.subjects = [...now, ...fresh]
      return 'subjects updated'
    })
  },
)

export const run = kubeGroup('set', 'Configure application resources.', {
  image,
  env,
  resources,
  serviceaccount: serviceAccount,
  sa: serviceAccount,
  selector,
  subject,
})
