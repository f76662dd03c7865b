// The server's own CA, made at first start and constrained to the addresses it was made for: users put it into their trust.
import { createHash, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Names } from '../../auth/certificates.ts'

/** Brought when something is signed, which most starts do not do. */
const x509 = () => import('../../auth/certificates.ts')

export interface Authority {
  certificate: string
  /** `sha256:…` of the certificate's DER: what a join token carries. */
  hash: string
  /** Names outside the CA's constraints: clients would refuse a certificate that carries them. */
  refused(names: Names): string[]
  /** A server certificate for those of the names that the CA may vouch for. */
  issue(names: Names): Promise<{ cert: string; key: string }>
}

/** Loads the authority of a data folder, or makes one there for these names. */
export async function openAuthority(folder: string, names: Names): Promise<Authority> {
  const certFile = path.join(folder, 'ca.crt')
  const keyFile = path.join(folder, 'ca.key')
  const namesFile = path.join(folder, 'ca.names.json')
  if (!existsSync(keyFile)) {
    const { makeAuthority, nameConstraints } = await x509()
    const made = await makeAuthority(Date.now(), [nameConstraints(names)])
    writeFileSync(keyFile, made.key, { mode: 0o600 })
    writeFileSync(certFile, made.certificate)
    writeFileSync(namesFile, JSON.stringify(names))
  }
  const permitted: Names = JSON.parse(readFileSync(namesFile, 'utf8'))
  const may = (n: string) => n.startsWith('127.') || permitted.ips.includes(n) || permitted.dns.some((d) => n === d || n.endsWith(`.${d}`))
  const pair = { certificate: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  return {
    certificate: pair.certificate,
    hash: `sha256:${createHash('sha256').update(new X509Certificate(pair.certificate).raw).digest('hex')}`,
    refused: ({ dns, ips }) => [...dns, ...ips].filter((n) => !may(n)),
    issue: async (wanted) => {
      const { generateKeys, issueServer, privatePem } = await x509()
      const keys = await generateKeys()
      const cert = await issueServer(pair, keys.publicKey, { dns: wanted.dns.filter(may), ips: wanted.ips.filter(may) }, Date.now())
      return { cert, key: await privatePem(keys.privateKey) }
    },
  }
}
