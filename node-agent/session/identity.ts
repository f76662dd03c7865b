// The daemon's identity: a key pair made here at the first start, whose public half joined the cluster with a token. The private half never leaves.
import { createHash, type X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import path from 'node:path'
import { connect } from 'node:tls'
import { exportJWK, exportPKCS8, generateKeyPair, importPKCS8, SignJWT } from 'jose'
import { under } from '../../shared/meta/url.ts'
import type { Log } from '../log.ts'

interface ClusterInfo {
  podCidr: string
  serviceCidr: string
  clusterDns: string
  clusterDomain: string
}

export interface Identity extends ClusterInfo {
  node: string
  server: string
  /** PEM of the CA that the server must be under; empty where that is a public one. */
  ca: string
  /** A bearer token good for some minutes. */
  assertion(): Promise<string>
  /** The server did not believe the last one, and says what time it is (its `Date` header): the next one is made anew, by that. */
  doubted(date: string | undefined): void
  /** The cluster has gone elsewhere: from now on, and after a restart, it is dialled there. */
  follow(server: string, ca: string | undefined): void
}

interface Saved extends ClusterInfo {
  node: string
  server: string
  ca: string
  key: string
  /** Where it joined, when the cluster has moved since: what the daemon is still started with. */
  joined?: string
}

const LIFETIME = 300

const save = (file: string, saved: Saved) => writeFileSync(file, JSON.stringify(saved, null, 1), { mode: 0o600 })

function identityOf(saved: Saved, file: string): Identity {
  let current: { token: string; until: number } | undefined
  /** How far the server's clock is before this machine's, ms: clocks of machines may be wrong, or be put right at any moment. */
  let ahead = 0
  const identity: Identity = {
    ...saved,
    follow: (server, ca) => {
      saved = { ...saved, server, ca: ca ?? saved.ca, joined: saved.joined ?? saved.server }
      save(file, saved)
      Object.assign(identity, { server: saved.server, ca: saved.ca })
    },
    doubted: (date) => {
      current = undefined
      const theirs = Date.parse(date ?? '')
      if (!Number.isNaN(theirs)) ahead = theirs - Date.now()
    },
    assertion: async () => {
      const now = performance.now() / 1000
      if (current && current.until > now + 30) return current.token
      const issued = Math.floor((Date.now() + ahead) / 1000)
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: 'ES256' })
        .setSubject(`system:node:${saved.node}`)
        .setAudience('kedge')
        .setIssuedAt(issued)
        .setExpirationTime(issued + LIFETIME)
        .sign(await importPKCS8(saved.key, 'ES256'))
      current = { token, until: now + LIFETIME }
      return token
    },
  }
  return identity
}

/** The CA at the end of the server's chain, fetched without trust and then held against the hash that the join token carries. */
function fetchAuthority(server: string, hash: string): Promise<string> {
  const url = new URL(server)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname, port: Number(url.port || 443), rejectUnauthorized: false }, () => {
      let cert = socket.getPeerX509Certificate()
      const chain: X509Certificate[] = []
      for (; cert && chain.length < 8; cert = cert.issuerCertificate) {
        chain.push(cert)
        if (cert.issuerCertificate === cert) break
      }
      socket.end()
      const found = chain.find((c) => createHash('sha256').update(c.raw).digest('hex') === hash)
      if (found) resolve(found.toString())
      else reject(new Refused('the server does not present the CA that the join token names: wrong server, or someone in between'))
    })
    socket.on('error', (cause) => reject(new Error(`cannot reach ${server}: ${cause.message}`)))
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer in 10 s')))
  })
}

function post(server: string, ca: string, token: string, body: unknown): Promise<any> {
  const data = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const req = request(
      under(server, '/kedge/v1/join'),
      {
        method: 'POST',
        ...(ca ? { ca } : {}),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) },
        timeout: 15_000,
      },
      (res) => {
        const parts: Buffer[] = []
        res.on('data', (d) => parts.push(d))
        res.on('end', () => {
          const text = Buffer.concat(parts).toString()
          let value: any
          try {
            value = JSON.parse(text)
          } catch {
            value = { message: text.slice(0, 200) }
          }
          const status = res.statusCode ?? 500
          if (status === 201) resolve(value)
          else
            reject(
              status < 500 && status !== 429
                ? new Refused(`joining was refused: ${value.message || status}`)
                : new Error(`the control plane failed: ${value.message || status}`),
            )
        })
      },
    )
    req.on('timeout', () => req.destroy(new Error('no answer in 15 s')))
    req.on('error', (cause) => reject(new Error(`cannot reach ${server}: ${cause.message}`)))
    req.end(data)
  })
}

/** The server's answer is no: asking again changes nothing. */
class Refused extends Error {}

const TRIES = 30
const FIRST_DELAY = 500
const MAX_DELAY = 10_000

/** Asks again while the control plane cannot be reached or fails; the key stays the same, so an answer that was lost does no harm. */
async function persistently<T>(log: Log, ask: () => Promise<T>): Promise<T> {
  for (let tries = 1, delay = FIRST_DELAY; ; tries++, delay = Math.min(delay * 2, MAX_DELAY)) {
    try {
      return await ask()
    } catch (cause) {
      if (cause instanceof Refused || tries >= TRIES) throw cause
      log.warn('joining did not work; trying again', { cause: (cause as Error).message, in_ms: delay })
      await new Promise((r) => setTimeout(r, delay))
    }
  }
}

export interface JoinOptions {
  data: string
  server?: string
  token?: string
  caFile?: string
  name: string
  log: Log
  /** Throws rather than join another cluster than the one it is in. */
  keep?: boolean
}

/** A join token's parts: `TOKEN[.HASH of the CA's certificate[.CLUSTER]]`; the cluster where the server is a host of many. */
function partsOf(text: string, server: string): { token: string; hash?: string; server: string } {
  const [token, hash, cluster] = text.split('.') as [string, string?, string?]
  const root = new URL(server).pathname === '/'
  return { token, ...(hash ? { hash } : {}), server: cluster && root ? under(server, `/clusters/${cluster}`).href : server }
}

/** The saved identity, or a new one joined by token. */
export async function openIdentity(o: JoinOptions): Promise<Identity> {
  const file = path.join(o.data, 'identity.json')
  if (existsSync(file)) {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as Saved
    const server = o.server && o.token ? partsOf(o.token, o.server).server : o.server
    if (!server || server === saved.server || server === saved.joined) return identityOf(saved, file)
    if (o.keep) throw new Error(`this machine is node ${saved.node} of ${saved.server}: take it out there first`)
  }
  if (!o.server || !o.token)
    throw new Error(`this machine has not joined yet: give --server and --token (from \`kedge token create --join\`)`)
  const { token, hash, server } = partsOf(o.token, o.server)
  // Without either the server is under a public CA.
  const ca = o.caFile ? readFileSync(o.caFile, 'utf8') : hash ? await persistently(o.log, () => fetchAuthority(server, hash)) : ''
  const pair = await generateKeyPair('ES256', { extractable: true })
  const publicKey = await exportJWK(pair.publicKey)
  const info = (await persistently(o.log, () => post(server, ca, token, { name: o.name, publicKey }))) as ClusterInfo
  const { podCidr, serviceCidr, clusterDns, clusterDomain } = info
  const saved: Saved = {
    node: o.name,
    server,
    ca,
    key: await exportPKCS8(pair.privateKey),
    podCidr,
    serviceCidr,
    clusterDns,
    clusterDomain,
  }
  mkdirSync(o.data, { recursive: true })
  save(file, saved)
  return identityOf(saved, file)
}
