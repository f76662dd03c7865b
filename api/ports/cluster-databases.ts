// The port that makes, opens and drops the databases of clusters. Each platform has its own kind of place for them.
import type { Database } from './database.ts'

export interface ClusterDatabases {
  /** Makes an empty database; the text says where it is, to `open` and `drop` alone. */
  create(id: string): Promise<string>
  open(place: string): Database
  /** Deletes it with everything in it. One that is gone already is no error. */
  drop(place: string): Promise<void>
}
