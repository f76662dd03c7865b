// Kustomizations: bases, patches, generators and renaming, as `kubectl kustomize` does them. Pure: files come as a map from path to text.

import { kindByName } from '../kinds/index.ts'
import { toBase64Text } from '../meta/base64.ts'
import { jsonPatch, mergePatch, strategicPatch } from '../schema/patch.ts'
import { schemaOf } from '../schema/types.ts'
import { type Reference, references } from './references.ts'
import { parseManifests, parseYaml } from './yaml.ts'

type Json = any
/** Text by path, without a leading `./`. */
export type Files = ReadonlyMap<string, string>

const names = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']
const MAX_DEPTH = 20
/** What this does not do is said, not passed over. */
const unsupported = [
  'helmCharts',
  'helmChartInflationGenerator',
  'replacements',
  'vars',
  'transformers',
  'validators',
  'generators',
  'crds',
  'configurations',
  'openapi',
]

interface Item {
  object: Json
  /** What references called it before it was renamed. */
  original: { name: string; namespace?: string }
  hashed?: boolean
}

const fail = (at: string, why: string): never => {
  throw new Error(`${at}: ${why}`)
}

/** Joins and resolves `.` and `..`; undefined when it leads out. */
export function join(folder: string, name: string): string | undefined {
  const out: string[] = []
  for (const part of `${folder}/${name}`.split('/')) {
    if (part === '..') {
      if (!out.length) return undefined
      out.pop()
    } else if (part && part !== '.') out.push(part)
  }
  return out.join('/')
}

const groupOf = (o: Json): string => (o.apiVersion?.includes('/') ? o.apiVersion.split('/')[0] : '')
const kustomizationOf = (files: Files, folder: string): string | undefined => names.map((n) => join(folder, n)!).find((f) => files.has(f))

/** Whether a folder is a kustomization. */
export const isKustomization = (files: Files, folder: string): boolean => kustomizationOf(files, folder) !== undefined

/** The objects of a kustomization. Throws errors that name the file. */
export async function kustomize(files: Files, folder: string): Promise<Json[]> {
  const items = await build(files, folder, 0)
  return items.map((i) => i.object).sort((a, b) => rank(a.kind) - rank(b.kind) || (idOf(a) < idOf(b) ? -1 : idOf(a) > idOf(b) ? 1 : 0))
}

/** What others lean on comes out first, webhooks last; within a kind by name: kustomize's own order. */
const order = [
  'Namespace',
  'ResourceQuota',
  'StorageClass',
  'CustomResourceDefinition',
  'ServiceAccount',
  'PodSecurityPolicy',
  'Role',
  'ClusterRole',
  'RoleBinding',
  'ClusterRoleBinding',
  'ConfigMap',
  'Secret',
  'Endpoints',
  'Service',
  'LimitRange',
  'PriorityClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Deployment',
  'StatefulSet',
  'CronJob',
  'PodDisruptionBudget',
]
const atEnd = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']
const rank = (kind: string): number =>
  order.includes(kind) ? order.indexOf(kind) - order.length : atEnd.includes(kind) ? 1 + atEnd.indexOf(kind) : 0
const idOf = (o: Json): string => `${o.apiVersion}~${o.kind}~${o.metadata.namespace ?? ''}~${o.metadata.name}`

async function build(files: Files, folder: string, depth: number, into: Item[] = []): Promise<Item[]> {
  if (depth > MAX_DEPTH) return fail(folder, 'kustomizations are nested too deep, or in a circle')
  const file = kustomizationOf(files, folder) ?? fail(folder || '.', `no ${names[0]}`)
  const k: Json = read(files, file)
  for (const field of unsupported) if (k[field]) fail(file, `${field} are not supported`)
  const component = k.kind === 'Component'
  const items: Item[] = component ? into : []
  for (const entry of [...(k.resources ?? []), ...(k.bases ?? [])]) await addResource(files, folder, file, entry, items, depth)
  for (const entry of k.components ?? []) await build(files, at(file, folder, entry), depth + 1, items)
  for (const g of k.configMapGenerator ?? []) generate(files, folder, file, items, 'ConfigMap', g, k.generatorOptions)
  for (const g of k.secretGenerator ?? []) generate(files, folder, file, items, 'Secret', g, k.generatorOptions)
  patchAll(files, folder, file, k, items)
  transform(k, items)
  // Hashes are of what an object is in the end: the outermost kustomization puts them on, and only once.
  if (depth === 0) {
    for (const i of items) if (i.hashed) i.object.metadata.name += `-${await hashOf(i.object)}`
    renameReferences(items)
  }
  return items
}

