// metrics.k8s.io: what nodes and pods use right now. Measured by the nodes and kept nowhere (api/http/usage.ts).
import type { KObject } from '../meta/object.ts'
import { type Kind, nameColumn, plainKind, text } from './kind.ts'

const METRICS = 'metrics.k8s.io'

const usageKind = (kind: string, plural: string, namespaced: boolean, usageOf: (o: KObject) => any): Kind =>
  plainKind({
    group: METRICS,
    version: 'v1beta1',
    kind,
    plural,
    singular: '',
    namespaced,
    type: `V1beta1${kind}`,
    verbs: ['get', 'list'],
    virtual: true,
    columns: [nameColumn, text('cpu', 'Cores in use.'), text('memory', 'The working set.'), text('window', 'How long was measured.')],
    cells: (o) => {
      const usage = usageOf(o)
      return [o.metadata.name, usage?.cpu ?? '', usage?.memory ?? '', o.window ?? '']
    },
  })

export const nodeMetrics = usageKind('NodeMetrics', 'nodes', false, (o) => o.usage)
export const podMetrics = usageKind('PodMetrics', 'pods', true, (o) => o.containers?.[0]?.usage)
