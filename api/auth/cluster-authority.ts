// The cluster's own CA: pods trust it. Each node serves the API to its pods under a certificate of it, wherever the control plane lives and however
// that is reached; so a cluster that moves goes on being trusted.
import { FRONT_PROXY } from '../../shared/kinds/certificates.ts'
import { apiServiceIp } from '../../shared/meta/address.ts'
import type { Clock } from '../ports/clock.ts'
import type { Identity, Settings, SigningRequest } from '../registry/context.ts'
import { Once } from '../registry/one-reader.ts'
import type { Seal } from '../store/seal.ts'
import type { Store } from '../store/store.ts'
import type { AuthorityPair } from './certificates.ts'

/** X.509 is much code, and most starts of a control plane need none of it. */
const x509 = () => import('./certificates.ts')

const KEY = 'cluster-ca'
const CONTEXT = `meta/${KEY}`
/** How many clients' certificates are remembered. */
const MAX_CLIENTS = 1000

export class ClusterAuthority {
  readonly #store: Store
  readonly #seal: Seal
  readonly #clock: Clock
  readonly #settings: Settings
  readonly #pair = new Once<AuthorityPair>()

  constructor(store: Store, seal: Seal, clock: Clock, settings: Settings) {
    this.#store = store
    this.#seal = seal
    this.#clock = clock
    this.#settings = settings
  }

  /** Made once, by whoever comes first, and kept sealed in the database. */
  #load(): Promise<AuthorityPair> {
    return this.#pair.get(async () => {
      const make = async () => this.#seal.close(CONTEXT, JSON.stringify(await (await x509()).makeAuthority(this.#clock.now())))
      return JSON.parse(await this.#seal.open(CONTEXT, await this.#store.metaValue(KEY, make))) as AuthorityPair
    })
  }

  /** What pods trust, as PEM: this CA, and the server's own where it is under a private one. */
  async bundle(): Promise<string> {
    return (await this.#load()).certificate + (this.#settings.caCertificate ?? '')
  }

  /** A certificate for the names that pods call the API by. Throws on a key that is none. */
  async issue(publicKey: JsonWebKey): Promise<string> {
    const { serviceCidr, clusterDomain } = this.#settings
    const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
    const names = { dns: [...service, `kubernetes.default.svc.${clusterDomain}`], ips: [apiServiceIp(serviceCidr)] }
    const { importPublic, issueServer } = await x509()
    return issueServer(await this.#load(), await importPublic(publicKey), names, this.#clock.now())
  }

  /** What a PKCS#10 request (PEM) asks for. Throws when it is none, or not signed by its key. */
  async readRequest(pem: string): Promise<SigningRequest> {
    return (await x509()).readSigningRequest(pem)
  }

  /** Certifies it, for so many ms from now. */
  async sign(pem: string, usages: string[], ttl: number): Promise<string> {
    return (await x509()).signRequest(await this.#load(), pem, usages, ttl, this.#clock.now())
  }

  /** What keeps a certificate (base64 of DER) from being a trust anchor; undefined where nothing does. */
  async whyNoAnchor(der: string): Promise<string | undefined> {
    return (await x509()).whyNoAnchor(der)
  }

  #proxy?: { cert: string; key: string }

  /** The certificate that this server shows to aggregated API servers, PEM. */
  async proxyCertificate(): Promise<{ cert: string; key: string }> {
    this.#proxy ??= await (await x509()).issueClient(await this.#load(), FRONT_PROXY, this.#clock.now())
    return this.#proxy
  }

  readonly #clients = new Map<string, { identity: Identity; until: number }>()

  /** Whose client certificate (DER) this is; undefined where it is not of this authority, or not valid. `id` names it. */
  async client(id: string, der: Uint8Array): Promise<Identity | undefined> {
    const now = this.#clock.now()
    const known = this.#clients.get(id)
    if (known) return now < known.until ? known.identity : undefined
    // What others signed, by whatever algorithm, is no business of ours.
    const { readClient } = await x509()
    const said = await readClient((await this.#load()).certificate, der, now).catch(() => undefined)
    if (!said?.commonName) return undefined
    const identity = { username: said.commonName, groups: said.organizations }
    if (this.#clients.size >= MAX_CLIENTS) this.#clients.clear()
    this.#clients.set(id, { identity, until: said.until })
    return identity
  }
}
