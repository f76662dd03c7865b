// What a machine fetches to become a node: /install.sh with this server's own address and checksums in it, and the files of /downloads. For everybody.
import { notFound } from '../../shared/status/index.ts'
import type { Log } from '../ports/log.ts'
import { errorAnswer } from './answer.ts'

/** Where `npm run build` put its files: a folder, or another server. */
export interface Downloads {
  /** A file by its path below that place; undefined when it is not there. */
  open(name: string): Promise<{ body: ReadableStream<Uint8Array>; size?: number } | undefined>
}

export interface DownloadOptions {
  downloads: Downloads | undefined
  /** What clients reach this server by; else the address that the request came in by. */
  publicUrl?: string
  /** PEM, where the server is under a private CA. */
  caCertificate?: string
  log: Log
}

interface Index {
  latest: string
  versions: Record<string, Record<string, { path: string; sha256: string }>>
}

const FILE = /^(index\.json|[0-9A-Za-z][0-9A-Za-z.+-]*\/kedge-linux-(x64|arm64)\.gz)$/
const PREFIX = '/downloads/'
const types: Record<string, string> = { json: 'application/json', gz: 'application/gzip' }
/** What goes into a script between single quotes. */
const PLAIN = /^[^'\\]*$/

const missing = (name: string) => notFound({ group: '', resource: 'downloads', name })

async function read(downloads: Downloads | undefined, name: string): Promise<string> {
  const file = await downloads?.open(name)
  if (!file) throw missing(name)
  return new Response(file.body).text()
}

async function script(o: DownloadOptions, url: URL): Promise<Response> {
  const [template, index] = await Promise.all([read(o.downloads, 'install.sh'), read(o.downloads, 'index.json')])
  const { latest, versions } = JSON.parse(index) as Index
  const values: Record<string, string> = {
    SERVER: o.publicUrl ?? url.origin,
    VERSION: latest,
    CHECKSUM_X64: versions[latest]?.['linux-x64']?.sha256 ?? '',
    CHECKSUM_ARM64: versions[latest]?.['linux-arm64']?.sha256 ?? '',
    CA: o.caCertificate?.trim() ?? '',
  }
  const text = template.replace(/'@([A-Z0-9_]+)@'/g, (whole, key: string) => {
    const value = values[key]
    return value !== undefined && PLAIN.test(value) ? `'${value}'` : whole
  })
  return new Response(text, { headers: { 'content-type': 'text/x-shellscript; charset=utf-8', 'cache-control': 'no-cache' } })
}

/** The answer, where the request is for one of these; undefined for all others. */
export async function download(o: DownloadOptions, request: Request): Promise<Response | undefined> {
  const url = new URL(request.url)
  const isScript = url.pathname === '/install.sh'
  if ((!isScript && !url.pathname.startsWith(PREFIX)) || request.method !== 'GET') return undefined
  try {
    if (isScript) return await script(o, url)
    const name = url.pathname.slice(PREFIX.length)
    const file = FILE.test(name) ? await o.downloads?.open(name) : undefined
    if (!file) throw missing(name)
    return new Response(file.body, {
      headers: {
        'content-type': types[name.split('.').at(-1)!]!,
        // A build keeps its name for ever; the index does not. Packed already: nobody on the way should pack it again.
        'cache-control': name === 'index.json' ? 'no-cache' : 'public, max-age=31536000, immutable, no-transform',
        'content-encoding': 'identity',
        ...(file.size !== undefined ? { 'content-length': String(file.size) } : {}),
      },
    })
  } catch (cause) {
    return errorAnswer(cause, o.log, url.pathname)
  }
}
