// What is given out to everybody: the folder that `npm run build` filled, and the dashboard.
import { createReadStream, statSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { type DashboardOptions, dashboard } from '../../http/dashboard.ts'
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

/** Gives the installer, its files and the dashboard out, and everything else to `fetch`. */
export function withFiles(
  o: { downloads?: string; publicUrl?: string },
  caCertificate: string,
  ui: Omit<DashboardOptions, 'log'>,
  fetch: Fetch,
): Fetch {
  const options = {
    downloads: o.downloads === undefined ? undefined : folderDownloads(o.downloads),
    ...(o.publicUrl ? { publicUrl: o.publicUrl } : {}),
    caCertificate,
    log: stderrLog,
  }
  const page = { ...ui, log: stderrLog }
  return async (request, connection) => (await download(options, request)) ?? (await dashboard(page, request)) ?? fetch(request, connection)
}
