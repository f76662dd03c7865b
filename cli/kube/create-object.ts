// Creating an object that a command made of flags or read from a file: dry runs, saved configuration, and what is said of it.
import type { Kube } from './command.ts'
import type { Flags } from './flags.ts'
import { annotated } from './last-applied.ts'
import { namespaceFor } from './objects.ts'
import { printFlags } from './printers.ts'
import { pathOf, unasked } from './resources.ts'
import { dryRunOf, Teller, validateFlag, writeFlags, writeQuery } from './write.ts'

export const generatorFlags: Flags = {
  ...printFlags,
  ...writeFlags,
  ...validateFlag,
  'save-config': { type: 'bool', about: 'If true, the configuration of current object will be saved in its annotation.' },
}

/** Creates one object, unless it is a dry run of the client's own; says so. */
export async function createObject(k: Kube, object: any, teller = new Teller(k)): Promise<void> {
  const dryRun = dryRunOf(k)
  const wanted = k.given.has('namespace') ? { ...object, metadata: { ...object.metadata } } : object
  if (dryRun === 'client' && k.f.output) {
    const namespaced = !/^(Namespace|ClusterRole|ClusterRoleBinding|PriorityClass|Node)$/.test(object.kind)
    if (namespaced && k.given.has('namespace')) wanted.metadata.namespace = k.namespace
    const shown = k.f['save-config'] ? annotated(wanted) : wanted
    teller.tell(await k.resources.ofKind(object.apiVersion, object.kind).catch(() => unasked(object, namespaced)), shown, 'created')
    return
  }
  const resource = await k.resources.ofKind(object.apiVersion, object.kind)
  const namespace = namespaceFor(k, resource, object)
  const whole = namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object
  const body = k.f['save-config'] ? annotated(whole) : whole
  const done =
    dryRun === 'client'
      ? body
      : await k.client.json(pathOf(resource, namespace) + writeQuery(k, { fieldManager: k.f['field-manager'] || 'kubectl-create' }), {
          method: 'POST',
          body,
        })
  teller.tell(resource, done, 'created')
}
