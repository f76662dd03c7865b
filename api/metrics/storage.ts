// What the store holds.
import type { Family } from '../../shared/exposition.ts'
import type { Store } from '../store/store.ts'

export async function storageFamilies(store: Store): Promise<Family[]> {
  const [counts] = await store.database.read([{ sql: 'SELECT resource, count(*) FROM objects GROUP BY resource', args: [] }])
  const { rv, floor } = await store.head()
  return [
    {
      name: 'apiserver_storage_objects',
      help: '[STABLE] Number of stored objects at the time of last check split by kind.',
      type: 'gauge',
      samples: counts!.map(([resource, n]) => ({ labels: { resource: resource as string }, value: n as number })),
    },
    { name: 'kedge_store_version', help: 'The newest version of anything.', type: 'gauge', samples: [{ value: rv }] },
    { name: 'kedge_store_floor', help: 'The version before which history is forgotten.', type: 'gauge', samples: [{ value: floor }] },
  ]
}
