// Which Kedge host the user is signed in to, and requests to its /v1. The file is the user's alone: it holds what kubeconfigs do not.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { apiRequest } from './request.ts'
import type { Provider, Tokens } from './sign-in.ts'

export interface HostAccess {
  server: string
  account: string
  /** An API token; or a person's sign-in. */
  token?: string
  person?: Provider & Tokens
  /** PEM, where the host is not under a public CA. */
  ca?: string
}

interface HostConfig {
  current?: string
  hosts?: HostAccess[]
}

/** An ID token that ends sooner is renewed first. */
const MARGIN = 30_000

const hostConfigFile = (): string =>
  process.env.KEDGE_CONFIG ?? path.join(process.env.XDG_CONFIG_HOME ?? path.join(homedir(), '.config'), 'kedge', 'config.yaml')

function readConfig(): HostConfig {
  const file = hostConfigFile()
  return existsSync(file) ? ((parse(readFileSync(file, 'utf8')) as HostConfig | null) ?? {}) : {}
}

/** Whole or not at all: kubectl may run several of us at once. */
function writeConfig(config: HostConfig): void {
  const file = hostConfigFile()
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const next = `${file}.${process.pid}`
  writeFileSync(next, stringify(config), { mode: 0o600 })
  renameSync(next, file)
}

/** The host that was signed in to last, or the one named. Throws with what to do when there is none. */
export function currentHost(server?: string): HostAccess {
  const { current, hosts = [] } = readConfig()
  const wanted = server ?? current
  const found = hosts.find((h) => h.server === wanted)
  if (found) return found
  throw new Error(
    wanted ? `you are not signed in to ${wanted}: kedge login --server ${wanted}` : 'you are not signed in: kedge login --server URL',
  )
}

function rememberHost(host: HostAccess): void {
  const { current, hosts = [] } = readConfig()
  writeConfig({ current: current === undefined ? host.server : current, hosts: [...hosts.filter((h) => h.server !== host.server), host] })
}

/** Makes it the one that commands speak to. */
export function useHost(host: HostAccess): void {
  rememberHost(host)
  writeConfig({ ...readConfig(), current: host.server })
}

/** False when it was not known. */
export function forgetHost(server: string): boolean {
  const { current, hosts = [] } = readConfig()
  const left = hosts.filter((h) => h.server !== server)
  writeConfig({ ...(current && current !== server ? { current } : {}), hosts: left })
  return left.length < hosts.length
}

/** What to send as bearer, and when it ends (ms) if it does. Renews a person's sign-in that is about to end. */
export async function bearerOf(host: HostAccess): Promise<{ token: string; expires?: number }> {
  if (host.token) return { token: host.token }
  const { person } = host
  if (!person) throw new Error(`you are not signed in to ${host.server}: kedge login --server ${host.server}`)
  const { expiryOf, refresh } = await import('./sign-in.ts')
  if (expiryOf(person.idToken) - Date.now() > MARGIN) return { token: person.idToken, expires: expiryOf(person.idToken) }
  const fresh = await refresh(person, person).catch((cause) => {
    // A short-lived token that still holds is better than none.
    if (expiryOf(person.idToken) > Date.now()) return person
    throw new Error(`your sign-in to ${host.server} has ended (${cause.message}): kedge login --server ${host.server}`)
  })
  rememberHost({ ...host, person: { ...person, ...fresh } })
  return { token: fresh.idToken, expires: expiryOf(fresh.idToken) }
}

/** One request below the account, `/clusters`; or an absolute one, `/v1/whoami`. */
export async function hostRequest(host: HostAccess, method: string, at: string, body?: unknown): Promise<any> {
  const { token } = await bearerOf(host)
  const path = at.startsWith('/v1/') ? at : `/v1/accounts/${encodeURIComponent(host.account)}${at}`
  return apiRequest({ server: host.server, token, ...(host.ca ? { ca: host.ca } : {}) }, method, path, body)
}
