// Service-account tokens: JWTs of the cluster's own key, bound to the account (and a pod, if asked), checked against what still exists.
import { decodeJwt, exportJWK, exportPKCS8, generateKeyPair, importJWK, importPKCS8, type JWK, jwtVerify, SignJWT } from 'jose'
import { toBase64Text } from '../../shared/meta/base64.ts'
import { INVALID_SINCE, LAST_USED } from '../../shared/token-secrets.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Identity } from '../registry/context.ts'
import type { Lookup } from '../registry/lookup.ts'
import { Once } from '../registry/one-reader.ts'
import type { Seal } from '../store/seal.ts'
import type { Store } from '../store/store.ts'

const ALG = 'ES256'
const MOST_NOTED = 10_000
const LEGACY_ISSUER = 'kubernetes/serviceaccount'

interface KeyRing {
  kid: string
  sign: CryptoKey
  verify: CryptoKey
  jwk: JWK
}

export interface TokenBinding {
  kind: string
  name: string
  uid: string
}

const identityOf = (ns: string, name: string, uid: string): Identity => ({
  username: `system:serviceaccount:${ns}:${name}`,
  uid,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${ns}`, 'system:authenticated'],
})

export class ServiceAccounts {
  readonly #store: Store
  readonly #seal: Seal | undefined
  readonly #clock: Clock
  readonly #random: Random
  readonly #lookup: Lookup
  readonly issuer: string
  readonly #keys = new Once<KeyRing>()

  constructor(store: Store, seal: Seal | undefined, clock: Clock, random: Random, lookup: Lookup, issuer: string) {
    this.issuer = issuer
    this.#store = store
    this.#seal = seal
    this.#clock = clock
    this.#random = random
    this.#lookup = lookup
  }

  #ring(): Promise<KeyRing> {
    return this.#keys.get(() => this.#load())
  }

  /** The cluster's key is made once, by whoever comes first, and kept sealed in the database. */
  async #load(): Promise<KeyRing> {
    const context = 'meta/service-account-key'
    const text = await this.#store.metaValue('service-account-key', async () => {
      const pair = await generateKeyPair(ALG, { extractable: true })
      const value = JSON.stringify({
        kid: this.#random.uuid(),
        private: await exportPKCS8(pair.privateKey),
        public: await exportJWK(pair.publicKey),
      })
      return this.#seal ? this.#seal.close(context, value) : value
    })
    const key = JSON.parse(this.#seal ? await this.#seal.open(context, text) : text)
    return {
      kid: key.kid,
      sign: await importPKCS8(key.private, ALG),
      verify: (await importJWK(key.public, ALG)) as CryptoKey,
      jwk: { ...key.public, kid: key.kid, alg: ALG, use: 'sig' },
    }
  }

  async jwks(): Promise<{ keys: JWK[] }> {
    return { keys: [(await this.#ring()).jwk] }
  }

  /** A token for an account; `seconds` from now. */
  async issue(ns: string, name: string, uid: string, audiences: string[], seconds: number, bound?: TokenBinding): Promise<string> {
    const { kid, sign } = await this.#ring()
    const now = Math.floor(this.#clock.now() / 1000)
    const ref = bound ? { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } } : {}
    return new SignJWT({ 'kubernetes.io': { namespace: ns, serviceaccount: { name, uid }, ...ref } })
      .setProtectedHeader({ alg: ALG, kid })
      .setIssuer(this.issuer)
      .setSubject(`system:serviceaccount:${ns}:${name}`)
      .setAudience(audiences)
      .setJti(this.#random.uuid())
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + seconds)
      .sign(sign)
  }

  /** A token without an end, for a Secret that holds it and is deleted to revoke it. */
  async issueFor(ns: string, name: string, uid: string, secret: string): Promise<string> {
    const { kid, sign } = await this.#ring()
    return new SignJWT({
      'kubernetes.io/serviceaccount/namespace': ns,
      'kubernetes.io/serviceaccount/secret.name': secret,
      'kubernetes.io/serviceaccount/service-account.name': name,
      'kubernetes.io/serviceaccount/service-account.uid': uid,
    })
      .setProtectedHeader({ alg: ALG, kid })
      .setIssuer(LEGACY_ISSUER)
      .setSubject(`system:serviceaccount:${ns}:${name}`)
      .sign(sign)
  }

  /** As verify(), for tokens that Secrets hold. */
  async #verifyHeld(token: string): Promise<Identity | undefined> {
    const { payload } = await jwtVerify(token, (await this.#ring()).verify, { issuer: LEGACY_ISSUER }).catch(() => ({ payload: undefined }))
    const claim = (name: string) => String(payload?.[`kubernetes.io/serviceaccount/${name}`] ?? '')
    const ns = claim('namespace')
    if (!ns) return undefined
    const held = await this.#lookup.get('secrets', ns, claim('secret.name'))
    if (!held || held.metadata.deletionTimestamp || held.data?.token !== toBase64Text(token) || held.metadata.labels?.[INVALID_SINCE])
      return undefined
    const account = await this.#lookup.get('serviceaccounts', ns, claim('service-account.name'))
    if (account?.metadata.uid !== claim('service-account.uid')) return undefined
    const day = new Date(this.#clock.now()).toISOString().slice(0, 10)
    const use = `${ns}/${held.metadata.name} ${day}`
    if (held.metadata.labels?.[LAST_USED] !== day && !this.#noted.has(use)) {
      if (this.#noted.size >= MOST_NOTED) this.#noted.clear()
      this.#noted.add(use)
      this.used(ns, held.metadata.name, day)
    }
    return identityOf(ns, account.metadata.name, account.metadata.uid)
  }

  /** Uses that were told of, and may not be written yet. */
  readonly #noted = new Set<string>()
  /** Told of the first use of a held token on a day. */
  used: (ns: string, secret: string, day: string) => void = () => {}

  /** The account behind a token, or undefined: bad signature, expired, other audience, account or bound object gone. */
  async verify(token: string, audiences: string[] = [this.issuer]): Promise<Identity | undefined> {
    if (decodeJwt(token).iss === LEGACY_ISSUER) return audiences.includes(this.issuer) ? this.#verifyHeld(token) : undefined
    let claims: any
    try {
      const { payload } = await jwtVerify(token, (await this.#ring()).verify, {
        issuer: this.issuer,
        audience: audiences,
        currentDate: new Date(this.#clock.now()),
      })
      claims = payload['kubernetes.io']
    } catch {
      return undefined
    }
    const { namespace, serviceaccount, pod } = claims ?? {}
    if (!namespace || !serviceaccount) return undefined
    const account = await this.#lookup.get('serviceaccounts', namespace, serviceaccount.name)
    if (account?.metadata.uid !== serviceaccount.uid) return undefined
    if (pod && (await this.#lookup.get('pods', namespace, pod.name))?.metadata.uid !== pod.uid) return undefined
    return {
      ...identityOf(namespace, serviceaccount.name, serviceaccount.uid),
      ...(pod ? { extra: { 'authentication.kubernetes.io/pod-name': [pod.name], 'authentication.kubernetes.io/pod-uid': [pod.uid] } } : {}),
    }
  }
}
