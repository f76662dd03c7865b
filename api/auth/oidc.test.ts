// ID tokens of a real provider's shape: which hold, and who they are.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkOidc, Oidc, type OidcSettings } from './oidc.ts'

const quiet = { info() {}, warn() {}, error() {} }
let issuer = ''
let up = true
let keys: Awaited<ReturnType<typeof generateKeyPair>>
const server = createServer(async (req, res) => {
  if (!up) return void res.writeHead(503).end()
  const body = req.url?.endsWith('/openid-configuration')
    ? { issuer, jwks_uri: `${issuer}/keys` }
    : { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'ES256' }] }
  res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})
beforeAll(async () => {
  keys = await generateKeyPair('ES256')
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())

const token = (claims: Record<string, unknown>, o: { aud?: string; exp?: string; iss?: string; key?: CryptoKey } = {}) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(o.iss ?? issuer)
    .setAudience(o.aud ?? 'kedge')
    .setExpirationTime(o.exp ?? '5m')
    .sign(o.key ?? (keys.privateKey as CryptoKey))
const oidc = (settings: Partial<OidcSettings> = {}, now = Date.now) =>
  new Oidc({ issuerUrl: issuer, clientId: 'kedge', ...settings }, { now }, quiet)

test.each([
  ['sub, with the issuer as prefix', {}, { sub: 'u1' }, 'ISSUER#u1', []],
  ['a prefix', { usernamePrefix: 'oidc:' }, { sub: 'u1' }, 'oidc:u1', []],
  ['no prefix', { usernamePrefix: '-' }, { sub: 'u1' }, 'u1', []],
  ['email', { usernameClaim: 'email' }, { sub: 'u1', email: 'a@b', email_verified: true }, 'a@b', []],
  ['groups', { usernamePrefix: '-', groupsClaim: 'groups', groupsPrefix: 'o:' }, { sub: 'u', groups: ['x', 'y'] }, 'u', ['o:x', 'o:y']],
  ['one group as text', { usernamePrefix: '-', groupsClaim: 'group' }, { sub: 'u', group: 'x' }, 'u', ['x']],
  ['no group of the system', { usernamePrefix: '-', groupsClaim: 'groups' }, { sub: 'u', groups: ['system:masters', 'x'] }, 'u', ['x']],
])('%s', async (_name, settings, claims, username, groups) => {
  expect(await oidc(settings).verify(await token(claims))).toEqual({
    username: username.replace('ISSUER', issuer),
    groups: [...groups, 'system:authenticated'],
  })
})

test('what does not hold', async () => {
  const o = oidc({ usernameClaim: 'email' })
  const other = await generateKeyPair('ES256')
  const good = { email: 'a@b', email_verified: true }
  expect(await o.verify(await token(good))).toBeDefined()
  expect(await o.verify(await token({ ...good, email_verified: false }))).toBeUndefined()
  expect(await o.verify(await token({ sub: 'x' }))).toBeUndefined()
  expect(await o.verify(await token(good, { aud: 'another' }))).toBeUndefined()
  expect(await o.verify(await token(good, { exp: '-1m' }))).toBeUndefined()
  expect(await o.verify(await token(good, { iss: 'https://elsewhere' }))).toBeUndefined()
  expect(await o.verify(await token(good, { key: other.privateKey as CryptoKey }))).toBeUndefined()
  expect(await o.verify(await token({ email: 'system:admin', email_verified: true }))).toBeUndefined()
})

test('a provider that is away refuses its users, and is asked again later', async () => {
  let now = Date.now()
  const o = oidc({ usernamePrefix: '-' }, () => now)
  const t = await token({ sub: 'u' })
  up = false
  expect(await o.verify(t)).toBeUndefined()
  up = true
  expect(await o.verify(t)).toBeUndefined()
  now += 11_000
  expect((await o.verify(t))?.username).toBe('u')
})

test.each([
  [{ issuerUrl: 'http://example.com', clientId: 'x' }, /https/],
  [{ issuerUrl: 'https://example.com', clientId: '' }, /client id/],
])('settings %j are refused', (settings, message) => {
  expect(() => checkOidc(settings)).toThrow(message)
})
