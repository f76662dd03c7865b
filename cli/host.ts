// Which Kedge host the user is signed in to, and requests to its /v1. The file is the user's alone: it holds the token that kubeconfigs do not.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { apiRequest } from './request.ts'

export interface HostAccess {
  server: string
  account: string
  token: string
  /** PEM, where the host is not under a public CA. */
  ca?: string
}

interface HostConfig {
  current?: string
  hosts?: HostAccess[]
}

const hostConfigFile = (): string =>
  process.env.KEDGE_CONFIG ?? path.join(process.env.XDG_CONFIG_HOME ?? path.join(homedir(), '.config'), 'kedge', 'config.yaml')

function readConfig(): HostConfig {
  const file = hostConfigFile()
  return existsSync(file) ? ((parse(readFileSync(file, 'utf8')) as HostConfig | null) ?? {}) : {}
}

function writeConfig(config: HostConfig): void {
  const file = hostConfigFile()
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, stringify(config), { mode: 0o600 })
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

export function rememberHost(host: HostAccess): void {
  const { hosts = [] } = readConfig()
  writeConfig({ current: host.server, hosts: [...hosts.filter((h) => h.server !== host.server), host] })
}

/** False when it was not known. */
export function forgetHost(server: string): boolean {
  const { current, hosts = [] } = readConfig()
  const left = hosts.filter((h) => h.server !== server)
  writeConfig({ ...(current && current !== server ? { current } : {}), hosts: left })
  return left.length < hosts.length
}

/** One request below the account, `/clusters`; or an absolute one, `/v1/whoami`. */
export const hostRequest = (host: HostAccess, method: string, at: string, body?: unknown): Promise<any> =>
  apiRequest(host, method, at.startsWith('/v1/') ? at : `/v1/accounts/${encodeURIComponent(host.account)}${at}`, body)
