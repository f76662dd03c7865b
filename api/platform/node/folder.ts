// The data folder of a control plane: what is made once and kept, and the names its certificate carries.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import path from 'node:path'
import type { Names } from '../../auth/certificates.ts'
import type { Log } from '../../ports/log.ts'
import { type Authority, openAuthority } from './certificates.ts'
import { TicketKeys } from './ticket-keys.ts'
import { remember, writeWhole } from './whole-file.ts'

const IPV4 = /^\d+\.\d+\.\d+\.\d+$/

/** Names and addresses that a server on this machine goes by. */
function localNames(o: { host: string; names?: string[] }): Names {
  // Links that containers bring are none of this machine's names.
  const own = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(veth|docker|br-|cni)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter((i) => i.family === 'IPv4')
    .map((i) => i.address)
  const given = [o.host, ...(o.names ?? [])].filter((n) => n && n !== '0.0.0.0')
  return {
    dns: [
      ...new Set([
        'localhost',
        hostname(),
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        'kubernetes.default.svc.cluster.local',
        ...given.filter((n) => !IPV4.test(n)),
      ]),
    ],
    ips: [...new Set(['127.0.0.1', '10.96.0.1', ...own, ...given.filter((n) => IPV4.test(n))])],
  }
}

export interface DataFolder {
  /** The CA of this server, as PEM. */
  ca: string
  caFile: string
  leaf: { cert: string; key: string }
  tickets: TicketKeys
  /** 32 bytes: what Secrets are encrypted with. */
  sealKey: Uint8Array
  /** Those before it, while something may be encrypted with them. */
  olderKeys: Uint8Array[]
  /** Nothing is, any more. */
  forgetOlderKeys(): void
  /** Full rights on what is served here. */
  adminToken: string
}

/** Opens the folder, making what is not there yet. */
export async function openFolder(o: { data: string; host: string; names?: string[] }, log: Log): Promise<DataFolder> {
  mkdirSync(o.data, { recursive: true })
  const names = localNames(o)
  const authority = await openAuthority(o.data, names)
  const keys = keysOf(o.data)
  const refused = authority.refused({ dns: [], ips: [o.host, ...(o.names ?? [])].filter((n) => n && n !== '0.0.0.0') })
  if (refused.length)
    log.warn('the CA of this data folder was not made for these names: clients will refuse them', { names: refused.join(',') })
  return {
    ca: authority.certificate,
    caFile: path.join(o.data, 'ca.crt'),
    leaf: await leafOf(o.data, authority, names),
    tickets: new TicketKeys(o.data),
    sealKey: keys[0]!,
    olderKeys: keys.slice(1),
    forgetOlderKeys: () => {
      // A key that was added meanwhile stays.
      const now = keysOf(o.data)
      writeKeys(o.data, now.slice(0, Math.max(1, now.length - keys.length + 1)))
    },
    adminToken: keep(o.data, 'admin.token', () => randomBytes(32).toString('base64url')),
  }
}

const LEAF_FILE = 'server.json'
/** A server's certificate lasts ten times as long. */
const LEAF_AGE = 365 * 24 * 3600 * 1000

interface Leaf {
  cert: string
  key: string
  /** What it was made for, by which authority and when. */
  names: Names
  authority: string
  made: number
}

/** The server's certificate: that of the last start, while it is for these names, or a new one. */
async function leafOf(folder: string, authority: Authority, names: Names): Promise<DataFolder['leaf']> {
  const file = path.join(folder, LEAF_FILE)
  const kept = readLeaf(file)
  const age = Date.now() - (kept?.made ?? 0)
  if (kept?.authority === authority.hash && JSON.stringify(kept.names) === JSON.stringify(names) && age >= 0 && age < LEAF_AGE) return kept
  const leaf: Leaf = { ...(await authority.issue(names)), names, authority: authority.hash, made: Date.now() }
  remember(file, JSON.stringify(leaf))
  return leaf
}

function readLeaf(file: string): Leaf | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

const KEY_FILE = 'encryption.key'
const newKey = () => randomBytes(32).toString('base64')
const keysOf = (folder: string): Buffer[] =>
  keep(folder, KEY_FILE, newKey)
    .split('\n')
    .filter(Boolean)
    .map((line) => Buffer.from(line, 'base64'))

function writeKeys(folder: string, keys: Buffer[]): void {
  writeWhole(path.join(folder, KEY_FILE), `${keys.map((k) => k.toString('base64')).join('\n')}\n`)
}

/** A new key for what is encrypted in a data folder, before those that it has: the server seals everything anew when it starts. */
export function rotateKey(folder: string): void {
  if (!existsSync(path.join(folder, KEY_FILE))) throw new Error(`${folder} is no data folder: it has no ${KEY_FILE}`)
  writeKeys(folder, [Buffer.from(newKey(), 'base64'), ...keysOf(folder)])
}

/** A value that must outlive restarts: read from the folder, or made there, for the owner's eyes. */
function keep(folder: string, name: string, make: () => string): string {
  const file = path.join(folder, name)
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}
