// The certificate for hosts that have none: made once by this machine for itself, which clients that check will not take.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Certificate } from './routing.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const TEN_YEARS = 10 * 365 * 24 * 3600_000

async function make(): Promise<string> {
  // Seldom needed: not in the memory of those that do not.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const now = Date.now()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Kedge ingress without a certificate',
    notBefore: new Date(now - 3600_000),
    notAfter: new Date(now + TEN_YEARS),
    signingAlgorithm: ALGORITHM,
    keys,
  })
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return `${certificate.toString('pem')}\n${key}\n`
}

/** Kept in `folder`. */
export async function fallbackCertificate(folder: string): Promise<Certificate> {
  const file = path.join(folder, 'fallback.pem')
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(file, await make(), { mode: 0o600 })
  }
  return { name: 'fallback', pem: readFileSync(file, 'utf8'), hosts: [] }
}
