// A small OpenID Connect provider for tests: authorization code with PKCE, refresh and device code; whoever comes is signed in as `person`.
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export interface Person {
  sub: string
  email: string
  email_verified: boolean
  groups?: string[]
}

interface Grant {
  person: Person
  nonce?: string
  challenge?: string
  redirect?: string
}

export class OidcProvider {
  /** Who the next sign-in is. */
  person: Person = { sub: '1', email: 'ann@example.com', email_verified: true }
  /** How long ID tokens hold, seconds. */
  lifetime = 300
  refreshes = 0
  readonly clientId = 'kedge'
  readonly #codes = new Map<string, Grant>()
  readonly #refresh = new Map<string, Grant>()
  readonly #server = createServer((req, res) => {
    this.#answer(req)
      .then(({ status, body, location }) => {
        res.writeHead(status, { 'content-type': 'application/json', ...(location ? { location } : {}) })
        res.end(body === undefined ? '' : JSON.stringify(body))
      })
      .catch((cause) => res.writeHead(500).end(String(cause)))
  })
  #keys!: Awaited<ReturnType<typeof generateKeyPair>>

  static async start(address: string): Promise<OidcProvider> {
    const p = new OidcProvider()
    p.#keys = await generateKeyPair('ES256')
    await new Promise<void>((r) => p.#server.listen(0, address, r))
    return p
  }
  get issuer(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `http://${address}:${port}`
  }
  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async idToken(person: Person, nonce?: string): Promise<string> {
    const { sub, ...claims } = person
    return new SignJWT({ ...claims, ...(nonce ? { nonce } : {}) })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer(this.issuer)
      .setSubject(sub)
      .setAudience(this.clientId)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + this.lifetime)
      .sign(this.#keys.privateKey)
  }

  async #tokens(grant: Grant) {
    const refresh = randomBytes(16).toString('hex')
    this.#refresh.set(refresh, grant)
    const id = await this.idToken(grant.person, grant.nonce)
    return {
      status: 200,
      body: { access_token: 'unused', token_type: 'Bearer', expires_in: this.lifetime, id_token: id, refresh_token: refresh },
    }
  }

  async #answer(req: IncomingMessage): Promise<{ status: number; body?: unknown; location?: string }> {
    const url = new URL(req.url ?? '/', this.issuer)
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return {
          status: 200,
          body: {
            issuer: this.issuer,
            authorization_endpoint: `${this.issuer}/authorize`,
            token_endpoint: `${this.issuer}/token`,
            device_authorization_endpoint: `${this.issuer}/device`,
            jwks_uri: `${this.issuer}/keys`,
            response_types_supported: ['code'],
            id_token_signing_alg_values_supported: ['ES256'],
            code_challenge_methods_supported: ['S256'],
          },
        }
      case '/keys':
        return { status: 200, body: { keys: [{ ...(await exportJWK(this.#keys.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }] } }
      case '/authorize': {
        const q = url.searchParams
        if (q.get('client_id') !== this.clientId || q.get('code_challenge_method') !== 'S256')
          return { status: 400, body: { error: 'invalid_request' } }
        const code = randomBytes(16).toString('hex')
        const redirect = q.get('redirect_uri')!
        this.#codes.set(code, { person: this.person, nonce: q.get('nonce') ?? undefined, challenge: q.get('code_challenge')!, redirect })
        const back = new URL(redirect)
        back.searchParams.set('code', code)
        back.searchParams.set('state', q.get('state') ?? '')
        return { status: 302, location: back.href }
      }
      case '/device':
        this.#codes.set('device', { person: this.person })
        return {
          status: 200,
          body: { device_code: 'device', user_code: 'ABCD-EFGH', verification_uri: `${this.issuer}/activate`, expires_in: 60, interval: 1 },
        }
      case '/token': {
        const parts: Buffer[] = []
        for await (const part of req) parts.push(part as Buffer)
        const form = new URLSearchParams(Buffer.concat(parts).toString())
        if (form.get('grant_type') === 'refresh_token') {
          const grant = this.#refresh.get(form.get('refresh_token') ?? '')
          this.refreshes++
          // Used once: the next one comes with the answer.
          this.#refresh.delete(form.get('refresh_token') ?? '')
          return grant ? this.#tokens({ person: grant.person }) : { status: 400, body: { error: 'invalid_grant' } }
        }
        const code = form.get('code') ?? form.get('device_code') ?? ''
        const grant = this.#codes.get(code)
        this.#codes.delete(code)
        if (!grant) return { status: 400, body: { error: 'invalid_grant' } }
        if (grant.challenge) {
          const made = createHash('sha256')
            .update(form.get('code_verifier') ?? '')
            .digest('base64url')
          if (made !== grant.challenge || form.get('redirect_uri') !== grant.redirect)
            return { status: 400, body: { error: 'invalid_grant' } }
        }
        return this.#tokens(grant)
      }
      default:
        return { status: 404, body: {} }
    }
  }
}
