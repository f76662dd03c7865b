// Who is signed in. The token lives as long as the tab does, and nowhere else.
import { signal } from '@preact/signals'
import { fromBase64UrlText, toBase64Url } from '../shared/meta/base64.ts'

interface Kept {
  token: string
  /** Of a person who signed in at a provider: when the token ends, ms, and what brings the next one. */
  expires?: number
  refreshToken?: string
}

const at = () => location.pathname.replace(/\/ui(\/.*)?$/, '/ui')
/** Where the dashboard of a host begins. */
const HOST = '/ui'
const keyOf = (path: string) => `kedge ${path}`
/** A token is renewed this long before it ends, ms. */
const EARLY = 60_000

const read = (): Kept | undefined => {
  try {
    return JSON.parse(sessionStorage.getItem(keyOf(at())) ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}

const kept = signal<Kept | undefined>(read())
/** Why somebody has to sign in, for the page where they do. */
export const reason = signal('')
export const isSignedIn = () => kept.value !== undefined

function keep(k: Kept | undefined): void {
  kept.value = k
  if (k) sessionStorage.setItem(keyOf(at()), JSON.stringify(k))
  else sessionStorage.removeItem(keyOf(at()))
}

export function signedOut(why: string): void {
  if (!kept.value) return
  reason.value = why
  keep(undefined)
  // Whoever leaves a host leaves its clusters.
  if (at() === HOST) for (const key of Object.keys(sessionStorage)) if (key.startsWith(keyOf('/clusters/'))) sessionStorage.removeItem(key)
}

/** Takes whoever is signed in to a host along to its clusters. */
export function takeAlong(clusters: string[]): void {
  for (const name of clusters) sessionStorage.setItem(keyOf(`/clusters/${name}${HOST}`), JSON.stringify(kept.value))
}

/** With a token of the cluster, or of the host. */
export function signIn(token: string): void {
  reason.value = ''
  keep({ token })
}

function keepTokens(t: { idToken: string; refreshToken?: string }): void {
  const claims = JSON.parse(fromBase64UrlText(t.idToken.split('.')[1]!))
  reason.value = ''
  keep({ token: t.idToken, expires: claims.exp * 1000, ...(t.refreshToken ? { refreshToken: t.refreshToken } : {}) })
}

let renewal: Promise<void> | undefined
async function renew(refreshToken: string): Promise<void> {
  const answer = await fetch(`${at()}/sign-in`, { method: 'POST', body: JSON.stringify({ refreshToken }) })
  if (answer.ok) return keepTokens({ refreshToken, ...((await answer.json()) as { idToken: string }) })
  if (answer.status < 500) signedOut('You are signed out: the provider wants you to sign in again.')
}

/** The token to ask with, renewed where it is about to end. */
export async function currentToken(): Promise<string> {
  const k = kept.value
  if (k?.refreshToken && k.expires !== undefined && k.expires - EARLY < Date.now()) {
    renewal ??= renew(k.refreshToken).finally(() => {
      renewal = undefined
    })
    await renewal.catch(() => {})
  }
  return kept.value?.token ?? ''
}

export interface Provider {
  authorizationEndpoint: string
  clientId: string
  scope: string
}

export interface Door {
  /** Where people sign in, if anywhere. */
  oidc?: Provider
  /** Whether there are many clusters behind this address. */
  hosted: boolean
}

let door: Promise<Door> | undefined
/** How one gets in here; asked once. */
export function doorOf(): Promise<Door> {
  door ??= fetch(`${at()}/sign-in`).then((answer) => answer.json() as Promise<Door>)
  door.catch(() => {
    door = undefined
  })
  return door
}

const random = () => toBase64Url(crypto.getRandomValues(new Uint8Array(32)))
/** One for all clusters of a host: providers want to know it before. */
const redirectUri = async () => `${location.origin}${(await doorOf()).hosted ? HOST : at()}/`
const PENDING = 'kedge sign-in'

/** Goes to the provider (authorization code with PKCE, RFC 7636); it sends the browser back here. */
export async function goToProvider(p: Provider): Promise<void> {
  const [verifier, state] = [random(), random()]
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)))
  const challenge = toBase64Url(digest)
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, path: at(), hash: location.hash }))
  const url = new URL(p.authorizationEndpoint)
  const query = {
    response_type: 'code',
    client_id: p.clientId,
    redirect_uri: await redirectUri(),
    scope: p.scope,
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }
  for (const [k, v] of Object.entries(query)) url.searchParams.set(k, v)
  location.assign(url)
}

/** Takes up a sign-in that comes back from the provider. */
export async function returnFromProvider(): Promise<void> {
  const query = new URLSearchParams(location.search)
  const state = query.get('state')
  if (!state) return
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? 'null')
  sessionStorage.removeItem(PENDING)
  history.replaceState(null, '', `${location.pathname}${pending?.hash ?? ''}`)
  const code = query.get('code')
  if (!code || pending?.state !== state) {
    reason.value = query.get('error_description') ?? query.get('error') ?? 'The sign-in did not begin in this tab: try again.'
    return
  }
  const answer = await fetch(`${at()}/sign-in`, {
    method: 'POST',
    body: JSON.stringify({ code, verifier: pending.verifier, redirectUri: await redirectUri() }),
  })
  if (answer.ok) {
    keepTokens((await answer.json()) as { idToken: string })
    if (pending.path === at()) return
    sessionStorage.setItem(keyOf(pending.path), JSON.stringify(kept.value))
    location.assign(`${pending.path}/${pending.hash}`)
  } else reason.value = ((await answer.json().catch(() => ({}))) as any).message ?? 'The provider did not accept the sign-in.'
}
