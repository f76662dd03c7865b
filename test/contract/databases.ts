// The databases that every contract suite runs on: embedded libSQL in a file, and a real sqld over HTTP.
import path from 'node:path'
import { openEmbedded } from '../../api/platform/node/embedded-database.ts'
import { openRemote } from '../../api/platform/remote-database.ts'
import { sharingTrips } from '../../api/platform/shared-trips.ts'
import type { Database } from '../../api/ports/database.ts'
import { migrations } from '../../migrations/bundle.ts'
import { temporaryFolder, testSqld } from '../rig/sqld.ts'

export interface TestDatabase {
  database: Database
  close(): Promise<void>
}

export const databases: { name: string; open(): Promise<TestDatabase> }[] = [
  {
    name: 'embedded',
    open: async () => {
      const folder = temporaryFolder('db')
      const database = openEmbedded(path.join(folder.path, 'cluster.db'))
      await database.migrate(migrations)
      return {
        database,
        close: async () => {
          await database.close()
          folder.remove()
        },
      }
    },
  },
  {
    name: 'sqld',
    open: async () => {
      const server = await testSqld()
      const database = openRemote({ url: server.url })
      await database.migrate(migrations)
      return { database, close: () => server.close() }
    },
  },
  {
    name: 'sqld, sharing trips',
    open: async () => {
      const server = await testSqld()
      const database = sharingTrips(openRemote({ url: server.url }))
      await database.migrate(migrations)
      return { database, close: () => server.close() }
    },
  },
]

/** Those that an engine runs on. */
export const engineDatabases = databases.filter((d) => d.name !== 'sqld')

/** A database that counts its round trips. */
export function counting(database: Database): Database & { trips: number } {
  const counted = {
    trips: 0,
    read: (s: Parameters<Database['read']>[0]) => {
      counted.trips++
      return database.read(s)
    },
    write: (s: Parameters<Database['write']>[0]) => {
      counted.trips++
      return database.write(s)
    },
    migrate: database.migrate,
    close: database.close,
  }
  return counted
}
