// kedge diff: what an apply would change, by diff over two folders.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Failure, kubeCommand, out } from '../kube/command.ts'
import { threeWay } from '../kube/last-applied.ts'
import { fileFlags, locals, namespaceFor } from '../kube/objects.ts'
import { apiVersionOf, pathOf } from '../kube/resources.ts'
import { yaml } from '../print/yaml.ts'
import { selects } from './apply.ts'

const clean = (o: any) => {
  if (!o) return o
  const { managedFields: _, ...metadata } = o.metadata
  return { ...o, metadata }
}
const masked = (o: any, other: any): any => {
  if (o?.kind !== 'Secret' || !o.data) return o
  return {
    ...o,
    data: Object.fromEntries(
      Object.entries(o.data).map(([k, v]) => [
        k,
        other?.data && other.data[k] !== undefined && other.data[k] !== v ? (o.metadata.uid ? '*** (before)' : '*** (after)') : '***',
      ]),
    ),
  }
}

export const run = kubeCommand(
  {
    name: 'diff',
    usage: '-f FILENAME [options]',
    about:
      'Diff configurations specified by file name or stdin between the current online configuration, and the configuration as it would be if applied.',
    flags: {
      ...fileFlags,
      concurrency: { type: 'int', default: 1, about: 'Number of objects to process in parallel when diffing against the live version.' },
      'field-manager': {
        type: 'string',
        default: 'kubectl-client-side-apply',
        about: 'Name of the manager used to track field ownership.',
      },
      'force-conflicts': { type: 'bool', about: 'If true, server-side apply will force the changes against conflicts.' },
      prune: { type: 'bool', about: 'Include resources that would be deleted by pruning.' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      'server-side': { type: 'bool', about: 'If true, apply runs in the server instead of the client.' },
      'show-managed-fields': { type: 'bool', about: 'If true, include managed fields in the diff.' },
    },
  },
  async (k) => {
    const { f } = k
    if (!f.filename.length && !f.kustomize) throw new Failure('must specify one of -f and -k')
    const live = mkdtempSync(path.join(tmpdir(), 'LIVE-'))
    const merged = mkdtempSync(path.join(tmpdir(), 'MERGED-'))
    try {
      for (const { object } of await locals(f)) {
        if (!selects(f.selector, object.metadata?.labels)) continue
        const resource = await k.resources.ofKind(object.apiVersion, object.kind)
        const namespace = namespaceFor(k, resource, object)
        const whole = namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object
        const at = pathOf(resource, namespace, object.metadata.name)
        const now = await k.client.get(at).catch((cause) => {
          if (cause.code !== 404) throw cause
          return undefined
        })
        let after: any
        if (f['server-side'])
          after = await k.client.patch(
            `${at}?dryRun=All&fieldManager=${encodeURIComponent(f['field-manager'])}&force=${!!f['force-conflicts']}`,
            whole,
            'application/apply-patch+yaml',
          )
        else if (!now) after = await k.client.json(`${pathOf(resource, namespace)}?dryRun=All`, { method: 'POST', body: whole })
        else {
          const { patch, contentType, changes } = threeWay(now, whole)
          after = changes ? await k.client.patch(`${at}?dryRun=All`, patch, contentType) : now
        }
        const name = `${apiVersionOf(resource).replace('/', '.')}.${resource.kind}.${namespace ?? ''}.${object.metadata.name}`
        const [a, b] = f['show-managed-fields'] ? [now, after] : [clean(now), clean(after)]
        mkdirSync(live, { recursive: true })
        writeFileSync(path.join(live, name), a ? yaml(masked(a, b)) : '')
        writeFileSync(path.join(merged, name), b ? yaml(masked(b, a)) : '')
      }
      const command = process.env.KUBECTL_EXTERNAL_DIFF || 'diff -u -N'
      const [file, ...args] = command.split(/\s+/) as [string, ...string[]]
      const r = spawnSync(file, [...args, live, merged], { encoding: 'utf8', maxBuffer: 64 << 20 })
      if (r.error) throw new Failure(`failed to run ${JSON.stringify(file)}: ${r.error.message}`)
      out(r.stdout)
      process.stderr.write(r.stderr)
      return r.status ?? 1
    } finally {
      for (const d of [live, merged]) rmSync(d, { recursive: true, force: true })
    }
  },
)
