// Our ACME client and a real server: orders that come to a certificate, and those that do not.

import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AcmeClient, AcmeError, thumbprintOf } from '../../api/acme/client.ts'
import { endOf, signingRequest } from '../../api/acme/signing-request.ts'
import { outboundFor } from '../../api/platform/node/outbound.ts'
import { AcmeServer, acmeMissing } from '../rig/acme-server.ts'

const missing = acmeMissing()

describe.skipIf(missing)('the client', () => {
  let web: Server
  let acme: AcmeServer
  let key: JWK
  let thumbprint: string
  const asked: string[] = []
  beforeAll(async () => {
    key = await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)
    thumbprint = await thumbprintOf(key)
    web = createServer((req, res) => {
      asked.push(`${req.headers.host?.split(':')[0]}`)
      const token = req.url!.split('/').at(-1)
      // One host gives the answer of another account.
      res.end(`${token}.${req.headers.host?.startsWith('wrong') ? 'x'.repeat(43) : thumbprint}`)
    })
    await new Promise<void>((r) => web.listen(0, '127.0.0.1', r))
    acme = await AcmeServer.start('127.0.0.1', '127.0.0.1', (web.address() as AddressInfo).port)
  }, 300_000)
  afterAll(async () => {
    web?.close()
    await acme?.stop()
  })

  const order = async (hosts: string[], ca = acme.ca) => {
    const waited: string[] = []
    const { request } = await signingRequest(hosts)
    const answering = async (host: string) => void waited.push(host)
    const chain = await new AcmeClient(outboundFor(true), acme.directory, key, ca).issue({
      hosts,
      email: 'a@example.com',
      request,
      answering,
    })
    return { chain, waited }
  }

  test('hosts that answer get a certificate with its chain, as often as they ask', async () => {
    const { chain, waited } = await order(['one.test', 'two.test'])
    const names = new X509Certificate(chain).subjectAltName
    expect(names).toBe('DNS:one.test, DNS:two.test')
    expect(chain.match(/BEGIN CERTIFICATE/g)!.length).toBeGreaterThan(1)
    expect(endOf(chain)! - Date.now()).toBeGreaterThan(80 * 24 * 3600_000)
    expect(waited.sort()).toEqual(['one.test', 'two.test'])
    expect(asked).toContain('two.test')
    // The account is found again; what was proven a moment ago may be taken as proven.
    expect(new X509Certificate((await order(['one.test'])).chain).subjectAltName).toBe('DNS:one.test')
  })

  test('a host that gives another answer gets none, and it is told why', async () => {
    const failed = await order(['wrong.test']).catch((e) => e)
    expect(failed).toBeInstanceOf(AcmeError)
    expect(failed.message).toMatch(/key authorization|Incorrect validation|did not match/i)
  })

  test('what the server refuses outright is told in its words', async () => {
    await expect(order(['not_a_host'])).rejects.toThrow('illegal character')
  })

  test('a server that is not trusted is not spoken to', async () => {
    await expect(order(['one.test'], '')).rejects.toThrow(/self-signed|certificate/)
  })
})
