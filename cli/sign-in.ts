// Signing a person in at an OpenID Connect provider: in the browser with a callback on this machine (RFC 8252, PKCE), or with a code typed elsewhere.
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oidc from 'openid-client'
import { SIGN_IN_SCOPE } from '../shared/sign-in.ts'

export interface Provider {
  issuer: string
  clientId: string
}

export interface Tokens {
  idToken: string
  refreshToken?: string
}

const PATIENCE = 5 * 60_000

async function configurationOf({ issuer, clientId }: Provider): Promise<oidc.Configuration> {
  const url = new URL(issuer)
  // A provider on this machine, for trying things out, may do without TLS.
  const local = url.protocol === 'http:' && (url.hostname === 'localhost' || url.hostname.startsWith('127.'))
  return oidc.discovery(url, clientId, undefined, oidc.None(), local ? { execute: [oidc.allowInsecureRequests] } : {}).catch((cause) => {
    throw new Error(`the sign-in provider ${issuer} cannot be reached: ${cause.message}`)
  })
}

function tokensOf(answer: { id_token?: string; refresh_token?: string }, before?: Tokens): Tokens {
  if (!answer.id_token) throw new Error('the sign-in provider gave no ID token')
  const refreshToken = answer.refresh_token ?? before?.refreshToken
  return { idToken: answer.id_token, ...(refreshToken ? { refreshToken } : {}) }
}

/** Without a browser nothing happens. */
export function openBrowser(url: string): void {
  const command = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const child = spawn(command, [url], { stdio: 'ignore', detached: true })
  // Without a browser the printed address is enough.
  child.on('error', () => {})
  child.unref()
}

/** Waits until the browser comes back from the provider. `say` gets the address to open. */
export async function signInWithBrowser(provider: Provider, say: (text: string) => void, browser: boolean): Promise<Tokens> {
  const config = await configurationOf(provider)
  const verifier = oidc.randomPKCECodeVerifier()
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
  let arrived: (at: URL) => void = () => {}
  const callback = new Promise<URL>((resolve) => {
    arrived = resolve
  })
  const server = createServer((req, res) => {
    const at = new URL(req.url ?? '/', redirect)
    if (at.pathname !== '/callback') return void res.writeHead(404).end()
    const failed = at.searchParams.get('error')
    res
      .writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
      .end(failed ? `Sign-in failed: ${failed}. See the terminal.\n` : 'You are signed in. This page can be closed.\n')
    arrived(at)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const redirect = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`
  const timer = setTimeout(() => arrived(new URL(`${redirect}?error=timeout&state=${state}`)), PATIENCE)
  try {
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: redirect,
      scope: SIGN_IN_SCOPE,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    say(`Sign in at:\n  ${url.href}`)
    if (browser) openBrowser(url.href)
    const at = await callback
    const error = at.searchParams.get('error')
    if (error)
      throw new Error(
        error === 'timeout' ? 'nobody signed in for five minutes' : `sign-in failed: ${at.searchParams.get('error_description') ?? error}`,
      )
    return tokensOf(
      await oidc.authorizationCodeGrant(config, at, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }),
    )
  } finally {
    clearTimeout(timer)
    server.close()
  }
}

/** For machines without a browser: a code that is typed in anywhere else. */
export async function signInWithCode(provider: Provider, say: (text: string) => void): Promise<Tokens> {
  const config = await configurationOf(provider)
  const asked = await oidc.initiateDeviceAuthorization(config, { scope: SIGN_IN_SCOPE })
  say(`Open ${asked.verification_uri} and type the code ${asked.user_code}`)
  return tokensOf(await oidc.pollDeviceAuthorizationGrant(config, asked))
}

/** New tokens for old ones. Throws when the provider wants the person to sign in again. */
export async function refresh(provider: Provider, tokens: Tokens): Promise<Tokens> {
  if (!tokens.refreshToken) throw new Error('no refresh token')
  return tokensOf(await oidc.refreshTokenGrant(await configurationOf(provider), tokens.refreshToken), tokens)
}

/** When an ID token ends, ms. */
export function expiryOf(idToken: string): number {
  const claims = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString())
  return (claims.exp ?? 0) * 1000
}
