// kedge config: kubeconfig files, read and changed as kubectl does.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Failure, type Kube, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import { configFiles, emptyConfig, loadConfig, type RawConfig, readConfig } from '../kube/config.ts'
import type { Flags } from '../kube/flags.ts'
import { printerFor, printFlags, tabulate } from '../kube/printers.ts'
import { yaml } from '../print/yaml.ts'

const local = (name: string, usage: string, about: string, flags: Flags, body: (k: Kube) => Promise<number | undefined> | number) =>
  kubeCommand({ name: `config ${name}`, usage, about, flags, local: true }, async (k) => body(k))

type ListName = 'clusters' | 'users' | 'contexts'

/** The file that has the entry, or the first one where a new one goes. */
function fileWith(k: Kube, has: (c: RawConfig) => boolean): string {
  const files = configFiles(k.f.kubeconfig)
  return (
    files.find((f) => {
      const c = readConfig(f)
      return c && has(c)
    }) ??
    files.find((f) => existsSync(f)) ??
    files.at(-1)!
  )
}

function change(file: string, edit: (c: RawConfig) => void): void {
  const config = readConfig(file) ?? emptyConfig()
  edit(config)
  for (const list of ['clusters', 'users', 'contexts'] as const) config[list].sort((a, b) => (a.name < b.name ? -1 : 1))
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
  writeFileSync(file, yaml(config), { mode: 0o600 })
}

const named = (k: Kube, what: string): string => {
  if (k.args.length !== 1) throw new Failure(`Unexpected args: [${k.args.join(' ')}]\nSee 'kedge config ${what} -h' for help and examples`)
  return k.args[0]!
}

const view = local(
  'view',
  '[flags] [options]',
  'Display merged kubeconfig settings or a specified kubeconfig file.',
  {
    ...printFlags,
    flatten: { type: 'bool', about: 'Flatten the resulting kubeconfig file into self-contained output.' },
    merge: { type: 'bool', default: true, about: 'Merge the full hierarchy of kubeconfig files.' },
    minify: { type: 'bool', about: 'Remove all information not used by current-context from the output.' },
    raw: { type: 'bool', about: 'Display raw byte data and sensitive data.' },
  },
  (k) => {
    let config: RawConfig = structuredClone(loadConfig(k.f.kubeconfig))
    if (k.f.minify) {
      const name = k.f.context || config['current-context']
      if (!name) throw new Failure('current-context must exist in order to minify')
      const context = config.contexts.find((c) => c.name === name)
      if (!context) throw new Failure('cannot locate context ' + name)
      config = {
        ...config,
        'current-context': name,
        contexts: [context],
        clusters: config.clusters.filter((c) => c.name === context.context.cluster),
        users: config.users.filter((u) => u.name === context.context.user),
      }
    }
    if (k.f.flatten)
      for (const [list, field] of [
        ['clusters', 'cluster'],
        ['users', 'user'],
      ] as const)
        for (const entry of config[list] as any[])
          for (const name of ['certificate-authority', 'client-certificate', 'client-key'])
            if (entry[field][name]) {
              entry[field][`${name}-data`] = readFileSync(entry[field][name]).toString('base64')
              delete entry[field][name]
            }
    if (!k.f.raw) {
      for (const c of config.clusters) if (c.cluster['certificate-authority-data']) c.cluster['certificate-authority-data'] = 'DATA+OMITTED'
      for (const u of config.users) {
        for (const name of ['client-certificate-data', 'client-key-data']) if (u.user[name]) u.user[name] = 'DATA+OMITTED'
        for (const name of ['token', 'password']) if (u.user[name]) u.user[name] = 'REDACTED'
      }
    }
    const shown = {
      ...config,
      clusters: nullIfNone(config.clusters),
      users: nullIfNone(config.users.map((u) => ({ ...u, user: execOf(u.user) }))),
      contexts: nullIfNone(config.contexts),
    }
    out((printerFor(k.f) ?? printerFor({ ...k.f, output: 'yaml' }))!.print(shown))
    return 0
  },
)
const nullIfNone = <T>(list: T[]): T[] | null => (list.length ? list : null)
/** As kubectl writes a plugin out: every field of it. */
const execOf = (user: any): any =>
  user.exec
    ? {
        ...user,
        exec: {
          ...user.exec,
          args: user.exec.args ?? null,
          env: user.exec.env ?? null,
          provideClusterInfo: !!user.exec.provideClusterInfo,
        },
      }
    : user

