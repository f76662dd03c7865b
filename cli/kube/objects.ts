// What a command is about: files, folders, URLs, standard input and kustomizations; or types, names and selectors.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { isKustomization, kustomize } from '../../shared/manifests/kustomize.ts'
import { convertRemoved } from '../../shared/manifests/removed-versions.ts'
import { parseManifests } from '../../shared/manifests/yaml.ts'
import { err, Failure, Failures, type Kube } from './command.ts'
import type { Flags } from './flags.ts'
import { pathOf, type Resource } from './resources.ts'

export const fileFlags: Flags = {
  filename: { type: 'list', short: 'f', about: 'Filename, directory, or URL to files identifying the resource.' },
  kustomize: { type: 'string', short: 'k', about: "Process the kustomization directory. This flag can't be used together with -f or -R." },
  recursive: { type: 'bool', short: 'R', about: 'Process the directory used in -f, --filename recursively.' },
}
export const selectorFlag: Flags = {
  selector: { type: 'string', short: 'l', about: "Selector (label query) to filter on, supports '=', '==', '!=', 'in', 'notin'." },
}

const EXTENSIONS = ['.json', '.yaml', '.yml']
let standardInput: string | undefined

/** A manifest and where it came from. */
export interface Local {
  object: any
  source: string
}

