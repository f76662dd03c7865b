// The files of a repository at a commit: its archive, fetched from the provider and read as it comes. What is no manifest is passed over.
import { createTarDecoder } from 'modern-tar'
import type { Outbound } from '../ports/outbound.ts'
import type { Facts } from './payload.ts'
import { fill } from './template.ts'

/** Of the archive as it comes over the line, and of what is kept of it. */
const MAX_ARCHIVE = 64 << 20
const MAX_KEPT = 8 << 20
const MAX_FILES = 5000
const TIMEOUT = 60_000

/** Nothing that trying again would mend. */
export class Permanent extends Error {}

/** Where each provider gives archives out, and how it wants its token. */
function archiveOf(
  provider: string,
  apply: any,
  values: Facts,
  token: string | undefined,
): { url: string; headers: Record<string, string> } {
  const { repository = '', sha, apiUrl } = values
  const commit = sha ?? values.tag
  const auth = (name: string, prefix = ''): Record<string, string> => (token ? { [name]: `${prefix}${token}` } : {})
  if (apply.archive) return { url: fill(apply.archive, values, encodeURIComponent), headers: auth('authorization', 'Bearer ') }
  if (!commit) throw new Permanent('the delivery names neither a commit nor a tag')
  if (!apiUrl) throw new Permanent("the payload does not say where the provider's API is: set spec.apply.archive")
  const path = repository.split('/').map(encodeURIComponent).join('/')
  switch (provider) {
    case 'GitLab':
      return {
        url: `${apiUrl}/projects/${encodeURIComponent(repository)}/repository/archive.tar.gz?sha=${encodeURIComponent(commit)}`,
        headers: auth('private-token'),
      }
    case 'Gitea':
      return { url: `${apiUrl}/repos/${path}/archive/${encodeURIComponent(commit)}.tar.gz`, headers: auth('authorization', 'token ') }
    case 'Bitbucket':
      return { url: `https://bitbucket.org/${path}/get/${encodeURIComponent(commit)}.tar.gz`, headers: auth('authorization', 'Bearer ') }
    default:
      return { url: `${apiUrl}/repos/${path}/tarball/${encodeURIComponent(commit)}`, headers: auth('authorization', 'Bearer ') }
  }
}

/** Counts what passes, and ends the stream past the bound. */
const limit = (most: number, what: string) => {
  let size = 0
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.length
      if (size > most) controller.error(new Permanent(`${what} is larger than ${most >> 20} MB`))
      else controller.enqueue(chunk)
    },
  })
}

/** Text by path within the repository, of everything that a manifest or a kustomization may be made of. Throws Permanent where a retry is no use. */
export async function fetchSource(
  outbound: Outbound,
  provider: string,
  apply: any,
  values: Facts,
  token: string | undefined,
): Promise<Map<string, string>> {
  let from: ReturnType<typeof archiveOf>
  try {
    from = archiveOf(provider, apply, values, token)
  } catch (cause) {
    throw cause instanceof Permanent ? cause : new Permanent((cause as Error).message)
  }
  const response = await outbound(from.url, {
    headers: { ...from.headers, 'user-agent': 'kedge', accept: '*/*' },
    signal: AbortSignal.timeout(TIMEOUT),
  })
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    const host = new URL(from.url).host
    const why = `the archive could not be fetched: ${host} answered ${response.status}`
    // 404 is also what a private repository says to whoever has no right to it.
    if (response.status >= 400 && response.status < 500 && response.status !== 429)
      throw new Permanent(`${why}${token ? '' : ' (is it private? then set spec.apply.credentialsRef)'}`)
    throw new Error(why)
  }
  const tar = response.body
    .pipeThrough(limit(MAX_ARCHIVE, 'the archive'))
    .pipeThrough(new DecompressionStream('gzip') as unknown as TransformStream<Uint8Array, Uint8Array>)
    .pipeThrough(limit(MAX_ARCHIVE * 8, 'the unpacked archive'))
    .pipeThrough(createTarDecoder())
  const files = new Map<string, string>()
  let kept = 0
  for await (const entry of tar as unknown as AsyncIterable<{
    header: { name: string; size: number; type?: string }
    body: ReadableStream<Uint8Array>
  }>) {
    const { name, size, type } = entry.header
    // The first folder is the repository's name and commit.
    const path = name.replace(/^\.\//, '').split('/').slice(1).join('/')
    const wanted = path && (type ?? 'file') === 'file' && size <= MAX_KEPT && !/\.(png|jpe?g|gif|svg|woff2?|zip|gz|jar|lock)$/i.test(path)
    if (!wanted || kept + size > MAX_KEPT || files.size >= MAX_FILES) {
      if (wanted && /\.(ya?ml|json)$/.test(path))
        throw new Permanent(`the repository has more than ${MAX_KEPT >> 20} MB of manifests: keep them in one of their own`)
      await entry.body.cancel()
      continue
    }
    kept += size
    files.set(path, await new Response(entry.body).text())
  }
  if (!files.size) throw new Permanent('the archive is empty')
  return files
}
