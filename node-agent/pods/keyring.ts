// Which credentials open an image's registry, as kubelet finds them: in the pod's pull secrets, then in this machine's own Docker configuration.
import { readFileSync } from 'node:fs'

export interface Credential {
  username: string
  password: string
  serveraddress: string
}

/** What names of Docker's own registry come to. */
const DOCKER = 'index.docker.io'
const DOCKER_NAMES = new Set([DOCKER, 'docker.io', 'registry-1.docker.io'])

interface Entry extends Credential {
  /** Host, port and beginning of the path; parts of the host may be patterns. */
  pattern: string
}

const withoutScheme = (server: string) => server.replace(/^https?:\/\//, '')

/** `host[:port][/path]` of a configured server; the API's version is no part of it. */
function patternOf(server: string): string {
  const [host = '', ...rest] = withoutScheme(server).split('/')
  const path = (/^v[12]$/.test(rest[0] ?? '') ? rest.slice(1) : rest).join('/').replace(/\/+$/, '')
  return path ? `${host}/${path}` : host
}

/** The entries of a `config.json`, or of its older form without `auths`; none of what is neither. Helpers are not asked. */
function entriesOf(text: string): Entry[] {
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch {
    return []
  }
  if (!config || typeof config !== 'object') return []
  const auths = (config as { auths?: object }).auths ?? config
  return Object.entries<any>(auths).flatMap(([server, entry]) => {
    const both = entry?.auth ? Buffer.from(String(entry.auth), 'base64').toString() : undefined
    const at = both?.indexOf(':') ?? -1
    const username = both ? both.slice(0, at) : entry?.username
    if (!username || (both && at < 0)) return []
    return [{ pattern: patternOf(server), username, password: (both ? both.slice(at + 1) : entry.password) ?? '', serveraddress: server }]
  })
}

const partMatches = (pattern: string, part: string): boolean =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')}$`,
  ).test(part)

/** Whether a pattern covers an image: part by part of the host, the same port, and a path that begins so. */
function covers(pattern: string, image: string): boolean {
  const split = (text: string) => {
    const [host = '', ...path] = text.split('/')
    const [name = '', port = ''] = host.split(':')
    return { parts: name.split('.'), port, path: path.join('/') }
  }
  const [p, i] = [split(pattern), split(image)]
  return (
    p.port === i.port &&
    p.parts.length === i.parts.length &&
    p.parts.every((x, n) => partMatches(x, i.parts[n]!)) &&
    i.path.startsWith(p.path)
  )
}

/** Whether an image is in Docker's own registry: its first part is no host. */
function isDockers(image: string): boolean {
  const [first = '', ...rest] = image.split('/')
  return rest.length === 0 || DOCKER_NAMES.has(first) || (!/[.:]/.test(first) && first !== 'localhost')
}

/** All that may open the image's registry: of each configuration those for longer paths first. */
export function credentialsFor(image: string, configs: readonly string[]): Credential[] {
  return configs.flatMap((text) => {
    const entries = entriesOf(text).toSorted((a, b) => (a.pattern < b.pattern ? 1 : -1))
    const found = entries.filter((e) => covers(e.pattern, image))
    const chosen = found.length || !isDockers(image) ? found : entries.filter((e) => DOCKER_NAMES.has(e.pattern))
    return chosen.map(({ username, password, serveraddress }) => ({ username, password, serveraddress }))
  })
}

/** The configuration in a pull secret, of either type. */
export function configOf(secret: any): string[] {
  const text = secret?.data?.['.dockerconfigjson'] ?? secret?.data?.['.dockercfg']
  return text ? [Buffer.from(text, 'base64').toString()] : []
}

/** The machine's own configurations: of these files those that are there. */
export const ownConfigs = (files: readonly string[]): string[] =>
  files.flatMap((file) => {
    try {
      return [readFileSync(file, 'utf8')]
    } catch {
      return []
    }
  })
