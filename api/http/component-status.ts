// How the parts of the control plane are: one process or one object is all of them, and it answers as long as its database does.
import { componentStatus } from '../../shared/kinds/component-status.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { notFound } from '../../shared/status/index.ts'
import { partial, partialList, table } from '../registry/table.ts'
import { subjectOf } from '../registry/validate.ts'
import { json, negotiate } from './answer.ts'
import type { Asked } from './resource.ts'

const NAMES = ['controller-manager', 'scheduler', 'etcd-0']

export async function componentStatuses(a: Asked): Promise<Response> {
  const fault = await a.cluster.store.head().then(
    () => undefined,
    (cause: Error) => cause.message,
  )
  const condition = fault === undefined ? { status: 'True', message: 'ok' } : { status: 'False', error: fault }
  const of = (name: string): KObject => ({
    kind: 'ComponentStatus',
    apiVersion: 'v1',
    metadata: { name } as KObject['metadata'],
    conditions: [{ type: 'Healthy', ...condition }],
  })
  const { name } = a.r
  if (name !== undefined && !NAMES.includes(name)) throw notFound(subjectOf(componentStatus, name))
  const items = name === undefined ? NAMES.map(of) : [of(name)]
  const face = negotiate(a.request.headers.get('accept') ?? undefined)
  const answered = (value: unknown) => json(JSON.stringify(value))
  if (face === 'table') return answered(table(componentStatus, items, {}, a.cluster.clock.now(), 'Metadata'))
  if (name !== undefined) return answered(face === 'partial' ? partial(items[0]!) : items[0])
  if (face === 'partial') return answered(partialList(items, {}))
  return answered({ kind: 'ComponentStatusList', apiVersion: 'v1', metadata: {}, items })
}
