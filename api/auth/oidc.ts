// Users of an OpenID Connect provider: ID tokens checked against the provider's published keys, claims turned into user and groups.
// The settings mean what kube-apiserver's --oidc-* flags mean.
import { createRemoteJWKSet, customFetch, decodeJwt, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { SIGN_IN_SCOPE } from '../../shared/sign-in.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Identity } from '../registry/context.ts'

export interface OidcSettings {
  /** `iss` of its tokens; the provider's configuration is below it. https, or http on this machine. */
  issuerUrl: string
  /** `aud` of its tokens. */
  clientId: string
  /** Default `sub`. */
  usernameClaim?: string
  /** Default `ISSUER#`, and nothing for the claim `email`. `-` is nothing. */
  usernamePrefix?: string
  groupsClaim?: string
  groupsPrefix?: string
}

type Fetch = typeof fetch

const RETRY_AFTER = 10_000

/** What a browser needs to know to sign somebody in. */
export interface WayIn {
  issuer: string
  clientId: string
  authorizationEndpoint: string
  scope: string
}

export interface ProviderTokens {
  idToken: string
  refreshToken?: string
}

interface Configuration {
  issuer: string
  jwks_uri: string
  authorization_endpoint?: string
  token_endpoint?: string
}

/** Throws on settings that cannot work. */
export function checkOidc(s: OidcSettings): OidcSettings {
  const url = new URL(s.issuerUrl)
  const local = url.hostname === 'localhost' || url.hostname.startsWith('127.')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) throw new Error('the OIDC issuer must be an https URL')
  if (!s.clientId) throw new Error('an OIDC issuer needs a client id')
  return s
}

export class Oidc {
  readonly settings: OidcSettings
  readonly #clock: Clock
  readonly #log: Log
  readonly #fetch: Fetch
  #known?: { keys: JWTVerifyGetKey; configuration: Configuration }
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(settings: OidcSettings, clock: Clock, log: Log, fetchThrough: Fetch = (input, init) => fetch(input, init)) {
    this.settings = settings
    this.#clock = clock
    this.#log = log
    this.#fetch = fetchThrough
  }

  /** Whether a token says that it is the provider's. */
  issued(token: string): boolean {
    try {
      return decodeJwt(token).iss === this.settings.issuerUrl
    } catch {
      return false
    }
  }

  /** What the provider publishes; undefined while it cannot be reached, and it is left alone for a while then. */
  async #provider() {
    if (this.#known) return this.#known
    if (this.#clock.now() - this.#failedAt < RETRY_AFTER) return undefined
    try {
      const at = `${this.settings.issuerUrl.replace(/\/$/, '')}/.well-known/openid-configuration`
      const response = await this.#fetch(at, { signal: AbortSignal.timeout(5000) })
      if (!response.ok) throw new Error(`${at} answered ${response.status}`)
      const configuration = (await response.json()) as Configuration
      if (configuration.issuer !== this.settings.issuerUrl) throw new Error(`the provider says that its issuer is ${configuration.issuer}`)
      const keys = createRemoteJWKSet(new URL(configuration.jwks_uri), { [customFetch]: this.#fetch as never })
      this.#known = { keys, configuration }
      return this.#known
    } catch (cause) {
      this.#failedAt = this.#clock.now()
      this.#log.error('the OIDC provider could not be asked', cause, { issuer: this.settings.issuerUrl })
      return undefined
    }
  }

  /** Undefined while the provider cannot be reached, or has no page to sign in at. */
  async wayIn(): Promise<WayIn | undefined> {
    const at = (await this.#provider())?.configuration.authorization_endpoint
    const { issuerUrl: issuer, clientId } = this.settings
    return at ? { issuer, clientId, authorizationEndpoint: at, scope: SIGN_IN_SCOPE } : undefined
  }

  /** A code or a refresh token for tokens (RFC 6749), as a public client. Undefined when the provider refuses; `away` when it cannot be reached. */
  async trade(grant: Record<string, string>): Promise<ProviderTokens | 'away' | undefined> {
    const at = (await this.#provider())?.configuration.token_endpoint
    if (!at) return 'away'
    try {
      const response = await this.#fetch(at, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: new URLSearchParams({ ...grant, client_id: this.settings.clientId }).toString(),
        signal: AbortSignal.timeout(10_000),
      })
      if (response.status >= 500) return 'away'
      const answer = (await response.json()) as { id_token?: string; refresh_token?: string }
      if (!response.ok || !answer.id_token) return undefined
      return { idToken: answer.id_token, ...(answer.refresh_token ? { refreshToken: answer.refresh_token } : {}) }
    } catch (cause) {
      this.#log.error('the OIDC provider could not be asked', cause, { issuer: this.settings.issuerUrl })
      return 'away'
    }
  }

  /** Who signed in; undefined when the token does not hold. */
  async verify(token: string): Promise<Identity | undefined> {
    const keys = (await this.#provider())?.keys
    if (!keys) return undefined
    const { issuerUrl, clientId, usernameClaim = 'sub', usernamePrefix, groupsClaim, groupsPrefix = '' } = this.settings
    let claims: Record<string, unknown>
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: issuerUrl,
        audience: clientId,
        requiredClaims: ['exp'],
        currentDate: new Date(this.#clock.now()),
        clockTolerance: 10,
      })
      claims = payload
    } catch {
      return undefined
    }
    const name = claims[usernameClaim]
    if (typeof name !== 'string' || !name) return undefined
    // An address that nobody has proved is nobody's.
    if (usernameClaim === 'email' && claims.email_verified !== undefined && claims.email_verified !== true) return undefined
    const prefix = usernamePrefix === '-' ? '' : (usernamePrefix ?? (usernameClaim === 'email' ? '' : `${issuerUrl}#`))
    const given = groupsClaim ? claims[groupsClaim] : undefined
    const groups = (Array.isArray(given) ? given : given === undefined ? [] : [given])
      .filter((g): g is string => typeof g === 'string')
      .map((g) => groupsPrefix + g)
    const username = prefix + name
    // What the control plane itself goes by cannot come from outside.
    if (username.startsWith('system:')) return undefined
    return { username, groups: [...groups.filter((g) => !g.startsWith('system:')), 'system:authenticated'] }
  }
}
