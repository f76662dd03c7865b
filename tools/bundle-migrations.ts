// Writes migrations/bundle.ts from the SQL files: Workers cannot read files, so both platforms import the bundle.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'migrations')

/** The bundle's text for the SQL files as they are now. */
function bundleText(): string {
  const list = (name: string) => {
    const files = readdirSync(path.join(folder, name))
      .filter((f) => f.endsWith('.sql'))
      .sort()
    const entries = files.map(
      (f) =>
        `  {\n    name: ${JSON.stringify(f.slice(0, -4))},\n    sql: ${JSON.stringify(readFileSync(path.join(folder, name, f), 'utf8'))},\n  },`,
    )
    return `readonly Migration[] = [\n${entries.join('\n')}\n]\n`
  }
  return `// The migrations of both databases. Written by tools/bundle-migrations.ts from the SQL files beside it.
export interface Migration {
  name: string
  sql: string
}

/** Of a cluster's database. */
export const migrations: ${list('cluster')}
/** Of the directory's database. */
export const directoryMigrations: ${list('directory')}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(path.join(folder, 'bundle.ts'), bundleText())
