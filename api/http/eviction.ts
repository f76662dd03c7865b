// pods/NAME/eviction: a deletion that a disruption budget may put off. The controller that counts for budgets is still to come: until then
// nothing stands in its way.
import { badRequest, StatusError } from '../../shared/status/index.ts'
import { type DeleteOptions, remove } from '../registry/delete.ts'
import { json } from './answer.ts'
import { admitted } from './other-admission.ts'
import { type Asked, body, key } from './resource.ts'

export async function evict(a: Asked): Promise<Response> {
  const raw: any = await body(a)
  if (raw?.kind && raw.kind !== 'Eviction') throw badRequest(`${raw.kind} cannot be handled as an Eviction`)
  if (raw?.metadata?.name && raw.metadata.name !== a.r.name)
    throw new StatusError(400, 'BadRequest', 'name in URL does not match name in Eviction object')
  const asked: DeleteOptions & { dryRun?: string[] } = raw?.deleteOptions ?? {}
  const dryRun = a.query.get('dryRun') === 'All' || asked.dryRun?.includes('All')
  await admitted(a, 'CREATE', 'policy/v1', 'Eviction', raw, !!dryRun)
  await remove(a.cluster.env, a.r.kind, key(a), { ...asked, dryRun: !!dryRun }, a.ctx)
  return json(JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }), 201)
}
