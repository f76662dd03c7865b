// kedge delete: by files, names or selectors; waits until they are gone.
import { err, Failure, Failures, type Kube, kubeCommand, out } from '../kube/command.ts'
import { fileFlags, listAll, locals, NOTHING, type Target, wanted } from '../kube/objects.ts'
import { pathOf, qualified } from '../kube/resources.ts'
import { dryRunOf, dryRunSuffix } from '../kube/write.ts'

/** Waits until an object with this uid is not there any more. Throws when the time is up. */
export async function gone(k: Kube, t: Target & { uid: string }, timeout: number): Promise<void> {
  const at = pathOf(t.resource, t.namespace, t.name)
  const end = timeout > 0 ? Date.now() + timeout : Number.POSITIVE_INFINITY
  for (;;) {
    const now = await k.client.get(at).catch((cause) => {
      if (cause.code === 404) return undefined
      throw cause
    })
    if (!now || now.metadata.uid !== t.uid) return
    const left = end - Date.now()
    if (left <= 0) throw new Failure(`timed out waiting for the condition on ${t.resource.plural}/${t.name}`)
    // Its end comes as an event; a watch that the server ends is begun again.
    const abort = new Promise<void>((r) => setTimeout(r, Math.min(left, 30_000)).unref())
    const events = k.client.watch(
      `${pathOf(t.resource, t.namespace)}?watch=true&resourceVersion=${now.metadata.resourceVersion}&fieldSelector=${encodeURIComponent(`metadata.name=${t.name}`)}`,
    )
    const seen = (async () => {
      for await (const e of events) if (e.type === 'DELETED') return
    })().catch(() => {})
    await Promise.race([seen, abort])
    await Promise.race([events.return(undefined), new Promise((r) => setTimeout(r, 50).unref())])
  }
}

export const run = kubeCommand(
  {
    name: 'delete',
    usage: '([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)]) [options]',
    about: 'Delete resources by file names, stdin, resources and names, or by resources and label selector.',
    flags: {
      ...fileFlags,
      all: { type: 'bool', about: 'Delete all resources, in the namespace of the specified resource types.' },
      'all-namespaces': { type: 'bool', short: 'A', about: 'If present, list the requested object(s) across all namespaces.' },
      cascade: { type: 'string', default: 'background', alone: 'background', about: 'Must be "background", "orphan", or "foreground".' },
      'dry-run': { type: 'string', default: 'none', alone: 'unchanged', about: 'Must be "none", "server", or "client".' },
      'field-selector': { type: 'string', about: 'Selector (field query) to filter on.' },
      force: { type: 'bool', about: 'If true, immediately remove resources from API and bypass graceful deletion.' },
      'grace-period': { type: 'int', default: -1, about: 'Period of time in seconds given to the resource to terminate gracefully.' },
      'ignore-not-found': { type: 'bool', about: 'Treat "resource not found" as a successful delete.' },
      interactive: { type: 'bool', short: 'i', about: 'If true, delete resource only when user confirms.' },
      now: { type: 'bool', about: 'If true, resources are signaled for immediate shutdown (same as --grace-period=1).' },
      output: { type: 'string', short: 'o', about: 'Output mode. Use "-o name" for shorter output (resource/name).' },
      raw: { type: 'string', about: 'Raw URI to DELETE to the server.' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      timeout: { type: 'duration', default: '0s', about: 'The length of time to wait before giving up on a delete.' },
      wait: { type: 'bool', default: true, about: 'If true, wait for resources to be gone before returning.' },
    },
  },
  async (k) => {
    const { f } = k
    if (f.raw) {
      out(await k.client.text(f.raw, { method: 'DELETE' }))
      return 0
    }
    if (f.output && f.output !== 'name') throw new Failure(`unexpected -o output mode: ${f.output}. We only support '-o name'`)
    if (!['background', 'orphan', 'foreground'].includes(f.cascade))
      throw new Failure(`Invalid cascade value (${f.cascade}). Must be "background", "foreground", or "orphan".`)
    if (f.now && k.given.has('grace-period')) throw new Failure('--now and --grace-period cannot be specified together')
    let grace: number = f.now ? 1 : f['grace-period']
    if (grace === 0 && !f.force) grace = 1
    if (f.force && grace < 0) grace = 0
    if (f.force && grace > 0) throw new Failure('--force and --grace-period greater than 0 cannot be specified together')
    if (f.all && f.selector) throw new Failure("setting 'all' parameter but found a non empty selector. ")
    const dryRun = dryRunOf(k)
    if (grace === 0 && f.force && dryRun === 'none')
      err(
        'Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n',
      )

    const targets: (Target & { source?: string })[] = []
    const faults: unknown[] = []
    const named = f.filename.length || f.kustomize
    if (named) {
      for (const { object, source } of await locals(f)) {
        const resource = await k.resources.ofKind(object.apiVersion, object.kind)
        targets.push({
          resource,
          name: object.metadata.name,
          namespace: resource.namespaced ? (object.metadata.namespace ?? k.namespace) : undefined,
          source,
        })
      }
    } else {
      if (!k.args.length) throw new Failure(NOTHING)
      for (const { resource, names } of await wanted(k)) {
        const namespace = resource.namespaced && !f['all-namespaces'] ? k.namespace : undefined
        if (names.length && (f.selector || f.all)) throw new Failure('name cannot be provided when a selector is specified')
        for (const name of names) targets.push({ resource, name, namespace })
        if (names.length) continue
        if (!f.selector && !f.all && !f['field-selector']) throw new Failure('resource(s) were provided, but no name was specified')
        for (const o of await listAll(k, resource, namespace))
          targets.push({ resource, name: o.metadata.name, namespace: o.metadata.namespace })
      }
    }
    if (!targets.length && !named) {
      out('No resources found\n')
      return 0
    }
    const waiting: (Target & { uid: string })[] = []
    for (const t of targets) {
      const at = pathOf(t.resource, t.namespace, t.name)
      try {
        if (t.resource.kind === 'Namespace' || !t.resource.namespaced) {
          if (k.given.has('namespace') && dryRun === 'none' && !t.resource.namespaced && (named || !f.all))
            err('Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n')
        }
        let uid: string | undefined
        if (dryRun === 'client') await k.client.get(at)
        else {
          const done = await k.client.delete(`${at}${dryRun === 'server' ? '?dryRun=All' : ''}`, {
            kind: 'DeleteOptions',
            apiVersion: 'v1',
            propagationPolicy: f.cascade[0].toUpperCase() + f.cascade.slice(1),
            ...(grace >= 0 ? { gracePeriodSeconds: grace } : {}),
          })
          uid = done.metadata?.uid ?? done.details?.uid
        }
        if (f.output === 'name') out(`${qualified(t.resource)}/${t.name}\n`)
        else
          out(
            `${qualified(t.resource)} ${JSON.stringify(t.name)} ${grace === 0 && f.force ? 'force deleted' : 'deleted'}${dryRunSuffix(k)}\n`,
          )
        if (uid) waiting.push({ ...t, uid })
      } catch (cause) {
        const e = cause as { code?: number; status?: any }
        if (t.source && e.status?.message)
          e.status = { ...e.status, message: `error when deleting ${JSON.stringify(t.source)}: ${e.status.message}` }
        if (!(f['ignore-not-found'] && e.code === 404)) faults.push(cause)
      }
    }
    if (f.wait && dryRun === 'none') for (const t of waiting) await gone(k, t, f.timeout)
    if (faults.length) throw new Failures(faults)
    return 0
  },
)