const at = (file: string, folder: string, name: string): string => join(folder, name) ?? fail(file, `${name} leads out of the tree`)

function read(files: Files, file: string): Json {
  try {
    return parseYaml(files.get(file)!) ?? {}
  } catch (cause) {
    return fail(file, (cause as Error).message)
  }
}

async function addResource(files: Files, folder: string, file: string, entry: string, items: Item[], depth: number): Promise<void> {
  if (/^(https?:|git@|ssh:|github\.com\/)|\?ref=/.test(entry)) fail(file, `the remote resource ${entry} is not supported`)
  const path = at(file, folder, entry)
  const text = files.get(path)
  if (text === undefined) {
    if (!isKustomization(files, path)) fail(file, `${entry} is neither a file nor a kustomization`)
    items.push(...(await build(files, path, depth + 1)))
    return
  }
  let objects: Json[]
  try {
    objects = parseManifests(text)
  } catch (cause) {
    return fail(path, (cause as Error).message)
  }
  for (const object of objects) {
    if (!object?.kind || !object.metadata?.name) fail(path, 'an object has no kind or no name')
    if (items.some((i) => same(i, object))) fail(path, `${object.kind} ${object.metadata.name} is there twice`)
    items.push({
      object,
      original: { name: object.metadata.name, ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}) },
    })
  }
}

const same = (i: Item, o: Json) =>
  i.object.kind === o.kind &&
  groupOf(i.object) === groupOf(o) &&
  i.original.name === o.metadata?.name &&
  (i.object.metadata.namespace ?? '') === (o.metadata?.namespace ?? '')

// --- generators ---

function envLines(text: string): [string, string][] {
  return text
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l && !l.startsWith('#'))
    .map((l) => (l.includes('=') ? [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)] : [l, '']))
}

