// The life of a hosted cluster: made with its database and key, suspended, resumed, deleted.
import { fromBase64, toBase64 } from '../../shared/meta/base64.ts'
import { dnsLabel } from '../../shared/meta/names.ts'
import { StatusError } from '../../shared/status/index.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { ClusterDatabases } from '../ports/cluster-databases.ts'
import type { Database } from '../ports/database.ts'
import type { Log } from '../ports/log.ts'
import { BadArchive, keyOfArchive, restore } from '../store/archive.ts'
import type { Seal } from '../store/seal.ts'
import type { Account, ClusterRecord, Directory } from './directory.ts'

export type Fill = (database: Database) => Promise<void>

export interface ClustersOptions {
  directory: Directory
  databases: ClusterDatabases
  /** Under the host's own key: clusters' keys are kept sealed with it. */
  seal: Seal
  clock: Clock
  random: Random
  log: Log
  /** Brings the first objects of a cluster into its new, migrated database. */
  /** `fill` brings an archive's rows in, before anything else is made. */
  prepare(record: ClusterRecord, account: Account, fill?: Fill): Promise<void>
  made(record: ClusterRecord): Promise<void>
  /** The cluster must not be served from here any more. */
  stopped(record: ClusterRecord): Promise<void>
}

const keyContext = (id: string) => `clusters/${id}/key`

export class Clusters {
  readonly #o: ClustersOptions
  constructor(o: ClustersOptions) {
    this.#o = o
  }

  /** Makes a cluster from an archive's lines. Throws as `create`, and 422 on a bad archive. */
  async import(account: Account, name: string, lines: AsyncIterable<string>): Promise<ClusterRecord> {
    const all = lines[Symbol.asyncIterator]()
    const first = await all.next()
    const whole = async function* () {
      yield first.value as string
      for (let next = await all.next(); !next.done; next = await all.next()) yield next.value
    }
    try {
      if (first.done) throw new BadArchive('the archive is empty')
      return await this.create(account, name, { key: keyOfArchive(first.value), fill: (database) => restore(database, whole()) })
    } catch (cause) {
      throw cause instanceof BadArchive ? new StatusError(422, 'Invalid', cause.message) : cause
    }
  }

  /** Makes a cluster that answers when this returns. Throws 422 on a bad name, 409 on a taken one, 403 beyond the account's number. */
  async create(account: Account, name: string, from?: { key: Uint8Array; fill: Fill }): Promise<ClusterRecord> {
    const { directory, databases, random, clock, seal, log } = this.#o
    const faults = dnsLabel(name)
    if (faults.length) throw new StatusError(422, 'Invalid', `cluster name ${JSON.stringify(name)} is invalid: ${faults.join('; ')}`)
    if (await directory.cluster(name)) throw taken(name)
    const id = random.uuid()
    const key = await seal.close(keyContext(id), toBase64(from?.key ?? random.bytes(32)))
    const database = await databases.create(id)
    const record: ClusterRecord = { id, name, account: account.name, state: 'active', created: clock.now(), database, key }
    try {
      await this.#o.prepare(record, account, from?.fill)
      const added = await directory.addCluster(account, record)
      if (added === 'taken') throw taken(name)
      if (added === 'full')
        throw new StatusError(403, 'Forbidden', `the account ${account.name} has its ${account.limits.clusters} clusters already`)
    } catch (cause) {
      // Nothing refers to the database yet.
      await this.#o.stopped(record).catch(() => {})
      await databases.drop(database).catch((e) => log.error('the database of a cluster that was not made could not be dropped', e, { id }))
      throw cause
    }
    await this.#o.made(record)
    log.info('cluster created', { id, account: account.name })
    return record
  }

  /** The key of its Secrets. */
  async keyOf(record: ClusterRecord): Promise<Uint8Array> {
    const text = await this.#o.seal.open(keyContext(record.id), record.key)
    return fromBase64(text)
  }

  async setState(record: ClusterRecord, state: 'active' | 'suspended'): Promise<void> {
    await this.#o.directory.setState(record.id, state)
    if (state === 'suspended') await this.#o.stopped(record)
  }

  /** Ends a cluster with everything in it. Safe to repeat after a crash: the row goes last. */
  async delete(record: ClusterRecord): Promise<void> {
    const { directory, databases, log } = this.#o
    await directory.setState(record.id, 'deleting')
    await this.#o.stopped(record)
    await databases.drop(record.database)
    await directory.removeCluster(record)
    log.info('cluster deleted', { id: record.id, account: record.account })
  }
}

const taken = (name: string) =>
  new StatusError(409, 'AlreadyExists', `a cluster named ${JSON.stringify(name)} exists on this host: choose another name`)
