// The house: which folder may import which, what pure code may not touch, and that every file says what it is.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const folders = ['api', 'cli', 'dashboard', 'node-agent', 'shared', 'test', 'tools', 'migrations']

function filesUnder(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((e) => {
    const at = `${folder}/${e.name}`
    if (e.isDirectory())
      return e.name === 'generated' || at === 'dashboard/dist' || (e.name === 'meta' && folder.startsWith('migrations/'))
        ? []
        : filesUnder(at)
    return /\.tsx?$/.test(e.name) ? [at] : []
  })
}
const files = folders.flatMap(filesUnder)
const source = (file: string) => readFileSync(path.join(root, file), 'utf8')
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')

/** Files that a file imports, relative to the root. */
function imports(file: string): string[] {
  return [...source(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((m) =>
    path.relative(root, path.resolve(root, path.dirname(file), m[1]!)),
  )
}

/** A folder may import itself and these. `except` names files that put things together. */
const rules: { folder: string; may: string[]; why: string; except?: string[] }[] = [
  { folder: 'shared', may: [], why: 'shared is the bottom: both sides stand on it' },
  { folder: 'api/ports', may: ['shared', 'api/registry', 'api/store'], why: 'ports are types only' },
  { folder: 'api/store', may: ['shared', 'api/ports'], why: 'the store knows bytes and versions, not kinds or requests' },
  { folder: 'api/controllers', may: ['shared', 'api/engine'], why: 'controllers are pure: they see views and return writes' },
  {
    folder: 'api/registry',
    may: ['shared', 'api/ports', 'api/store', 'api/admission', 'api/tracing'],
    why: 'the registry is the only write path and serves http and engine alike',
  },
  { folder: 'api/admission', may: ['shared', 'api/ports', 'api/registry', 'api/store'], why: 'admission is a part of the registry' },
  { folder: 'api/hub', may: ['shared', 'api/auth', 'api/ports', 'api/registry', 'api/store'], why: 'the hub fans out what the store has' },
  {
    folder: 'api/engine',
    may: ['shared', 'api/cluster.ts', 'api/controllers', 'api/hub', 'api/metrics', 'api/ports', 'api/registry', 'api/store', 'api/tracing'],
    why: 'the engine writes through the registry, never past it',
  },
  {
    folder: 'api/http',
    may: [
      'shared',
      'api/acme',
      'api/admission',
      'api/auth',
      'api/cluster.ts',
      'api/deploy',
      'api/hub',
      'api/metrics',
      'api/ports',
      'api/registry',
      'api/settings.ts',
      'api/store',
      'api/tracing',
      'api/version.ts',
      'dashboard/dist',
    ],
    why: 'http answers requests; it does not know platforms',
  },
  { folder: 'api/metrics', may: ['shared', 'api/ports', 'api/store'], why: 'metrics are counted by others and known to nobody' },
  { folder: 'api/tracing', may: ['shared', 'api/ports'], why: 'spans are begun by others and known to nobody' },
  {
    folder: 'api/acme',
    may: ['shared', 'api/cluster.ts', 'api/ports', 'api/registry'],
    why: 'what orders certificates keeps them by the registry, and knows no requests',
  },
  {
    folder: 'api/deploy',
    may: ['shared', 'api/cluster.ts', 'api/http', 'api/ports', 'api/registry'],
    why: 'deploy hooks act through the API like any client, with the rights of an account',
  },
  {
    folder: 'api/directory',
    may: ['shared', 'api/auth', 'api/deploy', 'api/http', 'api/ports', 'api/registry', 'api/settings.ts', 'api/store', 'api/version.ts'],
    why: 'the directory stands before the clusters and sees none of their data',
  },
  { folder: 'dashboard', may: ['shared'], why: 'the dashboard is a client like any other' },
  { folder: 'node-agent', may: ['shared'], why: 'the daemon talks to the API over the network alone' },
  {
    folder: 'cli',
    may: ['shared'],
    why: 'the CLI is a client',
    except: [
      'cli/commands/rotate-key.ts',
      'cli/commands/serve.ts',
      'cli/commands/node.ts',
      'cli/commands/dial.ts',
      'cli/commands/down.ts',
      'cli/commands/import.ts',
    ],
  },
]

describe('import directions', () => {
  test.each(rules)('$folder', ({ folder, may, why, except = [] }) => {
    const wrong = files
      .filter((f) => f.startsWith(`${folder}/`) && !f.endsWith('.test.ts') && !except.includes(f))
      .flatMap((f) =>
        imports(f)
          .filter((i) => !i.startsWith(`${folder}/`) && !may.some((m) => i === m || i.startsWith(`${m}/`)))
          .map((i) => `${f} imports ${i}: ${why}`),
      )
    expect(wrong).toEqual([])
  })

  test('only platforms know platforms', () => {
    const wrong = files
      .filter((f) => f.startsWith('api/') && !f.startsWith('api/platform/') && !f.endsWith('.test.ts'))
      .flatMap((f) =>
        imports(f)
          .filter((i) => i.startsWith('api/platform'))
          .map((i) => `${f} imports ${i}`),
      )
    expect(wrong).toEqual([])
  })
})

test('pure code reads no clock, no chance and no platform', () => {
  const wrong = files
    .filter(
      (f) => (f.startsWith('shared/') || f.startsWith('api/controllers/') || f.startsWith('node-agent/plan/')) && !f.endsWith('.test.ts'),
    )
    .flatMap((f) =>
      [...withoutComments(source(f)).matchAll(/Date\.now\(|Math\.random\(|new Date\(\)|\bprocess\.|from 'node:/g)].map(
        (m) => `${f}: ${m[0]}`,
      ),
    )
  expect(wrong).toEqual([])
})

test('what runs on both platforms imports nothing of Node', () => {
  const wrong = files
    .filter((f) => f.startsWith('api/') && !f.startsWith('api/platform/') && !f.endsWith('.test.ts'))
    .filter((f) => /from 'node:/.test(source(f)))
  expect(wrong).toEqual([])
})

test('every file opens with what lives here', () => {
  expect(files.filter((f) => !/^(#!.*\n)?\/\/ \S/.test(source(f)))).toEqual([])
})

test('the migrations bundle is made of the SQL files', async () => {
  const { migrations, directoryMigrations } = await import('../../migrations/bundle.ts')
  const written = (folder: string) =>
    readdirSync(path.join(root, 'migrations', folder))
      .filter((f) => f.endsWith('.sql'))
      .sort()
      .map((f) => ({ name: f.slice(0, -4), sql: source(`migrations/${folder}/${f}`) }))
  expect(migrations).toEqual(written('cluster'))
  expect(directoryMigrations).toEqual(written('directory'))
})

test('every path that ARCHITECTURE.md names exists', () => {
  const text = source('ARCHITECTURE.md')
  const named = [...text.matchAll(/`((?:api|cli|node-agent|shared|test|tools|migrations)\/[\w./-]*)`/g)].map((m) => m[1]!)
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((p) => !existsSync(path.join(root, p)))).toEqual([])
  expect(text.split('\n').length).toBeLessThanOrEqual(250)
})