function generate(files: Files, folder: string, file: string, items: Item[], kind: string, g: Json, general: Json = {}): void {
  const textOf = (name: string) => files.get(at(file, folder, name)) ?? fail(file, `${name} is not there`)
  const pairs: [string, string][] = []
  for (const entry of g.files ?? []) {
    const [key, name] = entry.includes('=')
      ? [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]
      : [entry.split('/').at(-1), entry]
    pairs.push([key, textOf(name)])
  }
  for (const name of [...(g.envs ?? []), ...(g.env ? [g.env] : [])]) pairs.push(...envLines(textOf(name)))
  for (const literal of g.literals ?? []) {
    const cut = literal.indexOf('=')
    if (cut < 0) fail(file, `the literal ${literal} is not KEY=VALUE`)
    pairs.push([literal.slice(0, cut), literal.slice(cut + 1).replace(/^(["'])(.*)\1$/, '$2')])
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : 1))
  const data = Object.fromEntries(pairs.map(([k, v]) => [k, kind === 'Secret' ? toBase64Text(v) : v]))
  const o = {
    ...general,
    ...g.options,
    labels: { ...general.labels, ...g.options?.labels },
    annotations: { ...general.annotations, ...g.options?.annotations },
  }
  const metadata = {
    ...(Object.keys(o.annotations).length ? { annotations: o.annotations } : {}),
    ...(Object.keys(o.labels).length ? { labels: o.labels } : {}),
    name: g.name,
    ...(g.namespace ? { namespace: g.namespace } : {}),
  }
  const object = {
    apiVersion: 'v1',
    ...(pairs.length ? { data } : {}),
    kind,
    metadata,
    ...(kind === 'Secret' ? { type: g.type ?? 'Opaque' } : {}),
    ...(o.immutable ? { immutable: true } : {}),
  }
  const known = items.find((i) => same(i, object))
  if (g.behavior === 'merge' || g.behavior === 'replace') {
    if (!known) fail(file, `${kind} ${g.name} is not there to ${g.behavior}`)
    known!.object = { ...known!.object, data: g.behavior === 'merge' ? { ...known!.object.data, ...data } : data }
    return
  }
  if (known) fail(file, `${kind} ${g.name} is there twice: set behavior to merge or replace`)
  items.push({ object, original: { name: g.name, ...(g.namespace ? { namespace: g.namespace } : {}) }, hashed: !o.disableNameSuffixHash })
}

/** kustomize's ten characters for a ConfigMap's or Secret's content; its name is no part of them. */
async function hashOf(o: Json): Promise<string> {
  const sorted = (v: Json): Json =>
    v && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(
          Object.keys(v)
            .sort()
            .map((k) => [k, sorted(v[k])]),
        )
      : v
  const content =
    o.kind === 'Secret'
      ? { data: o.data ?? '', kind: 'Secret', name: '', type: o.type, ...(o.stringData ? { stringData: o.stringData } : {}) }
      : { ...(o.binaryData ? { binaryData: o.binaryData } : {}), data: o.data ?? '', kind: 'ConfigMap', name: '' }
  // As Go writes JSON: angle brackets and ampersands escaped.
  const escapes: Record<string, string> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' }
  const text = JSON.stringify(sorted(content)).replace(/[<>&\u2028\u2029]/g, (c) => escapes[c]!)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  const hex = [...digest].map((b) => b.toString(16).padStart(2, '0')).join('')
  const letters: Record<string, string> = { '0': 'g', '1': 'h', '3': 'k', a: 'm', e: 't' }
  return hex.slice(0, 10).replace(/[013ae]/g, (c) => letters[c]!)
}

// --- patches ---

const anchored = (pattern: string | undefined, text: string): boolean => pattern === undefined || new RegExp(`^(?:${pattern})$`).test(text)

function selected(labels: Record<string, string> | undefined, selector: string | undefined): boolean {
  if (!selector) return true
  return selector.split(',').every((term) => {
    const [key, value] = term.split(/==?/).map((p) => p.trim()) as [string, string?]
    return value === undefined ? key in (labels ?? {}) : labels?.[key] === value
  })
}

const fits = (i: Item, t: Json): boolean =>
  anchored(t.group, groupOf(i.object)) &&
  anchored(t.version, i.object.apiVersion.split('/').at(-1)) &&
  anchored(t.kind, i.object.kind) &&
  (anchored(t.name, i.original.name) || anchored(t.name, i.object.metadata.name)) &&
  anchored(t.namespace, i.object.metadata.namespace ?? '') &&
  selected(i.object.metadata.labels, t.labelSelector) &&
  selected(i.object.metadata.annotations, t.annotationSelector)

function patchAll(files: Files, folder: string, file: string, k: Json, items: Item[]): void {
  const textOf = (entry: string) => files.get(join(folder, entry) ?? '') ?? entry
  const patches: { target?: Json; text: string; json?: boolean }[] = [
    ...(k.patchesStrategicMerge ?? []).map((e: string) => ({ text: textOf(e) })),
    ...(k.patches ?? []).map((p: Json) => ({
      target: p.target,
      text: p.path ? (files.get(at(file, folder, p.path)) ?? fail(file, `${p.path} is not there`)) : p.patch,
    })),
    ...(k.patchesJson6902 ?? []).map((p: Json) => ({
      target: p.target,
      text: p.path ? (files.get(at(file, folder, p.path)) ?? fail(file, `${p.path} is not there`)) : p.patch,
      json: true,
    })),
  ]
  for (const { target, text, json } of patches) {
    const parsed = parseManifests(text)
    const operations = json || Array.isArray(parsed[0]) || (parsed[0] && 'op' in parsed[0])
    if (operations) {
      if (!target) fail(file, 'a JSON patch needs a target')
      const list = Array.isArray(parsed[0]) ? parsed[0] : parsed
      for (const i of items.filter((x) => fits(x, target))) i.object = jsonPatch(i.object, list)
      continue
    }
    for (const patch of parsed) {
      const found = items.filter((i) =>
        target
          ? fits(i, target)
          : i.object.kind === patch.kind && groupOf(i.object) === groupOf(patch) && i.original.name === patch.metadata?.name,
      )
      if (!found.length && !target) fail(file, `the patch for ${patch.kind} ${patch.metadata?.name} fits nothing`)
      for (const i of found) {
        if (patch.$patch === 'delete') {
          items.splice(items.indexOf(i), 1)
          continue
        }
        i.object = merged(i.object, target ? { ...patch, metadata: { ...patch.metadata, name: i.object.metadata.name } } : patch)
      }
    }
  }
}

function merged(object: Json, patch: Json): Json {
  const kind = kindByName(groupOf(object), object.kind)
  const { apiVersion: _, kind: __, ...rest } = patch
  const { name: ___, ...metadata } = rest.metadata ?? {}
  const own = { ...rest, ...(Object.keys(metadata).length ? { metadata } : { metadata: {} }) }
  return kind ? strategicPatch(schemaOf(kind.type), object, own) : mergePatch(object, own)
}

// --- what is done to all ---

/** Kinds without a namespace, among those that a table cannot know: by their usual names. */
const clusterScoped =
  /^(Namespace|Node|PersistentVolume|ClusterRole|ClusterRoleBinding|CustomResourceDefinition|StorageClass|IngressClass|PriorityClass|RuntimeClass|APIService|CSIDriver|CSINode|VolumeAttachment|CertificateSigningRequest|FlowSchema|PriorityLevelConfiguration|(Mutating|Validating)(WebhookConfiguration|AdmissionPolicy|AdmissionPolicyBinding))$/
export const isNamespaced = (o: Json): boolean => kindByName(groupOf(o), o.kind)?.namespaced ?? !clusterScoped.test(o.kind)

const podSpecOf = (o: Json): Json =>
  o.kind === 'Pod' ? o.spec : o.kind === 'CronJob' ? o.spec?.jobTemplate?.spec?.template?.spec : o.spec?.template?.spec
const templateOf = (o: Json): Json => (o.kind === 'CronJob' ? o.spec?.jobTemplate?.spec?.template : o.spec?.template)

function transform(k: Json, items: Item[]): void {
  for (const i of items) {
    const o = i.object
    if (k.namespace && isNamespaced(o)) o.metadata.namespace = k.namespace
    if (k.namespace && o.kind === 'Namespace') {
      o.metadata.name = k.namespace
      i.original.name = k.namespace
    }
    if (k.namespace && /RoleBinding$/.test(o.kind))
      for (const s of o.subjects ?? [])
        if (
          s.kind === 'ServiceAccount' &&
          (s.name === 'default' || items.some((x) => x.object.kind === 'ServiceAccount' && x.original.name === s.name))
        )
          s.namespace = k.namespace
    if ((k.namePrefix || k.nameSuffix) && !/^(Namespace|CustomResourceDefinition|APIService)$/.test(o.kind))
      o.metadata.name = `${k.namePrefix ?? ''}${o.metadata.name}${k.nameSuffix ?? ''}`
    if (k.commonLabels) label(o, k.commonLabels, true, true)
    for (const l of k.labels ?? []) label(o, l.pairs ?? {}, !!l.includeSelectors, !!l.includeSelectors || !!l.includeTemplates)
    if (k.commonAnnotations) {
      o.metadata.annotations = { ...o.metadata.annotations, ...k.commonAnnotations }
      const t = templateOf(o)
      if (t) t.metadata = { ...t.metadata, annotations: { ...t.metadata?.annotations, ...k.commonAnnotations } }
    }
    setImages(o, k.images ?? [])
    for (const r of k.replicas ?? [])
      if (i.original.name === r.name && o.spec && /^(Deployment|StatefulSet|ReplicaSet|ReplicationController)$/.test(o.kind))
        o.spec.replicas = r.count
  }
}

function label(o: Json, pairs: Record<string, string>, selectors: boolean, templates: boolean): void {
  o.metadata.labels = { ...o.metadata.labels, ...pairs }
  const t = templateOf(o)
  if (t && templates) t.metadata = { ...t.metadata, labels: { ...t.metadata?.labels, ...pairs } }
  if (!selectors) return
  if (o.kind === 'Service' || o.kind === 'ReplicationController') {
    if (o.spec?.selector) o.spec.selector = { ...o.spec.selector, ...pairs }
  } else if (/^(Deployment|ReplicaSet|DaemonSet|StatefulSet)$/.test(o.kind))
    o.spec.selector = { ...o.spec.selector, matchLabels: { ...o.spec.selector?.matchLabels, ...pairs } }
}

/** Gives containers other images: `images` has name, newName, newTag, digest. */
export function setImages(o: Json, images: { name: string; newName?: string; newTag?: string; digest?: string }[]): void {
  const spec = podSpecOf(o)
  if (!spec || !images.length) return
  for (const c of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const [, name, tag, digest] = /^(.+?)(:[^:/@]+)?(@.+)?$/.exec(c.image ?? '') ?? []
    const wanted = images.find((i) => i.name === name)
    if (!wanted) continue
    const rest = wanted.digest ? `@${wanted.digest}` : wanted.newTag !== undefined ? `:${wanted.newTag}` : `${tag ?? ''}${digest ?? ''}`
    c.image = `${wanted.newName ?? name}${rest}`
  }
}

/** Follows renamed objects in everything that refers to them. */
function renameReferences(items: Item[]): void {
  for (const i of items)
    for (const r of references(i.object)) {
      const namespace = r.namespace ?? i.original.namespace
      const found = items.find(
        (x) =>
          x.object.kind === r.kind &&
          x.original.name === r.name &&
          (!namespace || !x.original.namespace || namespace === x.original.namespace),
      )
      if (found && found.object.metadata.name !== r.name) (r as Reference).set(found.object.metadata.name)
    }
}
