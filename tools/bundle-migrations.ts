// Writes migrations/bundle.ts from the SQL files: Workers cannot read files, so both platforms import the bundle.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'migrations')

/** The bundle's text for the SQL files as they are now. */
function bundleText(): string {
  const files = readdirSync(folder)
    .filter((f) => f.endsWith('.sql'))
    .sort()
  const entries = files.map(
    (f) =>
      `  {\n    name: ${JSON.stringify(f.slice(0, -4))},\n    sql: ${JSON.stringify(readFileSync(path.join(folder, f), 'utf8'))},\n  },`,
  )
  return `// The migrations of a cluster's database. Written by tools/bundle-migrations.ts from the SQL files beside it.\nexport const migrations: readonly { name: string; sql: string }[] = [\n${entries.join('\n')}\n]\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(path.join(folder, 'bundle.ts'), bundleText())