const getContexts = local(
  'get-contexts',
  '[(-o|--output=)name)] [options]',
  'Display one or many contexts from the kubeconfig file.',
  {
    'no-headers': { type: 'bool', about: "When using the default or custom-column output format, don't print headers." },
    output: { type: 'string', short: 'o', about: 'Output format. One of: (name).' },
  },
  (k) => {
    if (k.f.output && k.f.output !== 'name') throw new Failure(`output must be one of '' or 'name': ${k.f.output}`)
    const config = loadConfig(k.f.kubeconfig)
    const missing = k.args.find((n) => !config.contexts.some((c) => c.name === n))
    const list = config.contexts.filter((c) => !k.args.length || k.args.includes(c.name)).sort((a, b) => (a.name < b.name ? -1 : 1))
    if (k.f.output === 'name') for (const c of list) out(`${c.name}\n`)
    else
      out(
        tabulate([
          ...(k.f['no-headers'] ? [] : [['CURRENT', 'NAME', 'CLUSTER', 'AUTHINFO', 'NAMESPACE']]),
          ...list.map((c) => [
            c.name === config['current-context'] ? '*' : '',
            c.name,
            c.context.cluster ?? '',
            c.context.user ?? '',
            c.context.namespace ?? '',
          ]),
        ]),
      )
    if (missing !== undefined) throw new Failure(`context ${missing} not found`)
    return 0
  },
)

const names = (name: string, about: string, list: ListName, head: string) =>
  local(name, '[options]', about, {}, (k) => {
    out(
      tabulate([
        [head],
        ...loadConfig(k.f.kubeconfig)
          [list].map((c) => [c.name])
          .sort(),
      ]),
    )
    return 0
  })

const currentContext = local('current-context', '[flags] [options]', 'Display the current-context.', {}, (k) => {
  const name = loadConfig(k.f.kubeconfig)['current-context']
  if (!name) throw new Failure('current-context is not set')
  out(`${name}\n`)
  return 0
})

const useContext = local('use-context', 'CONTEXT_NAME [options]', 'Set the current-context in a kubeconfig file.', {}, (k) => {
  const name = named(k, 'use-context')
  if (!loadConfig(k.f.kubeconfig).contexts.some((c) => c.name === name))
    throw new Failure(`no context exists with the name: ${JSON.stringify(name)}`)
  change(
    fileWith(k, (c) => !!c['current-context']),
    (c) => {
      c['current-context'] = name
    },
  )
  out(`Switched to context ${JSON.stringify(name)}.\n`)
  return 0
})

const renameContext = local('rename-context', 'CONTEXT_NAME NEW_NAME [options]', 'Rename a context from the kubeconfig file.', {}, (k) => {
  const [from, to] = k.args
  if (!from || !to) throw new Failure(`Unexpected args: [${k.args.join(' ')}]\nSee 'kedge config rename-context -h' for help and examples`)
  const config = loadConfig(k.f.kubeconfig)
  if (!config.contexts.some((c) => c.name === from))
    throw new Failure(`cannot rename the context ${JSON.stringify(from)}, it's not in ${configFiles(k.f.kubeconfig)[0]}`)
  if (config.contexts.some((c) => c.name === to))
    throw new Failure(
      `cannot rename the context ${JSON.stringify(from)}, the context ${JSON.stringify(to)} already exists in ${configFiles(k.f.kubeconfig)[0]}`,
    )
  change(
    fileWith(k, (c) => c.contexts.some((x) => x.name === from)),
    (c) => {
      c.contexts.find((x) => x.name === from)!.name = to
      if (c['current-context'] === from) c['current-context'] = to
    },
  )
  out(`Context ${JSON.stringify(from)} renamed to ${JSON.stringify(to)}.\n`)
  return 0
})

const remove = (name: string, what: string, list: ListName) =>
  local(name, 'NAME [options]', `Delete the specified ${what} from the kubeconfig.`, {}, (k) => {
    const wanted = named(k, name)
    const file = fileWith(k, (c) => c[list].some((x) => x.name === wanted))
    if (!readConfig(file)?.[list].some((x) => x.name === wanted)) throw new Failure(`cannot delete ${what} ${wanted}, not in ${file}`)
    const current = loadConfig(k.f.kubeconfig)['current-context']
    change(file, (c) => {
      c[list] = (c[list] as any[]).filter((x) => x.name !== wanted)
    })
    if (list === 'contexts' && current === wanted)
      process.stderr.write('warning: this removed your active context, use "kedge config use-context" to select a different one\n')
    out(`deleted ${what} ${wanted} from ${file}\n`)
    return 0
  })