function filesOf(name: string, recursive: boolean): string[] {
  const stat = statSync(name, { throwIfNoEntry: false })
  if (!stat) throw new Failure(`the path ${JSON.stringify(name)} does not exist`)
  if (!stat.isDirectory()) return [name]
  const entries = readdirSync(name, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((e) => {
    const at = path.join(name, e.name)
    if (statSync(at).isDirectory()) return recursive ? filesOf(at, true) : []
    return EXTENSIONS.includes(path.extname(e.name)) ? [at] : []
  })
}

async function textOf(name: string): Promise<string> {
  if (name === '-') {
    standardInput ??= readFileSync(0, 'utf8')
    return standardInput
  }
  if (/^https?:\/\//.test(name)) {
    const answer = await fetch(name).catch((cause) => {
      throw new Failure(`unable to read URL ${JSON.stringify(name)}: ${cause.cause?.message ?? cause.message}`)
    })
    if (!answer.ok)
      throw new Failure(
        `unable to read URL ${JSON.stringify(name)}, server reported ${answer.status} ${answer.statusText}, status code=${answer.status}`,
      )
    return answer.text()
  }
  return readFileSync(name, 'utf8')
}

/** Every file below a folder and beside it, as kustomize may refer to them. */
function treeOf(folder: string): { files: Map<string, string>; root: string } {
  const files = new Map<string, string>()
  const collect = (at: string, depth: number) => {
    for (const e of readdirSync(at, { withFileTypes: true })) {
      const full = path.join(at, e.name)
      if (e.name === 'node_modules' || e.name === '.git') continue
      if (e.isDirectory() && depth < 12) collect(full, depth + 1)
      else if (e.isFile() && statSync(full).size < 2 << 20 && files.size < 20_000)
        files.set(path.relative('/', full), readFileSync(full, 'utf8'))
    }
  }
  const referenced = new Set<string>()
  const visit = (at: string) => {
    const dir = path.resolve(at)
    if (referenced.has(dir) || !existsSync(dir) || !statSync(dir).isDirectory()) return
    referenced.add(dir)
    collect(dir, 0)
    for (const name of ['kustomization.yaml', 'kustomization.yml', 'Kustomization']) {
      const file = path.join(dir, name)
      if (!existsSync(file)) continue
      for (const m of readFileSync(file, 'utf8').matchAll(/(\.\.\/[\w./-]+)/g)) {
        const target = path.resolve(dir, m[1]!)
        if (!existsSync(target)) continue
        if (statSync(target).isDirectory()) visit(target)
        else files.set(path.relative('/', target), readFileSync(target, 'utf8'))
      }
    }
  }
  visit(folder)
  return { files, root: path.relative('/', path.resolve(folder)) }
}

export async function buildKustomization(folder: string): Promise<any[]> {
  if (/^(https?:|git@|github\.com)/.test(folder)) throw new Failure(`the remote kustomization ${folder} is not supported: clone it first`)
  if (!existsSync(folder))
    throw new Failure(
      `must build at directory: not a valid directory: evalsymlink failure on '${folder}' : lstat ${folder}: no such file or directory`,
    )
  const { files, root } = treeOf(folder)
  if (!isKustomization(files, root))
    throw new Failure(
      `unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '${path.resolve(folder)}'`,
    )
  return kustomize(files, root).catch((cause) => {
    throw new Failure(cause.message)
  })
}

/** The objects of -f and -k, in order. Manifests of removed API versions come converted, with a warning each. */
export async function locals(f: Record<string, any>): Promise<Local[]> {
  if (f.kustomize) {
    if (f.filename.length) throw new Failure('only one of -f or -k can be specified')
    return (await buildKustomization(f.kustomize)).map((object) => ({ object, source: f.kustomize }))
  }
  const out: Local[] = []
  for (const given of f.filename as string[]) {
    const names = given === '-' || /^https?:\/\//.test(given) ? [given] : filesOf(given, f.recursive)
    if (!names.length) throw new Failure(`error reading [${given}]: recognized file extensions are [${EXTENSIONS.join(' ')}]`)
    for (const name of names) {
      let objects: any[]
      try {
        objects = parseManifests(await textOf(name))
      } catch (cause) {
        if (cause instanceof Failure) throw cause
        throw new Failure(
          `error parsing ${name === '-' ? 'STDIN' : name}: error converting YAML to JSON: yaml: ${(cause as Error).message}`,
        )
      }
      for (const raw of objects) {
        if (!raw?.kind)
          throw new Failure(
            `error validating ${JSON.stringify(name === '-' ? 'STDIN' : name)}: error validating data: kind not set; if you choose to ignore these errors, turn validation off with --validate=false`,
          )
        if (!raw.apiVersion)
          throw new Failure(
            `error validating ${JSON.stringify(name === '-' ? 'STDIN' : name)}: error validating data: apiVersion not set; if you choose to ignore these errors, turn validation off with --validate=false`,
          )
        const { object, warning } = convertRemoved(raw)
        if (warning) err(`Warning: ${warning}\n`)
        out.push({ object, source: name === '-' ? 'STDIN' : name })
      }
    }
  }
  if (!out.length && (f.filename as string[]).length) throw new Failure('no objects passed to ' + 'apply')
  return out
}

/** An object on the server, by its coordinates. */
export interface Target {
  resource: Resource
  name: string
  namespace: string | undefined
}

/** `a` of several types or names; `names` is empty for all of a type. */
export interface Wanted {
  resource: Resource
  names: string[]
}

/** TYPE, TYPE NAME…, TYPE/NAME…, TYPE,TYPE. Throws with kubectl's words. */
export async function wanted(k: Kube, args = k.args): Promise<Wanted[]> {
  if (!args.length) return []
  if (args.some((a) => a.includes('/'))) {
    const out: Wanted[] = []
    for (const a of args) {
      const parts = a.split('/')
      if (parts.length !== 2)
        throw new Failure(
          parts.length < 2
            ? `there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kedge get resource/<resource_name>' instead of 'kedge get resource resource/<resource_name>'`
            : 'arguments in resource/name form may not have more than one slash',
        )
      if (!parts[0] || !parts[1]) throw new Failure('arguments in resource/name form must have a single resource and name')
      out.push({ resource: await k.resources.find(parts[0]), names: [parts[1]] })
    }
    return out
  }
  const types = await k.resources.types(args[0]!)
  if (!types.length) throw new Failure(`the server doesn't have a resource type ${JSON.stringify(args[0])}`)
  return types.map((resource) => ({ resource, names: args.slice(1) }))
}

/** Query of a list: selectors as given. */
export function listQuery(f: Record<string, any>, more: Record<string, string> = {}): string {
  const q = new URLSearchParams({
    ...(f.selector ? { labelSelector: f.selector } : {}),
    ...(f['field-selector'] ? { fieldSelector: f['field-selector'] } : {}),
    ...more,
  }).toString()
  return q ? `?${q}` : ''
}

/** All items of a list, page by page. */
export async function listAll(
  k: Kube,
  resource: Resource,
  namespace: string | undefined,
  query: Record<string, string> = {},
): Promise<any[]> {
  const items: any[] = []
  for (let next = ''; ; ) {
    const list = await k.client.get(
      pathOf(resource, namespace) + listQuery(k.f, { ...query, limit: '500', ...(next ? { continue: next } : {}) }),
    )
    items.push(...list.items.map((i: any) => ({ apiVersion: list.apiVersion, kind: list.kind.replace(/List$/, ''), ...i })))
    next = list.metadata.continue ?? ''
    if (!next) return items
  }
}

/** The objects that a command names, from files or arguments: as they are on the server. */
export async function remotes(k: Kube, o: { all?: boolean } = {}): Promise<{ resource: Resource; object: any }[]> {
  const out: { resource: Resource; object: any }[] = []
  const faults: unknown[] = []
  const fetchOne = async (resource: Resource, name: string, namespace: string | undefined) => {
    try {
      out.push({ resource, object: await k.client.get(pathOf(resource, resource.namespaced ? namespace : undefined, name)) })
    } catch (cause) {
      faults.push(cause)
    }
  }
  if (k.f.filename?.length || k.f.kustomize) {
    for (const { object } of await locals(k.f))
      await fetchOne(
        await k.resources.ofKind(object.apiVersion, object.kind),
        object.metadata.name,
        object.metadata.namespace ?? k.namespace,
      )
  } else {
    const list = await wanted(k)
    if (!list.length) throw new Failure(NOTHING)
    for (const { resource, names } of list) {
      for (const name of names) await fetchOne(resource, name, k.namespace)
      if (names.length) continue
      if (!o.all && !k.f.all && !k.f.selector && !k.f['field-selector'])
        throw new Failure('resource(s) were provided, but no name was specified')
      for (const object of await listAll(k, resource, resource.namespaced && !k.f['all-namespaces'] ? k.namespace : undefined))
        out.push({ resource, object })
    }
  }
  if (faults.length) {
    if (!out.length) throw new Failures(faults)
    k.f['faults'] = faults
  }
  return out
}

export const NOTHING = `You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'`

/** Where an object of a manifest belongs. Throws when it and the flag disagree. */
export function namespaceFor(k: Kube, resource: Resource, object: any): string | undefined {
  if (!resource.namespaced) return undefined
  const own = object.metadata?.namespace
  if (own && k.given.has('namespace') && own !== k.namespace)
    throw new Failure(
      `the namespace from the provided object ${JSON.stringify(own)} does not match the namespace ${JSON.stringify(k.namespace)}. You must pass '--namespace=${own}' to perform this operation.`,
    )
  return own ?? k.namespace
}
