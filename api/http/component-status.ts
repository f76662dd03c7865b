// How the parts of the control plane are: one process or one object is all of them, and it answers as long as its database does.
import type { KObject } from '../../shared/meta/object.ts'
import { answerMade } from './made.ts'
import type { Asked } from './resource.ts'

const NAMES = ['controller-manager', 'scheduler', 'etcd-0']

export async function componentStatuses(a: Asked): Promise<Response> {
  const fault = await a.cluster.store.head().then(
    () => undefined,
    (cause: Error) => cause.message,
  )
  const condition = fault === undefined ? { status: 'True', message: 'ok' } : { status: 'False', error: fault }
  const of = (name: string) => ({ metadata: { name } as KObject['metadata'], conditions: [{ type: 'Healthy', ...condition }] }) as KObject
  return answerMade(a, NAMES.map(of))
}
