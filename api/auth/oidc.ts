// Users of an OpenID Connect provider: ID tokens checked against the provider's published keys, claims turned into user and groups.
// The settings mean what kube-apiserver's --oidc-* flags mean.
import { createRemoteJWKSet, customFetch, decodeJwt, type JWTVerifyGetKey, jwtVerify } from 'jose'
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
  #keys?: JWTVerifyGetKey
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

  /** The provider's keys; undefined while it cannot be reached, and it is left alone for a while then. */
  async #provider(): Promise<JWTVerifyGetKey | undefined> {
    if (this.#keys) return this.#keys
    if (this.#clock.now() - this.#failedAt < RETRY_AFTER) return undefined
    try {
      const at = `${this.settings.issuerUrl.replace(/\/$/, '')}/.well-known/openid-configuration`
      const response = await this.#fetch(at, { signal: AbortSignal.timeout(5000) })
      if (!response.ok) throw new Error(`${at} answered ${response.status}`)
      const configuration = (await response.json()) as { issuer: string; jwks_uri: string }
      if (configuration.issuer !== this.settings.issuerUrl) throw new Error(`the provider says that its issuer is ${configuration.issuer}`)
      this.#keys = createRemoteJWKSet(new URL(configuration.jwks_uri), { [customFetch]: this.#fetch as never })
      return this.#keys
    } catch (cause) {
      this.#failedAt = this.#clock.now()
      this.#log.error('the OIDC provider could not be asked', cause, { issuer: this.settings.issuerUrl })
      return undefined
    }
  }

  /** Who signed in; undefined when the token does not hold. */
  async verify(token: string): Promise<Identity | undefined> {
    const keys = await this.#provider()
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
