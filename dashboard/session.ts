// Who is signed in. The token lives as long as the tab does, and nowhere else.
import { signal } from '@preact/signals'

interface Kept {
  token: string
  /** Of a person who signed in at a provider: when the token ends, ms, and what brings the next one. */
  expires?: number
  refreshToken?: string
}

const at = () => location.pathname.replace(/\/ui(\/.*)?$/, '/ui')
const KEY = () => `kedge ${at()}`
/** A token is renewed this long before it ends, ms. */
const EARLY = 60_000

const read = (): Kept | undefined => {
  try {
    return JSON.parse(sessionStorage.getItem(KEY()) ?? 'null') ?? undefined
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
  if (k) sessionStorage.setItem(KEY(), JSON.stringify(k))
  else sessionStorage.removeItem(KEY())
}

export function signedOut(why: string): void {
  if (!kept.value) return
  reason.value = why
  keep(undefined)
}

/** With a token of the cluster, or of the host. */
export function signIn(token: string): void {
  reason.value = ''
  keep({ token })
}

function keepTokens(t: { idToken: string; refreshToken?: string }): void {
  const claims = JSON.parse(atob(t.idToken.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')))
  reason.value = ''
  keep({ token: t.idToken, expires: claims.exp * 1000, ...(t.refreshToken ? { refreshToken: t.refreshToken } : {}) })
}

let renewal: Promise<void> | undefined
async function renew(refreshToken: string): Promise<void> {
  const answer = await fetch(`${at()}/sign-in`, { method: 'POST', body: JSON.stringify({ refreshToken }) })
  if (answer.ok) return keepTokens({ refreshToken, ...((await answer.json()) as { idToken: string }) })
  if (answer.status < 500) signedOut('You are signed out: the provider wants you to sign in again.')
}

export const session = {
  /** The token to ask with, renewed where it is about to end. */
  async token(): Promise<string> {
    const k = kept.value
    if (k?.refreshToken && k.expires !== undefined && k.expires - EARLY < Date.now()) {
      renewal ??= renew(k.refreshToken).finally(() => {
        renewal = undefined
      })
      await renewal.catch(() => {})
    }
    return kept.value?.token ?? ''
  },
}

export interface Provider {
  authorizationEndpoint: string
  clientId: string
  scope: string
}

/** Where people sign in; undefined where the cluster knows no provider. */
export async function provider(): Promise<Provider | undefined> {
  const answer = await fetch(`${at()}/sign-in`)
  return answer.ok ? ((await answer.json()) as { oidc?: Provider }).oidc : undefined
}

const random = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32)))).replace(/[+/=]/g, '')
const redirectUri = () => `${location.origin}${at()}/`
const PENDING = 'kedge sign-in'

/** Goes to the provider (authorization code with PKCE, RFC 7636); it sends the browser back here. */
export async function goToProvider(p: Provider): Promise<void> {
  const [verifier, state] = [random() + random(), random()]
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)))
  const challenge = btoa(String.fromCharCode(...digest))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, hash: location.hash }))
  const url = new URL(p.authorizationEndpoint)
  const query = {
    response_type: 'code',
    client_id: p.clientId,
    redirect_uri: redirectUri(),
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
    body: JSON.stringify({ code, verifier: pending.verifier, redirectUri: redirectUri() }),
  })
  if (answer.ok) keepTokens((await answer.json()) as { idToken: string })
  else reason.value = ((await answer.json().catch(() => ({}))) as any).message ?? 'The provider did not accept the sign-in.'
}
