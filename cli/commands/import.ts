// kedge import: makes the data folder of a single cluster from an archive.
import { createReadStream, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { openEmbedded } from '../../api/platform/node/embedded-database.ts'
import { keyOfArchive, linesOf, restore } from '../../api/store/archive.ts'
import { migrations } from '../../migrations/bundle.ts'
import { parseFlags } from '../flags.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'import FILE --data DIR',
    'Makes the data folder of a cluster from what `kedge export` wrote; `kedge serve --data DIR` serves it then.',
    { data: { type: 'string', value: 'DIR', about: 'the new folder' } },
    args,
  )
  if (!parsed) return 0
  const [file] = parsed.positionals
  const { data } = parsed.values
  if (!file || !data) throw new Error('usage: kedge import FILE --data DIR')
  const database = path.join(data, 'cluster.db')
  if (existsSync(database)) throw new Error(`${data} has a cluster already: choose a new folder`)
  mkdirSync(data, { recursive: true })
  const lines = async function* () {
    for await (const line of linesOf(createReadStream(file))) {
      if (!existsSync(keyFile)) writeFileSync(keyFile, Buffer.from(keyOfArchive(line)).toString('base64'), { mode: 0o600 })
      yield line
    }
  }
  const keyFile = path.join(data, 'encryption.key')
  const db = openEmbedded(database)
  try {
    await db.migrate(migrations)
    await restore(db, lines())
    await db.close()
  } catch (cause) {
    await db.close()
    for (const f of [database, `${database}-wal`, `${database}-shm`, keyFile]) rmSync(f, { force: true })
    throw cause
  }
  process.stdout.write(`${data} is ready: kedge serve --data ${data}\n`)
  return 0
}
