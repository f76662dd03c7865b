// The folder that `npm run build` filled.
import { createReadStream, statSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { type Downloads, download } from '../../http/downloads.ts'
import type { Fetch } from './listen.ts'
import { stderrLog } from './ports.ts'

/** Names come checked: nothing in them leads out of the folder. */
export const folderDownloads = (folder: string): Downloads => ({
  open: async (name) => {
    const file = path.join(folder, name)
    const found = statSync(file, { throwIfNoEntry: false })
    if (!found?.isFile()) return undefined
    return { body: Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>, size: found.size }
  },
})

/** Gives the installer and its files out, and everything else to `fetch`. */
export function withDownloads(o: { downloads?: string; publicUrl?: string }, caCertificate: string, fetch: Fetch): Fetch {
  const options = {
    downloads: o.downloads === undefined ? undefined : folderDownloads(o.downloads),
    ...(o.publicUrl ? { publicUrl: o.publicUrl } : {}),
    caCertificate,
    log: stderrLog,
  }
  return async (request, connection) => (await download(options, request)) ?? fetch(request, connection)
}
