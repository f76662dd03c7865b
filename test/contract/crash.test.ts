// kill -9 at random moments during writes: what was acknowledged is there, and nothing is half-written.
import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openEmbedded } from '../../api/platform/node/embedded-database.ts'
import { Store } from '../../api/store/store.ts'
import { migrations } from '../../migrations/bundle.ts'
import { temporaryFolder } from '../rig/sqld.ts'

const KILLS = 100

const writer = `
import { openEmbedded } from ${JSON.stringify(path.resolve('api/platform/node/embedded-database.ts'))}
import { Store } from ${JSON.stringify(path.resolve('api/store/store.ts'))}
import { writeSync } from 'node:fs'
const [file, round] = process.argv.slice(2)
const store = new Store({ database: openEmbedded(file), clock: { now: () => 1 } })
process.send('ready')
let n = 0
const work = async (w) => {
  for (;;) {
    const name = round + '-' + w + '-' + n++
    const v = { resource: 'things', ns: 'd', name, uid: name, body: '{"metadata":{"name":"' + name + '"},"v":1}', labels: {}, fields: {}, by: '{}' }
    const made = await store.create(v, [{ sql: 'INSERT INTO allocations(kind, value, owner) VALUES (?, ?, ?)', args: ['t', name, name] }])
    writeSync(1, 'c ' + name + ' ' + made.rv + '\\n')
    const next = await store.update({ ...v, body: v.body.replace('1}', '2}') }, { rv: made.rv, body: v.body, labels: {}, fields: {} })
    writeSync(1, 'u ' + name + ' ' + next.rv + '\\n')
  }
}
for (let w = 0; w < 8; w++) work(w)
`

test(`nothing acknowledged is lost in ${KILLS} kills`, { timeout: 300_000 }, async () => {
  const folder = temporaryFolder('crash')
  try {
    const file = path.join(folder.path, 'cluster.db')
    const script = path.join(folder.path, 'writer.ts')
    const acknowledged = path.join(folder.path, 'acknowledged')
    writeFileSync(script, writer)
    writeFileSync(acknowledged, '')
    const setup = openEmbedded(file)
    await setup.migrate(migrations)
    await setup.close()
    for (let round = 0; round < KILLS; round++) {
      const child = spawn(process.execPath, ['--no-warnings', script, file, String(round)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
      const exited = new Promise((r) => child.once('exit', r))
      let out = ''
      child.stdout!.on('data', (d) => {
        out += d
      })
      const closed = new Promise((r) => child.stdout!.once('close', r))
      await new Promise((r) => child.once('message', r))
      await new Promise((r) => setTimeout(r, 2 + ((round * 7) % 30)))
      child.kill('SIGKILL')
      await Promise.all([exited, closed])
      // A last line cut in the middle was never read by anyone.
      appendFileSync(acknowledged, out.slice(0, out.lastIndexOf('\n') + 1))
    }
    const database = openEmbedded(file)
    const store = new Store({ database, clock: { now: () => 1 } })
    const lines = readFileSync(acknowledged, 'utf8').trim().split('\n').filter(Boolean)
    expect(lines.length).toBeGreaterThan(KILLS)
    const newest = new Map<string, { verb: string; rv: number }>()
    for (const l of lines) {
      const [verb, name, rv] = l.split(' ') as [string, string, string]
      newest.set(name, { verb, rv: Number(rv) })
    }
    const page = await store.list({ resource: 'things' })
    const there = new Map(page.items.map((i) => [i.name, i]))
    for (const [name, { verb, rv }] of newest) {
      const found = there.get(name)
      expect(found, name).toBeDefined()
      expect(found!.rv).toBeGreaterThanOrEqual(rv)
      if (verb === 'u') expect(found!.body).toContain('"v":2')
    }
    // One log row, one object row and one allocation each, or none of them.
    const [orphans, rows, allocations] = await database.read([
      { sql: 'SELECT count(*) FROM objects o LEFT JOIN log l ON l.rv = o.rv WHERE l.rv IS NULL', args: [] },
      { sql: "SELECT count(*) FROM log WHERE verb = 'create'", args: [] },
      { sql: 'SELECT count(*) FROM allocations', args: [] },
    ])
    expect(orphans![0]![0]).toBe(0)
    expect(rows![0]![0]).toBe(page.items.length)
    expect(allocations![0]![0]).toBe(page.items.length)
    await database.close()
  } finally {
    folder.remove()
  }
})
