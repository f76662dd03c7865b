// Signing requests are forgotten when nobody can want them any more: an hour after they were decided, a day after nobody did.
import { condition } from '../../shared/meta/conditions.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import type { Controller } from '../engine/types.ts'
import { ownWakes } from './owned.ts'

const REQUESTS = 'certificatesigningrequests.certificates.k8s.io'
const HOUR = 3600_000

function dueAt(o: KObject): number {
  const decided = ['Approved', 'Denied', 'Failed'].flatMap((t) => condition(o, t)?.lastUpdateTime ?? [])
  return decided.length
    ? Math.max(...decided.map((t: string) => Date.parse(t) || 0)) + HOUR
    : Date.parse(o.metadata.creationTimestamp) + 24 * HOUR
}

export const certificateCleaner: Controller<KObject> = {
  name: 'certificatesigningrequest-cleaner',
  all: (r) => r.list(REQUESTS).map(keyOf),
  wakes: { [REQUESTS]: ownWakes },
  view: (key, reader) => reader.get(REQUESTS, '', key),
  reconcile: (_key, object, now) => {
    const at = dueAt(object)
    return at > now ? { writes: [], requeueAt: at } : { writes: [{ verb: 'delete', resource: REQUESTS, object }] }
  },
}
