// Whether the servers that registered themselves answer: asked when something of theirs changes, and now and then.
import { API_SERVICES } from '../../shared/kinds/api-service.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controller } from '../engine/types.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const AGAIN = 5 * 60_000
const AGAIN_WHILE_AWAY = 60_000

const isForeign = (o: KObject) => !!o.spec.service
const answers = (o: KObject) => o.status?.conditions?.some((c: any) => c.type === 'Available' && c.status === 'True')

export const apiServiceAvailability: Controller<KObject> = {
  name: 'api-service-availability',
  all: (r) =>
    r
      .list(API_SERVICES)
      .filter(isForeign)
      .map((o) => o.metadata.name),
  wakes: {
    [API_SERVICES]: ({ old, new: now }) =>
      now && isForeign(now) && (!old || JSON.stringify(old.spec) !== JSON.stringify(now.spec)) ? [now.metadata.name] : [],
    'endpointslices.discovery.k8s.io': ({ old, new: now }, reader) => {
      const { labels, namespace } = (now ?? old)!.metadata
      const of = (s: any) => s?.name === labels?.[SERVICE_NAME] && s?.namespace === namespace
      return reader
        .list(API_SERVICES)
        .filter((o) => of(o.spec.service))
        .map((o) => o.metadata.name)
    },
  },
  view: (key, reader) => {
    const o = reader.get(API_SERVICES, '', key)
    return o && isForeign(o) ? o : undefined
  },
  reconcile: (_key, object, now) => ({
    writes: [{ verb: 'task', task: 'check-api-service', object }],
    requeueAt: now + (answers(object) ? AGAIN : AGAIN_WHILE_AWAY),
  }),
}
