// ResourceQuota: counts what a namespace uses. Creating adds to the count by itself (admission); what goes, ends or shrinks is counted down here.
import type { Amounts } from '../../shared/kinds/pod-resources.ts'
import { countedResources, inScope, usageOf, usageTexts } from '../../shared/kinds/quota-usage.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import { type Change, type Controller, type Reader, splitKey } from '../engine/types.ts'

interface View {
  quota: KObject
  objects: { resource: string; object: KObject }[]
}

const RESOURCE = 'resourcequotas'

const quotasOf = (reader: Reader, ns: string | undefined): string[] => reader.list(RESOURCE, ns).map(keyOf)

/** A change wakes the quotas of its namespace unless admission has counted it already. */
function wake({ resource, old, new: now }: Change, reader: Reader): string[] {
  const ns = (now ?? old)!.metadata.namespace
  if (!old || !ns) return []
  const at = 0
  return now && equal(usageOf(resource, old, at), usageOf(resource, now, at)) ? [] : quotasOf(reader, ns)
}

function reconcile(_key: string, { quota, objects }: View, now: number) {
  const hard: Record<string, string> = quota.spec?.hard ?? {}
  const used: Amounts = {}
  let next: number | undefined
  for (const { resource, object } of objects) {
    if (!inScope(quota, resource, object)) continue
    for (const [k, v] of Object.entries(usageOf(resource, object, now))) used[k] = (used[k] ?? 0) + v
    // A pod that does not go in time stops counting then.
    const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata
    if (resource !== 'pods' || !deletionTimestamp) continue
    const ends = Date.parse(deletionTimestamp) + (deletionGracePeriodSeconds ?? 0) * 1000 + 1000
    if (ends > now) next = Math.min(next ?? ends, ends)
  }
  const status = { hard, used: usageTexts(Object.keys(hard), used) }
  const same = equal(status, { hard: quota.status?.hard ?? {}, used: quota.status?.used ?? {} }) && quota.status
  return {
    writes: same ? [] : [{ verb: 'update' as const, resource: RESOURCE, object: { ...quota, status }, part: 'status' as const }],
    ...(next === undefined ? {} : { requeueAt: next }),
  }
}

export const resourceQuotaController: Controller<View> = {
  name: 'resource-quota-controller',
  all: (r) => r.list(RESOURCE).map(keyOf),
  wakes: {
    '*': wake,
    [RESOURCE]: ({ old, new: now }, reader) => (now ? [keyOf(now)] : quotasOf(reader, old!.metadata.namespace)),
  },
  view: (key, reader) => {
    const quota = reader.get(RESOURCE, ...splitKey(key))
    if (!quota || quota.metadata.deletionTimestamp) return undefined
    const ns = quota.metadata.namespace
    return {
      quota,
      objects: countedResources(quota).flatMap((resource) => reader.list(resource, ns).map((object) => ({ resource, object }))),
    }
  },
  reconcile,
}