const withData = (k: Kube, entry: any, flag: string): void => {
  if (!k.given.has(flag)) return
  const file: string = k.f[flag]
  if (k.f['embed-certs']) {
    entry[`${flag}-data`] = readFileSync(file).toString('base64')
    delete entry[flag]
  } else {
    entry[flag] = path.resolve(file)
    delete entry[`${flag}-data`]
  }
}

const setCluster = local(
  'set-cluster',
  'NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true] [--tls-server-name=example.com] [options]',
  'Set a cluster entry in kubeconfig.',
  {
    'embed-certs': { type: 'bool', about: 'embed-certs for the cluster entry in kubeconfig' },
    'proxy-url': { type: 'string', about: 'proxy-url for the cluster entry in kubeconfig' },
  },
  (k) => {
    const name = named(k, 'set-cluster')
    change(
      fileWith(k, (c) => c.clusters.some((x) => x.name === name)),
      (c) => {
        let entry = c.clusters.find((x) => x.name === name)
        if (!entry) c.clusters.push((entry = { name, cluster: {} }))
        const e = entry.cluster
        if (k.given.has('server')) e.server = k.f.server
        if (k.given.has('tls-server-name')) e['tls-server-name'] = k.f['tls-server-name']
        if (k.given.has('proxy-url')) e['proxy-url'] = k.f['proxy-url']
        if (k.given.has('insecure-skip-tls-verify')) {
          if (k.f['insecure-skip-tls-verify']) {
            e['insecure-skip-tls-verify'] = true
            delete e['certificate-authority']
            delete e['certificate-authority-data']
          } else delete e['insecure-skip-tls-verify']
        }
        withData(k, e, 'certificate-authority')
      },
    )
    out(`Cluster ${JSON.stringify(name)} set.\n`)
    return 0
  },
)

const setContext = local(
  'set-context',
  '[NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace] [options]',
  'Set a context entry in kubeconfig.',
  { current: { type: 'bool', about: 'Modify the current context' } },
  (k) => {
    const config = loadConfig(k.f.kubeconfig)
    if (k.f.current && k.args.length) throw new Failure('you cannot specify both a context name and --current')
    const name = k.f.current ? config['current-context'] : named(k, 'set-context')
    if (!name) throw new Failure('no current context is set')
    const existed = config.contexts.some((c) => c.name === name)
    change(
      fileWith(k, (c) => c.contexts.some((x) => x.name === name)),
      (c) => {
        let entry = c.contexts.find((x) => x.name === name)
        if (!entry) c.contexts.push((entry = { name, context: { cluster: '', user: '' } }))
        for (const flag of ['cluster', 'user', 'namespace']) if (k.given.has(flag)) entry.context[flag] = k.f[flag]
      },
    )
    out(`Context ${JSON.stringify(name)} ${existed ? 'modified' : 'created'}.\n`)
    return 0
  },
)

const setCredentials = local(
  'set-credentials',
  'NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token] [--username=basic_user] [--password=basic_password] [options]',
  'Set a user entry in kubeconfig.',
  {
    'embed-certs': { type: 'bool', about: 'Embed client cert/key for the user entry in kubeconfig' },
    'exec-api-version': { type: 'string', about: 'API version of the exec credential plugin for the user entry in kubeconfig' },
    'exec-arg': { type: 'list', about: 'New arguments for the exec credential plugin command for the user entry in kubeconfig' },
    'exec-command': { type: 'string', about: 'Command for the exec credential plugin for the user entry in kubeconfig' },
    'exec-env': { type: 'array', about: "'key=value' environment values for the exec credential plugin" },
    password: { type: 'string', about: 'password for the user entry in kubeconfig' },
    username: { type: 'string', about: 'username for the user entry in kubeconfig' },
  },
  (k) => {
    const name = named(k, 'set-credentials')
    if (k.given.has('token') && (k.given.has('username') || k.given.has('password')))
      throw new Failure('you cannot specify more than one authentication method at the same time: --token, --username/--password')
    change(
      fileWith(k, (c) => c.users.some((x) => x.name === name)),
      (c) => {
        let entry = c.users.find((x) => x.name === name)
        if (!entry) c.users.push((entry = { name, user: {} }))
        const e = entry.user
        if (k.given.has('token')) {
          e.token = k.f.token
          delete e.username
          delete e.password
        }
        for (const flag of ['username', 'password']) if (k.given.has(flag)) e[flag] = k.f[flag]
        if (k.given.has('exec-command'))
          e.exec = {
            ...e.exec,
            apiVersion: k.f['exec-api-version'] || e.exec?.apiVersion,
            args: k.f['exec-arg'].length ? k.f['exec-arg'] : (e.exec?.args ?? null),
            command: k.f['exec-command'],
            env: k.f['exec-env'].length
              ? k.f['exec-env'].map((p: string) => ({ name: p.split('=')[0], value: p.slice(p.indexOf('=') + 1) }))
              : (e.exec?.env ?? null),
            interactiveMode: 'IfAvailable',
            provideClusterInfo: false,
          }
        withData(k, e, 'client-certificate')
        withData(k, e, 'client-key')
      },
    )
    out(`User ${JSON.stringify(name)} set.\n`)
    return 0
  },
)

