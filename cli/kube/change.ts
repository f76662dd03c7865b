// Commands that change a field of objects which are there: find them, patch them, tell.
import { Failures, type Kube } from './command.ts'
import { equal } from './last-applied.ts'
import { locals, remotes } from './objects.ts'
import { pathOf, type Resource, unasked } from './resources.ts'
import { dryRunOf, Teller, writeQuery } from './write.ts'

/** An object, changed in place; what to say, or undefined when there is nothing to do. Throws to refuse. */
export type Edit = (object: any, resource: Resource) => string | undefined | Promise<string | undefined>

/** The difference of two objects as a merge patch. */
export function mergePatchOf(before: any, after: any): any {
  const patch: Record<string, any> = {}
  for (const key of new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])) {
    const [a, b] = [before?.[key], after?.[key]]
    if (equal(a, b)) continue
    if (b === undefined) patch[key] = null
    else if (isMap(a) && isMap(b)) patch[key] = mergePatchOf(a, b)
    else patch[key] = b
  }
  return patch
}
const isMap = (v: unknown) => typeof v === 'object' && v !== null && !Array.isArray(v)

/** Changes every object that the command names. `same` is said of those that stay as they are. */
export async function changeAll(k: Kube, edit: Edit, same?: string): Promise<number> {
  const teller = new Teller(k)
  const faults: unknown[] = []
  const list = k.f.local ? await fromFiles(k) : await remotes(k)
  for (const { resource, object } of list)
    try {
      const after = structuredClone(object)
      const said = await edit(after, resource)
      if (said === undefined) {
        if (same !== undefined) teller.tell(resource, object, same)
        continue
      }
      const stay = k.f.local || dryRunOf(k) === 'client'
      const patch = mergePatchOf(object, after)
      const done =
        stay || !Object.keys(patch).length
          ? after
          : await k.client.patch(pathOf(resource, object.metadata.namespace, object.metadata.name) + writeQuery(k), patch)
      teller.tell(resource, done, said)
    } catch (cause) {
      faults.push(cause)
    }
  if (k.f['faults']) faults.push(...k.f['faults'])
  if (faults.length) throw new Failures(faults)
  return 0
}

async function fromFiles(k: Kube): Promise<{ resource: Resource; object: any }[]> {
  const out: { resource: Resource; object: any }[] = []
  for (const { object } of await locals(k.f)) {
    out.push({ object, resource: unasked(object) })
  }
  return out
}

/** The pod template of a workload, or a pod itself; undefined where there is none. */
export const podSpecOf = (o: any): any =>
  o.kind === 'Pod' ? o.spec : o.kind === 'CronJob' ? o.spec?.jobTemplate?.spec?.template?.spec : o.spec?.template?.spec
