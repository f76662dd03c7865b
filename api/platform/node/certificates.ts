// The cluster's own CA, made at first start and constrained to the addresses it was made for, and the server's certificate under it.
// Neither depends on anyone's calendar: the CA lasts a lifetime, the leaf is made anew at every start.
import 'reflect-metadata'
import { createHash, webcrypto } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AsnConvert } from '@peculiar/asn1-schema'
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } from '@peculiar/asn1-x509'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto as unknown as Crypto)
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const YEAR = 365 * 24 * 3600 * 1000
const HOUR = 3600 * 1000

export interface Names {
  dns: string[]
  /** IPv4 addresses. */
  ips: string[]
}

export interface Authority {
  certificate: string
  /** `sha256:…` of the certificate's DER: what a join token carries. */
  hash: string
  /** Names outside the CA's constraints: clients would refuse a certificate that carries them. */
  refused(names: Names): string[]
  /** A server certificate for those of the names that the CA may vouch for. */
  issue(names: Names): Promise<{ cert: string; key: string }>
}

/** Critical name constraints: these names and addresses, and the loopback network. */
function constraints({ dns, ips }: Names): x509.Extension {
  const subtrees = [
    ...dns.map((d) => new GeneralSubtree({ base: new GeneralName({ dNSName: d }) })),
    ...['127.0.0.0/8', ...ips.map((ip) => `${ip}/32`)].map((ip) => new GeneralSubtree({ base: new GeneralName({ iPAddress: ip }) })),
  ]
  return new x509.Extension(
    '2.5.29.30',
    true,
    AsnConvert.serialize(new NameConstraints({ permittedSubtrees: new GeneralSubtrees(subtrees) })),
  )
}

const pem = async (key: CryptoKey) => x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
const generate = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as unknown as Promise<CryptoKeyPair>
const serial = () =>
  Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
    .toString('hex')
    .replace(/^[89a-f]/, '1')

async function makeAuthority(names: Names): Promise<{ certificate: string; key: string }> {
  const keys = await generate()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=kedge-ca ${serial().slice(0, 8)}`,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + 100 * YEAR),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      constraints(names),
    ],
  })
  return { certificate: cert.toString('pem'), key: await pem(keys.privateKey) }
}

/** Loads the authority of a data folder, or makes one there for these names. */
export async function openAuthority(folder: string, names: Names): Promise<Authority> {
  const certFile = path.join(folder, 'ca.crt')
  const keyFile = path.join(folder, 'ca.key')
  const namesFile = path.join(folder, 'ca.names.json')
  if (!existsSync(keyFile)) {
    const made = await makeAuthority(names)
    writeFileSync(keyFile, made.key, { mode: 0o600 })
    writeFileSync(certFile, `${made.certificate}\n`)
    writeFileSync(namesFile, JSON.stringify(names))
  }
  const permitted: Names = JSON.parse(readFileSync(namesFile, 'utf8'))
  const may = (n: string) => n.startsWith('127.') || permitted.ips.includes(n) || permitted.dns.some((d) => n === d || n.endsWith(`.${d}`))
  const ca = new x509.X509Certificate(readFileSync(certFile, 'utf8'))
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decode(readFileSync(keyFile, 'utf8'))[0]!,
    ALGORITHM,
    false,
    ['sign'],
  )
  return {
    certificate: readFileSync(certFile, 'utf8'),
    hash: `sha256:${createHash('sha256').update(Buffer.from(ca.rawData)).digest('hex')}`,
    refused: ({ dns, ips }) => [...dns, ...ips].filter((n) => !may(n)),
    issue: async (wanted) => {
      const keys = await generate()
      const cert = await x509.X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: 'CN=kedge',
        issuer: ca.subject,
        notBefore: new Date(Date.now() - HOUR),
        notAfter: new Date(Date.now() + 10 * YEAR),
        signingAlgorithm: ALGORITHM,
        publicKey: keys.publicKey,
        signingKey: signingKey as unknown as CryptoKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
          await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
          new x509.SubjectAlternativeNameExtension([
            ...wanted.dns.filter(may).map((value) => ({ type: 'dns' as const, value })),
            ...wanted.ips.filter(may).map((value) => ({ type: 'ip' as const, value })),
          ]),
        ],
      })
      return { cert: `${cert.toString('pem')}\n${readFileSync(certFile, 'utf8')}`, key: await pem(keys.privateKey) }
    },
  }
}
