import { defineConfig } from 'vitest/config'

const base = { environment: 'node' as const, testTimeout: 20_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...base,
          name: 'unit',
          include: [
            'api/**/*.test.ts',
            'shared/**/*.test.ts',
            'node-agent/**/*.test.ts',
            'cli/**/*.test.ts',
            'tools/**/*.test.ts',
            'dashboard/**/*.test.ts',
          ],
        },
      },
      { test: { ...base, name: 'architecture', include: ['test/architecture/**/*.test.ts'] } },
      { test: { ...base, name: 'contract', include: ['test/contract/**/*.test.ts'], testTimeout: 120_000 } },
      { test: { ...base, name: 'api', include: ['test/api/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          ...base,
          name: 'clients',
          include: ['test/clients/**/*.test.ts'],
          exclude: ['test/clients/on-nodes.test.ts'],
          testTimeout: 120_000,
        },
      },
      { test: { ...base, name: 'tenants', include: ['test/tenants/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          ...base,
          name: 'e2e',
          include: [
            'test/e2e/**/*.test.ts',
            'test/hosted/**/*.test.ts',
            'test/cli/**/*.test.ts',
            'test/clients/on-nodes.test.ts',
            'test/ui/**/*.test.ts',
          ],
          testTimeout: 600_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
