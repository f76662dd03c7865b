// drizzle-kit's configuration for the directory's database: `npx drizzle-kit generate --config tools/drizzle/directory.ts`, then tools/bundle-migrations.ts.
import { defineConfig } from 'drizzle-kit'

export default defineConfig({ dialect: 'sqlite', schema: './api/directory/schema.ts', out: './migrations/directory' })
