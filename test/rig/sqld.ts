// A libSQL server for tests: a real sqld on a free port over a folder of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startSqld } from '../../api/platform/workers/serve.ts'

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const s = createServer()
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address() as { port: number }
      s.close(() => resolve(port))
    })
  })

export const temporaryFolder = (name: string): { path: string; remove(): void } => {
  const at = mkdtempSync(path.join(tmpdir(), `kedge-${name}-`))
  return { path: at, remove: () => rmSync(at, { recursive: true, force: true }) }
}

export async function testSqld(): Promise<{ url: string; close(): Promise<void> }> {
  const folder = temporaryFolder('sqld')
  const server = await startSqld(folder.path, await freePort())
  return {
    url: server.url,
    close: async () => {
      await server.close()
      folder.remove()
    },
  }
}
