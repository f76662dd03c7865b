// kedge why: what holds an object back, and what to do, in two sentences.
import type { KObject } from '../../shared/meta/object.ts'
import { subjects, why } from '../../shared/why/why.ts'
import { Failure, type Kube, kubeCommand, out } from '../kube/command.ts'
import { NOTHING, remotes, selectorFlag } from '../kube/objects.ts'
import type { Resource } from '../kube/resources.ts'

const PARTIAL = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
const PAGE = 500

const idOf = (r: Resource): string => (r.group ? `${r.plural}.${r.group}` : r.plural)

/** The objects of a resource; of Secrets their names alone. */
async function list(k: Kube, id: string, ns: string | undefined): Promise<KObject[]> {
  const resource = (await k.resources.preferred()).find((r) => idOf(r) === id)
  if (!resource) return []
  const items: KObject[] = []
  const group = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`
  const at = `${group}${resource.namespaced && ns ? `/namespaces/${encodeURIComponent(ns)}` : ''}/${resource.plural}`
  for (let next = ''; ; ) {
    const page = await k.client.get(
      `${at}?limit=${PAGE}${next ? `&continue=${encodeURIComponent(next)}` : ''}`,
      id === 'secrets' ? PARTIAL : undefined,
    )
    items.push(...page.items)
    next = page.metadata.continue ?? ''
    if (!next) return items
  }
}

export const run = kubeCommand(
  {
    name: 'why',
    usage: '(TYPE NAME | TYPE/NAME | TYPE -l label) [options]',
    about: `Say what holds something back, and what to do about it.

Knows ${Object.keys(subjects)
      .map((r) => r.split('.')[0])
      .join(', ')}.`,
    flags: {
      ...selectorFlag,
      all: { type: 'bool', default: false, about: 'All of a type in the namespace, but those that nothing holds back.' },
      'all-namespaces': { type: 'bool', short: 'A', default: false, about: 'All of a type, in all namespaces.' },
      output: { type: 'string', short: 'o', default: '', about: 'Output format. One of: (json).' },
    },
    examples: `
  # What keeps a pod from running
  kedge why pod/web-7d4b9c6f8-x2x7q

  # What is wrong with a deployment, by its newest pods
  kedge why deployment web

  # Everything in the namespace that is held back
  kedge why deployments,pods,services,pvc --all`,
  },
  async (k) => {
    if (!k.args.length) throw new Failure(NOTHING)
    if (!['', 'json'].includes(k.f.output)) throw new Failure(`unknown output format ${JSON.stringify(k.f.output)}: json is the only one`)
    if (k.f['all-namespaces']) k.f.all = true
    const read = new Map<string, Promise<KObject[]>>()
    const once = (resource: string, ns: string | undefined) => {
      const id = `${resource} ${ns ?? ''}`
      if (!read.has(id)) read.set(id, list(k, resource, ns))
      return read.get(id)!
    }
    const found = []
    for (const { resource, object } of await remotes(k)) {
      if (!subjects[idOf(resource)]) throw new Failure(`it is not known what holds back ${resource.plural}`)
      const finding = await why(idOf(resource), object, once, Date.now())
      const about = `${resource.singular}/${object.metadata.name}`
      const place = object.metadata.namespace && k.f['all-namespaces'] ? { namespace: object.metadata.namespace } : {}
      if (finding || !k.f.all) found.push({ ...place, about, ...(finding ? { why: finding.why, todo: finding.todo } : {}) })
    }
    if (k.f.output === 'json') out(`${JSON.stringify(found, null, 4)}\n`)
    else if (!found.length) out('Nothing is held back.\n')
    else
      for (const { namespace, about, why: what, todo } of found)
        out(`${namespace ? `${namespace} ` : ''}${about}: ${what ? `${what} ${todo}` : 'Nothing holds it back.'}\n`)
    return 0
  },
)
