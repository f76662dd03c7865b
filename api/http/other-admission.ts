// Webhooks and policies have a say in what is asked of objects beside writing them, too.
import type { KObject } from '../../shared/meta/object.ts'
import { admitOther, type Request } from '../admission/index.ts'
import { isTrue } from './request.ts'
import type { Asked } from './resource.ts'

const LISTS = new Set(['command', 'ports'])
const TRUTHS = new Set(['stdin', 'stdout', 'stderr', 'tty'])

/** Options that a query carries, as the object that it stands for. */
function optionsOf(query: URLSearchParams): object {
  const names = [...new Set(query.keys())]
  const value = (name: string): unknown => {
    if (LISTS.has(name)) return name === 'ports' ? query.getAll(name).flatMap((p) => p.split(',').map(Number)) : query.getAll(name)
    return TRUTHS.has(name) ? isTrue(query.get(name)) : query.get(name)
  }
  return Object.fromEntries(names.map((n) => [n, value(n)]))
}

/** Asks about a subresource of the object at the request's path. Throws the StatusError of whoever refuses. */
export async function admitted(
  a: Asked,
  operation: 'CONNECT' | 'CREATE',
  apiVersion: string,
  kind: string,
  asked?: object,
  dryRun = false,
): Promise<void> {
  const { r, cluster, ctx } = a
  await admitOther(
    {
      env: cluster.env,
      kind: r.kind,
      object: { metadata: { name: r.name!, ...(r.namespace ? { namespace: r.namespace } : {}) } } as KObject,
      part: r.subresource as Request['part'],
      asked: { ...(asked ?? optionsOf(a.query)), kind, apiVersion },
      options: { dryRun, fieldManager: '', fieldValidation: 'Ignore' },
      ctx,
    },
    operation,
  )
}