/** `contexts.NAME.namespace`: names may have dots in them. */
function locate(config: any, property: string): { holder: any; key: string } {
  const [list, ...rest] = property.split('.')
  const fields: Record<string, string> = { clusters: 'cluster', users: 'user', contexts: 'context' }
  if (!fields[list!]) return { holder: config, key: property }
  const whole = rest.join('.')
  const entries = config[list!] as any[]
  const found = entries.filter((e) => whole === e.name || whole.startsWith(`${e.name}.`)).sort((a, b) => b.name.length - a.name.length)[0]
  const name = found?.name ?? (rest.length > 1 ? rest.slice(0, -1).join('.') : whole)
  const key = whole.slice(name.length + 1)
  if (!key) return { holder: { list: entries, name }, key: '' }
  let entry = found
  if (!entry) entries.push((entry = { name, [fields[list!]!]: {} }))
  return { holder: entry[fields[list!]!], key }
}

const set = local(
  'set',
  'PROPERTY_NAME PROPERTY_VALUE [options]',
  'Set an individual value in a kubeconfig file.',
  {
    'set-raw-bytes': {
      type: 'bool',
      about: 'When writing a []byte PROPERTY_VALUE, write the given string directly without base64 decoding.',
    },
  },
  (k) => {
    const [property, value] = k.args
    if (property === undefined || value === undefined)
      throw new Failure(`Unexpected args: [${k.args.join(' ')}]\nSee 'kedge config set -h' for help and examples`)
    change(
      fileWith(k, () => true),
      (c) => {
        const { holder, key } = locate(c, property)
        if (!key) throw new Failure(`unable to parse ${property}`)
        holder[key] =
          value === 'true'
            ? true
            : value === 'false'
              ? false
              : key.endsWith('-data') && k.f['set-raw-bytes']
                ? Buffer.from(value).toString('base64')
                : value
      },
    )
    out(`Property ${JSON.stringify(property)} set.\n`)
    return 0
  },
)

const unset = local('unset', 'PROPERTY_NAME [options]', 'Unset an individual value in a kubeconfig file.', {}, (k) => {
  const property = named(k, 'unset')
  change(
    fileWith(k, () => true),
    (c) => {
      const { holder, key } = locate(c, property)
      if (!key) {
        const at = holder.list.findIndex((e: any) => e.name === holder.name)
        if (at >= 0) holder.list.splice(at, 1)
      } else if (key === 'current-context') holder[key] = ''
      else delete holder[key]
    },
  )
  out(`Property ${JSON.stringify(property)} unset.\n`)
  return 0
})

export const run = kubeGroup('config', 'Modify kubeconfig files.', {
  'current-context': currentContext,
  'delete-cluster': remove('delete-cluster', 'cluster', 'clusters'),
  'delete-context': remove('delete-context', 'context', 'contexts'),
  'delete-user': remove('delete-user', 'user', 'users'),
  'get-clusters': names('get-clusters', 'Display clusters defined in the kubeconfig.', 'clusters', 'NAME'),
  'get-contexts': getContexts,
  'get-users': names('get-users', 'Display users defined in the kubeconfig.', 'users', 'NAME'),
  'rename-context': renameContext,
  set,
  'set-cluster': setCluster,
  'set-context': setContext,
  'set-credentials': setCredentials,
  unset,
  use: useContext,
  'use-context': useContext,
  view,
})
