// Certificate authorities and the server certificates under them, by WebCrypto: the same on every platform.
// Nothing here depends on anyone's calendar: an authority lasts a lifetime, and certificates are made anew long before they end.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const YEAR = 365 * 24 * 3600 * 1000
const HOUR = 3600 * 1000

x509.cryptoProvider.set(crypto)

export interface Names {
  dns: string[]
  /** IPv4 addresses. */
  ips: string[]
}

/** PEM, both. */
export interface AuthorityPair {
  certificate: string
  key: string
}

export const generateKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>

export const privatePem = async (key: CryptoKey): Promise<string> =>
  x509.PemConverter.encode((await crypto.subtle.exportKey('pkcs8', key)) as ArrayBuffer, 'PRIVATE KEY')

/** The public half of a P-256 key as a JWK. Throws when it is not one. */
export const importPublic = (jwk: JsonWebKey): Promise<CryptoKey> =>
  crypto.subtle.importKey('jwk', { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, ALGORITHM, true, ['verify'])

/** 16 random bytes as hex, positive as DER reads it. */
const serial = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((b) => b.toString(16).padStart(2, '0'))
    .join('')
    .replace(/^[089a-f]/, '1')

export async function makeAuthority(now: number, extensions: x509.Extension[] = []): Promise<AuthorityPair> {
  const keys = await generateKeys()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=kedge-ca ${serial().slice(0, 8)}`,
    notBefore: new Date(now - HOUR),
    notAfter: new Date(now + 100 * YEAR),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...extensions,
    ],
  })
  return { certificate: `${cert.toString('pem')}\n`, key: await privatePem(keys.privateKey) }
}

/** A server's certificate as PEM, the authority's after it. */
export async function issueServer(ca: AuthorityPair, publicKey: CryptoKey, names: Names, now: number): Promise<string> {
  const authority = new x509.X509Certificate(ca.certificate)
  const signingKey = await crypto.subtle.importKey('pkcs8', x509.PemConverter.decode(ca.key)[0]!, ALGORITHM, false, ['sign'])
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'CN=kedge',
    issuer: authority.subject,
    notBefore: new Date(now - HOUR),
    notAfter: new Date(now + 10 * YEAR),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      new x509.SubjectAlternativeNameExtension([
        ...names.dns.map((value) => ({ type: 'dns' as const, value })),
        ...names.ips.map((value) => ({ type: 'ip' as const, value })),
      ]),
    ],
  })
  return `${cert.toString('pem')}\n${ca.certificate}`
}
