// Keys and signing requests for some hosts, and what is read of the certificate that comes of them. Loaded when there is something to order.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** A key (PEM) and a signing request for it (DER). */
export async function signingRequest(hosts: readonly string[]): Promise<{ key: string; request: Uint8Array }> {
  const keys = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const names = new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns' as const, value })))
  const { rawData } = await x509.Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: CURVE, extensions: [names] })
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { key: `${key}\n`, request: new Uint8Array(rawData) }
}

/** When the first certificate of a chain (PEM) ends, ms; undefined when there is none. */
export function endOf(chain: string): number | undefined {
  const [leaf] = x509.PemConverter.decode(chain)
  return leaf && new x509.X509Certificate(leaf).notAfter.getTime()
}
