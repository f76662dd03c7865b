// A client of ACME servers (RFC 8555): an order for some hosts, proven over HTTP by whoever answers there, becomes a certificate.
// Speaks by the platform's outbound calls, so it is the same on Workers and on Node.
import { base64url, calculateJwkThumbprint, FlattenedSign, importJWK, type JWK } from 'jose'
import type { Outbound } from '../ports/outbound.ts'

/** A server's answer, and all of an order, may take so long, ms. */
const ANSWER_WITHIN = 30_000
const ORDER_WITHIN = 120_000
const [FIRST_POLL, MOST_POLL] = [500, 5000]
/** A number that was used up meanwhile is refused; a fresh one comes along. */
const TRIES = 4
/** Servers want to be told (RFC 8555, 6.1). */
const USER_AGENT = 'kedge'
const MAX_ANSWER = 256 * 1024

interface Directory {
  newNonce: string
  newAccount: string
  newOrder: string
}
interface Answer {
  value: any
  text: string
  location?: string
}

/** The server said no: asking again in a moment changes nothing. `message` is for the user. */
export class AcmeError extends Error {}

export interface Order {
  hosts: readonly string[]
  email?: string
  /** DER of a signing request for these hosts. */
  request: Uint8Array
  /** Resolves when whoever serves a host answers challenges there, or when it is no use to wait. */
  answering(host: string): Promise<void>
}

export const thumbprintOf = (key: JWK): Promise<string> => calculateJwkThumbprint(key)

export class AcmeClient {
  readonly #call: Outbound
  readonly #server: string
  readonly #key: JWK
  readonly #ca?: string
  #nonce?: string
  #account?: string
  #directory?: Directory

  /** `key` is the account's, ES256. `server` is the URL of the directory; `ca` (PEM) all that is trusted, where it is given. */
  constructor(call: Outbound, server: string, key: JWK, ca?: string) {
    this.#call = call
    this.#server = server
    this.#key = key
    if (ca) this.#ca = ca
  }

  /** The certificate with its chain, PEM. Throws AcmeError with what the server says. */
  async issue(o: Order): Promise<string> {
    const until = Date.now() + ORDER_WITHIN
    await this.#signIn(o.email)
    const { newOrder } = await this.#urls()
    const identifiers = o.hosts.map((value) => ({ type: 'dns', value }))
    const made = await this.#post(newOrder, { identifiers })
    const at = made.location ?? fail('the order has no address')
    for (const url of made.value.authorizations ?? []) await this.#prove(url, o, until)
    const ready = await this.#settled(at, ['ready', 'valid'], until)
    if (ready.status === 'ready') await this.#post(ready.finalize, { csr: base64url.encode(o.request) })
    const { certificate } = await this.#settled(at, ['valid'], until)
    return (await this.#post(certificate, undefined)).text
  }

  async #prove(url: string, o: Order, until: number): Promise<void> {
    const { value } = await this.#post(url, undefined)
    if (value.status === 'valid') return
    const challenge = value.challenges?.find((c: any) => c.type === 'http-01')
    if (!challenge) fail(`${value.identifier?.value} cannot be proven over HTTP`)
    await o.answering(value.identifier.value)
    await this.#post(challenge.url, {})
    await this.#settled(url, ['valid'], until)
  }

  /** Asks until it is one of these; what stands in its way is told. */
  async #settled(url: string, wanted: readonly string[], until: number): Promise<any> {
    for (let delay = FIRST_POLL; ; delay = Math.min(delay * 2, MOST_POLL)) {
      const { value } = await this.#post(url, undefined)
      if (wanted.includes(value.status)) return value
      if (!['pending', 'processing', 'ready'].includes(value.status)) fail(faultOf(value) ?? `it is ${value.status}`)
      if (Date.now() > until) fail('the server does not come to an end with it')
      await new Promise((r) => setTimeout(r, delay))
    }
  }

  async #urls(): Promise<Directory> {
    this.#directory ??= (await this.#ask(this.#server)).value as Directory
    return this.#directory
  }

  /** Makes the account, or finds it: the same key is the same account. */
  async #signIn(email: string | undefined): Promise<void> {
    if (this.#account) return
    const { newAccount } = await this.#urls()
    const contact = email ? { contact: [`mailto:${email}`] } : {}
    this.#account =
      (await this.#post(newAccount, { termsOfServiceAgreed: true, ...contact })).location ?? fail('the account has no address')
  }

  /** A signed request; without a payload it reads. */
  async #post(url: string, payload: object | undefined): Promise<Answer> {
    const key = await importJWK(this.#key, 'ES256')
    const { kty, crv, x, y } = this.#key
    for (let tries = 1; ; tries++) {
      this.#nonce ??= await this.#freshNonce()
      const header = { alg: 'ES256', nonce: this.#nonce, url, ...(this.#account ? { kid: this.#account } : { jwk: { kty, crv, x, y } }) }
      this.#nonce = undefined
      const bytes = new TextEncoder().encode(payload === undefined ? '' : JSON.stringify(payload))
      const signed = await new FlattenedSign(bytes).setProtectedHeader(header as never).sign(key)
      try {
        return await this.#ask(url, { method: 'POST', body: JSON.stringify(signed), headers: { 'content-type': 'application/jose+json' } })
      } catch (cause) {
        if (!(cause instanceof StaleNonce) || tries >= TRIES) throw cause
      }
    }
  }

  async #freshNonce(): Promise<string> {
    const { newNonce } = await this.#urls()
    await this.#ask(newNonce, { method: 'HEAD' })
    return this.#nonce ?? fail('the server gives no nonce')
  }

  async #ask(url: string, init: RequestInit = {}): Promise<Answer> {
    const headers = { ...(init.headers as Record<string, string>), 'user-agent': USER_AGENT }
    const signal = AbortSignal.timeout(ANSWER_WITHIN)
    const res = await this.#call(url, { ...init, headers, signal, ...(this.#ca ? { ca: this.#ca } : {}) })
    this.#nonce = res.headers.get('replay-nonce') ?? this.#nonce
    const text = await bounded(res)
    let value: any
    if (/json/.test(res.headers.get('content-type') ?? '')) {
      try {
        value = JSON.parse(text)
      } catch {
        fail(`${new URL(url).host} answers with what is no JSON`)
      }
    }
    if (!res.ok && value?.type === 'urn:ietf:params:acme:error:badNonce') throw new StaleNonce(value.detail)
    if (!res.ok) fail(faultOf({ error: value }) ?? `${new URL(url).host} answers ${res.status}`)
    const location = res.headers.get('location')
    return { value, text, ...(location ? { location } : {}) }
  }
}

class StaleNonce extends AcmeError {}

function fail(message: string): never {
  throw new AcmeError(message)
}

/** What is wrong with an order, an authorization, or a request, in the server's words. */
function faultOf(o: any): string | undefined {
  const problems = [o?.error, ...(o?.error?.subproblems ?? []), ...(o?.challenges ?? []).map((c: any) => c.error)]
  const said = problems.flatMap((p) => (typeof p?.detail === 'string' ? [p.detail] : []))
  return said.length ? said.join('; ').slice(0, 500) : undefined
}

async function bounded(res: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of (res.body ?? []) as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_ANSWER) fail('the server answers with too much')
  }
  return text
}
