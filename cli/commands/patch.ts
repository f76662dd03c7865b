// kedge patch.
import { readFileSync } from 'node:fs'
import { parseYaml } from '../../shared/manifests/yaml.ts'
import { jsonPatch, mergePatch } from '../../shared/schema/patch.ts'
import { Failure, Failures, kubeCommand } from '../kube/command.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { pathOf } from '../kube/resources.ts'
import { dryRunOf, Teller, writeFlags, writeQuery } from '../kube/write.ts'

const types: Record<string, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}

export const run = kubeCommand(
  {
    name: 'patch',
    usage: '(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE] [options]',
    about: 'Update fields of a resource using strategic merge patch, a JSON merge patch, or a JSON patch.',
    flags: {
      ...fileFlags,
      ...printFlags,
      ...writeFlags,
      local: { type: 'bool', about: 'If true, patch will operate on the content of the file, not the server-side resource.' },
      patch: { type: 'string', short: 'p', about: 'The patch to be applied to the resource JSON file.' },
      'patch-file': { type: 'string', about: 'A file containing a patch to be applied to the resource.' },
      subresource: { type: 'string', about: 'If specified, patch will operate on the subresource of the requested object.' },
      type: { type: 'string', default: 'strategic', about: 'The type of patch being provided; one of [json merge strategic]' },
    },
  },
  async (k) => {
    const { f } = k
    const type = types[String(f.type).toLowerCase()]
    if (!type) throw new Failure(`--type must be one of [json merge strategic], not ${JSON.stringify(f.type)}`)
    if (!!f.patch === !!f['patch-file'])
      throw new Failure(
        f.patch
          ? 'cannot specify --patch and --patch-file together'
          : 'must specify --patch or --patch-file containing the contents of the patch',
      )
    const text = f.patch || readFileSync(f['patch-file'] === '-' ? 0 : f['patch-file'], 'utf8')
    let patch: any
    try {
      patch = parseYaml(text)
    } catch (cause) {
      throw new Failure(`unable to parse ${JSON.stringify(text)}: ${(cause as Error).message}`)
    }
    const teller = new Teller(k)
    const faults: unknown[] = []
    for (const { resource, object } of await remotes(k))
      try {
        const at = pathOf(resource, object.metadata.namespace, object.metadata.name, f.subresource || undefined)
        const done =
          dryRunOf(k) === 'client' || f.local
            ? f.type === 'json'
              ? jsonPatch(object, patch)
              : mergePatch(object, patch)
            : await k.client.patch(at + writeQuery(k), patch, type)
        const changed = done.metadata?.resourceVersion !== object.metadata.resourceVersion || dryRunOf(k) !== 'none'
        teller.tell(resource, done, changed ? 'patched' : 'patched (no change)')
      } catch (cause) {
        faults.push(cause)
      }
    if (k.f['faults']) faults.push(...k.f['faults'])
    if (faults.length) throw new Failures(faults)
    return 0
  },
)
