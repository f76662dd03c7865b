// A libSQL server for tests: a real sqld on a free port over a folder of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startSqld } from '../../api/platform/workers/serve.ts'

/** A port below the range that outgoing connections take theirs from: a server that starts again must find it free. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const free = await new Promise<boolean>((resolve) => {
      const s = createServer()
      s.once('error', () => resolve(false))
      s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)))
    })
    if (free) return port
  }
}

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
