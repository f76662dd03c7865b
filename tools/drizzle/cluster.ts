// drizzle-kit's configuration for a cluster's database: `npx drizzle-kit generate --config tools/drizzle/cluster.ts`, then tools/bundle-migrations.ts.
import { defineConfig } from 'drizzle-kit'

export default defineConfig({ dialect: 'sqlite', schema: './api/store/schema.ts', out: './migrations/cluster' })
