// Addresses and node ports of services against the rows that hold them: rows of nobody go, missing ones come back, and two services that share one are told
// of. Writes keep both in step; an archive or a hand in the database may not have.
import type { KObject } from '../../shared/meta/object.ts'
import type { Statement } from '../ports/database.ts'
import type { Store } from '../store/store.ts'
import type { Write } from './types.ts'

const MANY = 500

const heldBy = ({ spec }: KObject): [kind: 'ip' | 'port', value: string][] => [
  ...(spec.clusterIPs ?? [spec.clusterIP]).flatMap((ip: string | undefined) => (ip && ip !== 'None' ? [['ip', ip] as ['ip', string]] : [])),
  ...[...(spec.ports ?? []).map((p: any) => p.nodePort), spec.healthCheckNodePort].flatMap((port) =>
    port ? [['port', String(port)] as ['port', string]] : [],
  ),
]

/** Events about services that have what another has. */
export async function repairAllocations(store: Store, services: readonly KObject[]): Promise<Write[]> {
  const [rows] = await store.database.read([{ sql: "SELECT kind, value, owner FROM allocations WHERE kind IN ('ip', 'port')", args: [] }])
  const held = new Map((rows ?? []).map(([kind, value, owner]) => [`${kind} ${value}`, owner as string]))
  const alive = new Set(services.map((s) => s.metadata.uid))
  const statements: Statement[] = [
    {
      sql: "DELETE FROM allocations WHERE kind IN ('ip', 'port') AND owner NOT IN (SELECT l.uid FROM objects o JOIN log l ON l.rv = o.rv)",
      args: [],
    },
  ]
  const writes: Write[] = []
  for (const s of services)
    for (const [kind, value] of heldBy(s)) {
      const owner = held.get(`${kind} ${value}`)
      if (owner === s.metadata.uid) continue
      if (owner !== undefined && alive.has(owner)) {
        const what = kind === 'ip' ? `Cluster IP ${value}` : `Port ${value}`
        writes.push({
          verb: 'event',
          about: { resource: 'services', object: s },
          type: 'Warning',
          reason: kind === 'ip' ? 'ClusterIPAlreadyAllocated' : 'PortAlreadyAllocated',
          message: `${what} was assigned to multiple services; please recreate service`,
          component: 'service-allocation-repair',
        })
        continue
      }
      held.set(`${kind} ${value}`, s.metadata.uid)
      statements.push({
        sql: 'INSERT INTO allocations(kind, value, owner) VALUES (?, ?, ?) ON CONFLICT(kind, value) DO NOTHING',
        args: [kind, value, s.metadata.uid],
      })
    }
  const stale = [...held.values()].some((owner) => !alive.has(owner))
  if (stale || statements.length > 1)
    for (let at = 0; at < statements.length; at += MANY) await store.database.write(statements.slice(at, at + MANY))
  return writes
}
