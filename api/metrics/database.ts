// What is asked of the database: statements, and the trips that they share.
import type { Family } from '../../shared/exposition.ts'
import type { Database } from '../ports/database.ts'

/** The same database, whose statements are counted from now on. */
export function countedDatabase(database: Database): { database: Database; families: () => Family[] } {
  const trips = { read: 0, write: 0 }
  const statements = { read: 0, write: 0 }
  const note = (kind: 'read' | 'write', n: number) => {
    trips[kind]++
    statements[kind] += n
  }
  const of = (name: string, help: string, counts: typeof trips): Family => ({
    name,
    help,
    type: 'counter',
    samples: Object.entries(counts).map(([operation, value]) => ({ labels: { operation }, value })),
  })
  return {
    database: {
      read: (asked) => {
        note('read', asked.length)
        return database.read(asked)
      },
      write: (asked) => {
        note('write', asked.length)
        return database.write(asked)
      },
      migrate: (migrations) => database.migrate(migrations),
      close: () => database.close(),
    },
    families: () => [
      of('kedge_database_requests_total', 'Batches that were read or written.', trips),
      of('kedge_database_statements_total', 'Statements in them.', statements),
    ],
  }
}
