// kedge apply: client-side with the last applied configuration, server-side, and pruning; and apply view-last-applied, set-last-applied.

import { json } from '../../shared/print/json.ts'
import { err, Failure, Failures, type Kube, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import { annotated, LAST_APPLIED, lastApplied, threeWay } from '../kube/last-applied.ts'
import { fileFlags, listAll, locals, namespaceFor, remotes } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { pathOf, qualified, type Resource } from '../kube/resources.ts'
import { dryRunOf, dryRunSuffix, Teller, validateFlag, writeFlags, writeQuery } from '../kube/write.ts'
import { yaml } from '../print/yaml.ts'

const absent = (cause: { code?: number }) => {
  if (cause.code !== 404) throw cause
  return undefined
}

interface Applied {
  resource: Resource
  namespace: string | undefined
  object: any
}

async function applyServerSide(k: Kube, at: string, object: any): Promise<any> {
  const query = writeQuery(k, { fieldManager: k.f['field-manager'] || 'kubectl', force: String(!!k.f['force-conflicts']) })
  try {
    return await k.client.patch(at + query, object, 'application/apply-patch+yaml')
  } catch (cause) {
    const status = (cause as any).status
    if (status?.reason !== 'Conflict') throw cause
    throw new Failure(`Apply failed with ${status.details?.causes?.length ?? 1} conflict${(status.details?.causes?.length ?? 1) > 1 ? 's' : ''}: ${conflicts(status)}
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`)
  }
}

/** `conflict with "x": .data.a`, or a list by manager. */
function conflicts(status: any): string {
  const m = /^Apply failed with \d+ conflicts?: ([\s\S]*)$/.exec(status.message ?? '')
  return m ? m[1]! : status.message
}

async function applyOne(k: Kube, teller: Teller, object: any): Promise<Applied> {
  const resource = await k.resources.ofKind(object.apiVersion, object.kind)
  const namespace = namespaceFor(k, resource, object)
  if (!object.metadata?.name)
    throw new Failure(
      object.metadata?.generateName
        ? `from ${object.metadata.generateName}: cannot use generate name with apply`
        : 'resource name may not be empty',
    )
  const whole = namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object
  const at = pathOf(resource, namespace, object.metadata.name)
  const dryRun = dryRunOf(k)
  if (k.f['server-side']) {
    const done = await applyServerSide(k, at, whole)
    teller.tell(resource, done, 'serverside-applied')
    return { resource, namespace, object: done }
  }
  const modified = annotated(whole)
  const live = await k.client.get(at).catch(absent)
  if (!live) {
    const made =
      dryRun === 'client'
        ? modified
        : await k.client.json(
            pathOf(resource, namespace) + writeQuery(k, { fieldManager: k.f['field-manager'] || 'kubectl-client-side-apply' }),
            { method: 'POST', body: modified },
          )
    teller.tell(resource, made, 'created')
    return { resource, namespace, object: made }
  }
  if (!live.metadata.annotations?.[LAST_APPLIED] && dryRun === 'none')
    err(
      `Warning: resource ${resource.plural}/${object.metadata.name} is missing the ${LAST_APPLIED} annotation which is required by kedge apply. kedge apply should only be used on resources created declaratively by either kedge create --save-config or kedge apply. The missing annotation will be patched automatically.\n`,
    )
  const { patch, contentType, changes } = threeWay(live, modified)
  // Without the server's word on it, kubectl says the same whatever it would change.
  if (!changes && dryRun !== 'client') {
    teller.tell(resource, live, 'unchanged')
    return { resource, namespace, object: live }
  }
  const done =
    dryRun === 'client'
      ? live
      : await k.client.patch(at + writeQuery(k, { fieldManager: k.f['field-manager'] || 'kubectl-client-side-apply' }), patch, contentType)
  const moved = done.metadata.resourceVersion !== live.metadata.resourceVersion || dryRun !== 'none'
  teller.tell(resource, done, moved ? 'configured' : 'unchanged')
  return { resource, namespace, object: done }
}

/** What may be pruned where no list is given, in the order of kubectl. */
const prunable = [
  'ConfigMap',
  'Endpoints',
  'Namespace',
  'PersistentVolumeClaim',
  'PersistentVolume',
  'Pod',
  'ReplicationController',
  'Secret',
  'Service',
  'Job',
  'CronJob',
  'Ingress',
  'DaemonSet',
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
]

/** Deletes what was applied once, fits the selector, and is not among what was applied now. */
async function prune(k: Kube, applied: Applied[]): Promise<void> {
  const uids = new Set(applied.map((a) => a.object.metadata.uid))
  const namespaces = new Set(applied.flatMap((a) => (a.namespace ? [a.namespace] : [])))
  const given: string[] = k.f['prune-allowlist']
  const all = (await (given.length ? k.resources.all() : k.resources.preferred())).filter(
    (r) => r.verbs.includes('list') && r.verbs.includes('delete'),
  )
  const list = given.length
    ? given.map((g) => {
        const [group, version, kind] = g.split('/')
        const found = all.find((r) => r.kind === kind && r.version === version && r.group === (group === 'core' ? '' : group))
        if (!found) throw new Failure(`invalid GroupVersionKind format: ${g}, please follow <group/version/kind>`)
        return found
      })
    : prunable.flatMap((kind) => all.filter((r) => r.kind === kind && ['', 'apps', 'batch', 'networking.k8s.io'].includes(r.group)))
  for (const resource of list)
    for (const namespace of resource.namespaced ? namespaces : [undefined]) {
      if (!resource.namespaced && !given.length && resource.kind !== 'PersistentVolume') continue
      for (const o of await listAll(k, resource, namespace)) {
        if (!o.metadata.annotations?.[LAST_APPLIED] || uids.has(o.metadata.uid)) continue
        if (dryRunOf(k) !== 'client')
          await k.client.delete(`${pathOf(resource, namespace, o.metadata.name)}${dryRunOf(k) === 'server' ? '?dryRun=All' : ''}`, {
            propagationPolicy: 'Background',
          })
        out(`${qualified(resource)}/${o.metadata.name} pruned${dryRunSuffix(k)}\n`)
      }
    }
}

const main = kubeCommand(
  {
    name: 'apply',
    usage: '(-f FILENAME | -k DIRECTORY) [options]',
    about: 'Apply a configuration to a resource by file name or stdin.',
    flags: {
      ...fileFlags,
      ...printFlags,
      ...writeFlags,
      ...validateFlag,
      all: { type: 'bool', about: 'Select all resources in the namespace of the specified resource types.' },
      cascade: { type: 'string', default: 'background', alone: 'background', about: 'Must be "background", "orphan", or "foreground".' },
      force: { type: 'bool', about: 'If true, immediately remove resources from API and bypass graceful deletion.' },
      'force-conflicts': { type: 'bool', about: 'If true, server-side apply will force the changes against conflicts.' },
      'grace-period': { type: 'int', default: -1, about: 'Period of time in seconds given to the resource to terminate gracefully.' },
      'openapi-patch': {
        type: 'bool',
        default: true,
        about: 'If true, use openapi to calculate diff when the openapi presents and the resource can be found in the openapi spec.',
      },
      overwrite: {
        type: 'bool',
        default: true,
        about:
          'Automatically resolve conflicts between the modified and live configuration by using values from the modified configuration',
      },
      prune: {
        type: 'bool',
        about:
          'Automatically delete resource objects, that do not appear in the configs and are created by either apply or create --save-config.',
      },
      'prune-allowlist': { type: 'array', about: 'Overwrite the default allowlist with <group/version/kind> for --prune' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      'server-side': { type: 'bool', about: 'If true, apply runs in the server instead of the client.' },
      timeout: { type: 'duration', default: '0s', about: 'The length of time to wait before giving up on a delete.' },
      wait: { type: 'bool', about: 'If true, wait for resources to be gone before returning.' },
    },
    examples: `
  # Apply the configuration in pod.json to a pod
  kedge apply -f ./pod.json

  # Apply resources from a directory containing kustomization.yaml - e.g. dir/kustomization.yaml
  kedge apply -k dir/

  # Apply the JSON passed into stdin to a pod
  cat pod.json | kedge apply -f -`,
  },
  async (k) => {
    const { f } = k
    if (k.args.length) throw new Failure(`Unexpected args: [${k.args.join(' ')}]\nSee 'kedge apply -h' for help and examples`)
    if (!f.filename.length && !f.kustomize) throw new Failure('must specify one of -f and -k')
    if (f['force-conflicts'] && !f['server-side']) throw new Failure('--force-conflicts only works with --server-side')
    if (f['server-side'] && f['dry-run'] === 'client')
      throw new Failure("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
    if (f.prune && !f.all && !f.selector)
      throw new Failure(
        'all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune all resources, specify a label selector',
      )
    const objects = (await locals(f)).filter(({ object }) => selects(f.selector, object.metadata?.labels))
    if (!objects.length) throw new Failure('no objects passed to apply')
    const teller = new Teller(k)
    const applied: Applied[] = []
    const faults: unknown[] = []
    for (const { object, source } of objects)
      try {
        applied.push(await applyOne(k, teller, object))
      } catch (cause) {
        faults.push(located(cause, source, object))
      }
    if (f.prune && !faults.length) await prune(k, applied)
    if (faults.length) throw new Failures(faults)
    return 0
  },
)

/** Where a kind was named that the server does not have. */
export function located(cause: unknown, source: string, object: any): unknown {
  const e = cause as { name?: string; message?: string; kind?: string; apiVersion?: string }
  if (e.kind && e.apiVersion && /^no matches for kind/.test(e.message ?? ''))
    return new Error(
      `error: resource mapping not found for name: ${JSON.stringify(object.metadata?.name ?? '')} namespace: ${JSON.stringify(object.metadata?.namespace ?? '')} from ${JSON.stringify(source)}: ${e.message}\nensure CRDs are installed first`,
    )
  return cause
}

/** Equality selectors, for manifests that are not on a server. */
export function selects(selector: string, labels: Record<string, string> = {}): boolean {
  return (selector ?? '')
    .split(',')
    .filter(Boolean)
    .every((term) => {
      const m = /^([^=!]+?)(!=|==|=)(.*)$/.exec(term.trim())
      if (!m) return term.startsWith('!') ? !(term.slice(1) in labels) : term.trim() in labels
      return m[2] === '!=' ? labels[m[1]!] !== m[3] : labels[m[1]!] === m[3]
    })
}

const viewLast = kubeCommand(
  {
    name: 'apply view-last-applied',
    usage: '(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME) [options]',
    about: 'View the latest last-applied-configuration annotations by type/name or file.',
    flags: {
      ...fileFlags,
      all: { type: 'bool', about: 'Select all resources.' },
      output: { type: 'string', short: 'o', default: 'yaml', about: 'Output format. Must be one of (yaml, json)' },
      selector: { type: 'string', short: 'l', about: 'Selector.' },
    },
  },
  async (k) => {
    for (const { object } of await remotes(k)) {
      const last = lastApplied(object)
      if (!last) throw new Failure(`no last-applied-configuration annotation found on resource: ${object.metadata.name}`)
      out(k.f.output === 'json' ? json(last).replaceAll('    ', '  ') : yaml(last))
    }
    return 0
  },
)

const setLast = kubeCommand(
  {
    name: 'apply set-last-applied',
    usage: '-f FILENAME [options]',
    about: 'Set the latest last-applied-configuration annotations by setting it to match the contents of a file.',
    flags: {
      ...fileFlags,
      ...writeFlags,
      ...printFlags,
      'create-annotation': {
        type: 'bool',
        about: "Will create 'last-applied-configuration' annotations if current objects doesn't have one",
      },
    },
  },
  async (k) => {
    const teller = new Teller(k)
    for (const { object } of await locals(k.f)) {
      const resource = await k.resources.ofKind(object.apiVersion, object.kind)
      const namespace = namespaceFor(k, resource, object)
      const at = pathOf(resource, namespace, object.metadata.name)
      const live = await k.client.get(at)
      if (!live.metadata.annotations?.[LAST_APPLIED] && !k.f['create-annotation'])
        throw new Failure(
          `no last-applied-configuration annotation found on resource: ${object.metadata.name}, to create the annotation, run the command with --create-annotation`,
        )
      const text = annotated(namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object).metadata.annotations[
        LAST_APPLIED
      ]
      const done =
        dryRunOf(k) === 'client' ? live : await k.client.patch(at + writeQuery(k), { metadata: { annotations: { [LAST_APPLIED]: text } } })
      teller.tell(resource, done, 'configured')
    }
    return 0
  },
)

const group = kubeGroup('apply', 'Apply a configuration to a resource by file name or stdin.', {
  'view-last-applied': viewLast,
  'set-last-applied': setLast,
})
export const run = (argv: string[]): Promise<number> =>
  argv.some((a) => a === 'view-last-applied' || a === 'set-last-applied') ? group(argv) : main(argv)
