// What the embedded engine does by itself: transactions of two inserts with a flush each, one at a time and sixteen together.
import path from 'node:path'
import { openEmbedded } from '../../api/platform/node/embedded-database.ts'
import { migrations } from '../../migrations/bundle.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { throughput } from './client.ts'

export async function measureDatabase(seconds: number): Promise<Record<string, number>> {
  const folder = temporaryFolder('bench')
  const db = openEmbedded(path.join(folder.path, 'raw.db'))
  await db.migrate(migrations)
  const body = 'x'.repeat(1500)
  let n = 0
  const write = () => {
    const name = `r-${n++}`
    return db.write([
      {
        sql: 'INSERT INTO log(resource, ns, name, uid, verb, prev, labels, fields, at, by, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        args: ['raw', '', name, name, 'create', null, '{}', '{}', 0, '{}', body],
      },
      { sql: 'INSERT INTO objects(resource, ns, name, rv) VALUES (?, ?, ?, last_insert_rowid())', args: ['raw', '', name] },
    ])
  }
  const out = {
    'raw libSQL transactions/s, 1 writer': await throughput(1, seconds * 500, write),
    'raw libSQL transactions/s, 16 writers': await throughput(16, seconds * 500, write),
  }
  await db.close()
  folder.remove()
  return out
}
