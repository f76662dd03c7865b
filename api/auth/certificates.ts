// Certificate authorities and the server certificates under them, by WebCrypto: the same on every platform.
// Nothing here depends on anyone's calendar: an authority lasts a lifetime, and certificates are made anew long before they end.
import 'reflect-metadata'
import { AsnConvert } from '@peculiar/asn1-schema'
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } from '@peculiar/asn1-x509'
import * as x509 from '@peculiar/x509'
import type { SigningRequest } from '../registry/context.ts'

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

/** Critical name constraints: these names and addresses, and the loopback network. */
export function nameConstraints({ dns, ips }: Names): x509.Extension {
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

const signingKeyOf = (ca: AuthorityPair): Promise<CryptoKey> =>
  crypto.subtle.importKey('pkcs8', x509.PemConverter.decode(ca.key)[0]!, ALGORITHM, false, ['sign'])

/** A server's certificate as PEM, the authority's after it. */
export async function issueServer(ca: AuthorityPair, publicKey: CryptoKey, names: Names, now: number): Promise<string> {
  const authority = new x509.X509Certificate(ca.certificate)
  const signingKey = await signingKeyOf(ca)
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

/** A client's certificate and its key, PEM. */
export async function issueClient(ca: AuthorityPair, commonName: string, now: number): Promise<{ cert: string; key: string }> {
  const keys = await generateKeys()
  const authority = new x509.X509Certificate(ca.certificate)
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: `CN=${commonName}`,
    issuer: authority.subject,
    notBefore: new Date(now - HOUR),
    notAfter: new Date(now + 10 * YEAR),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await signingKeyOf(ca),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([extendedUsages['client auth']!]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  })
  return { cert: `${cert.toString('pem')}\n`, key: await privatePem(keys.privateKey) }
}

const tagOf = (pem: string): string | undefined => /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1]

function parseRequest(pem: string): x509.Pkcs10CertificateRequest {
  if (tagOf(pem) !== 'CERTIFICATE REQUEST') throw new Error('PEM block type must be CERTIFICATE REQUEST')
  return new x509.Pkcs10CertificateRequest(pem)
}

const namesOf = (extensions: x509.Extension[]) =>
  extensions.flatMap((e) => (e instanceof x509.SubjectAlternativeNameExtension ? e.names.toJSON() : []))

/** Reads a PKCS#10 request in PEM, and checks that its maker holds the key. Throws on anything else. */
export async function readSigningRequest(pem: string): Promise<SigningRequest> {
  const request = parseRequest(pem)
  if (!(await request.verify())) throw new Error('x509: signature verification failure')
  const subject = request.subjectName
  return {
    commonName: subject.getField('CN')[0] ?? '',
    organizations: subject.getField('O'),
    names: namesOf(request.extensions),
  }
}

const { KeyUsageFlags } = x509
/** Usages as Kubernetes names them, that are bits of a certificate. */
const keyUsages: Record<string, number> = {
  signing: KeyUsageFlags.digitalSignature,
  'digital signature': KeyUsageFlags.digitalSignature,
  'content commitment': KeyUsageFlags.nonRepudiation,
  'key encipherment': KeyUsageFlags.keyEncipherment,
  'key agreement': KeyUsageFlags.keyAgreement,
  'data encipherment': KeyUsageFlags.dataEncipherment,
  'cert sign': KeyUsageFlags.keyCertSign,
  'crl sign': KeyUsageFlags.cRLSign,
  'encipher only': KeyUsageFlags.encipherOnly,
  'decipher only': KeyUsageFlags.decipherOnly,
}
/** And those that are named by object identifiers. */
const extendedUsages: Record<string, string> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
}
const BACKDATE = 5 * 60 * 1000

/** Certifies a request as it is, for these usages and so many ms. */
export async function signRequest(ca: AuthorityPair, pem: string, usages: string[], ttl: number, now: number): Promise<string> {
  const request = parseRequest(pem)
  const authority = new x509.X509Certificate(ca.certificate)
  const bits = usages.reduce((n, u) => n | (keyUsages[u] ?? 0), 0)
  const oids = [...new Set(usages.flatMap((u) => extendedUsages[u] ?? []))]
  const names = namesOf(request.extensions)
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: request.subjectName.toJSON(),
    issuer: authority.subject,
    notBefore: new Date(now - BACKDATE),
    notAfter: new Date(now + ttl),
    signingAlgorithm: ALGORITHM,
    publicKey: request.publicKey,
    signingKey: await signingKeyOf(ca),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(bits ? [new x509.KeyUsagesExtension(bits, true)] : []),
      ...(oids.length ? [new x509.ExtendedKeyUsageExtension(oids)] : []),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      ...(names.length ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  })
  return `${cert.toString('pem')}\n`
}

/** What keeps a certificate (base64 of DER) from being a trust anchor; undefined where nothing does. */
export function whyNoAnchor(der: string): string | undefined {
  try {
    const cert = new x509.X509Certificate(der)
    return cert.getExtension(x509.BasicConstraintsExtension)?.ca ? undefined : 'does not have the CA bit set'
  } catch {
    return 'does not parse as X.509'
  }
}

/** Who a client's certificate (DER) says it is, and until when, where this authority signed it for clients and it is valid now. */
export async function readClient(
  ca: string,
  der: Uint8Array,
  now: number,
): Promise<{ commonName: string; organizations: string[]; until: number } | undefined> {
  const cert = new x509.X509Certificate(der as BufferSource)
  const usages = cert.getExtension(x509.ExtendedKeyUsageExtension)?.usages as string[] | undefined
  if (!usages?.some((u) => u === extendedUsages['client auth'] || u === extendedUsages.any)) return undefined
  if (now < cert.notBefore.getTime() || now > cert.notAfter.getTime()) return undefined
  const { publicKey } = new x509.X509Certificate(ca)
  if (!(await cert.verify({ publicKey, signatureOnly: true }))) return undefined
  const subject = cert.subjectName
  return { commonName: subject.getField('CN')[0] ?? '', organizations: subject.getField('O'), until: cert.notAfter.getTime() }
}
