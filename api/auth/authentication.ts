// From a request's bearer token to an identity: static tokens, stored tokens, service accounts, nodes; then impersonation.
import { decodeJwt } from 'jose'
import { fromBase64UrlText } from '../../shared/meta/base64.ts'
import { forbidden, StatusError, unauthorized } from '../../shared/status/index.ts'
import type { Attributes, Identity } from '../registry/context.ts'
import type { Nodes } from './nodes.ts'
import type { Oidc } from './oidc.ts'
import type { ServiceAccounts } from './service-accounts.ts'
import type { Tokens } from './tokens.ts'

export const anonymous: Identity = { username: 'system:anonymous', groups: ['system:unauthenticated'] }

/** Lines of kube-apiserver's --token-auth-file: token,user,uid,"group1,group2". Throws on a malformed line, by number only. */
export function parseTokenFile(text: string): Map<string, Identity> {
  const out = new Map<string, Identity>()
  for (const [i, line] of text.split('\n').entries()) {
    if (!line.trim() || line.startsWith('#')) continue
    const cells = [...line.matchAll(/("([^"]*)"|[^,]*)(,|$)/g)].map((m) => (m[2] ?? m[1] ?? '').trim())
    const [token, username, uid, groups] = cells
    if (!token || !username) throw new Error(`token file: line ${i + 1} needs token,user,uid`)
    out.set(token, { username, uid: uid ?? '', groups: (groups ?? '').split(',').filter(Boolean) })
  }
  return out
}

export interface Authenticators {
  statics: Map<string, Identity>
  tokens: Tokens
  accounts: ServiceAccounts
  nodes: Nodes
  oidc?: Oidc
}

export const withAuthenticated = (i: Identity): Identity =>
  i.groups.includes('system:authenticated') ? i : { ...i, groups: [...i.groups, 'system:authenticated'] }

/** The identity behind a token, or undefined. */
export async function identify(a: Authenticators, token: string): Promise<Identity | undefined> {
  const fixed = a.statics.get(token)
  if (fixed) return withAuthenticated(fixed)
  if (token.startsWith('kedge-')) {
    const record = await a.tokens.find(token)
    if (!record) return undefined
    // A join token opens one door only: api/http/join.ts asks for it there.
    if (record.kind === 'join') return { username: 'system:bootstrap', groups: ['system:bootstrappers'] }
    return withAuthenticated({ username: record.username, uid: record.uid, groups: record.groups })
  }
  if (token.split('.').length !== 3) return undefined
  if (a.oidc?.issued(token)) return a.oidc.verify(token)
  try {
    if (decodeJwt(token).sub?.startsWith('system:node:')) return await a.nodes.verify(token)
  } catch {
    return undefined
  }
  return a.accounts.verify(token)
}

/** Browsers give a socket no headers: its token is one of the protocols that it offers, as kube-apiserver takes it. */
const PROTOCOL = 'base64url.bearer.authorization.k8s.io.'

/** The `Authorization` of a request, or what a socket offers in its place. Throws 401 on a token that cannot be read. */
export function authorizationOf(headers: Headers): string | undefined {
  const header = headers.get('authorization')
  if (header) return header
  const offered = headers
    .get('sec-websocket-protocol')
    ?.split(',')
    .map((p) => p.trim())
  const shown = offered?.find((p) => p.startsWith(PROTOCOL))
  if (!shown) return undefined
  try {
    return `Bearer ${fromBase64UrlText(shown.slice(PROTOCOL.length))}`
  } catch {
    throw unauthorized()
  }
}

/** Who asks. No header is anonymous; a token that is not known is 401. */
export async function authenticate(a: Authenticators, header: string | undefined): Promise<Identity> {
  if (!header) return anonymous
  const [scheme, token] = header.split(' ')
  if (scheme?.toLowerCase() !== 'bearer' || !token) throw unauthorized()
  const identity = await identify(a, token)
  if (!identity) throw unauthorized()
  return identity
}

/** A key of extras as its header has it; what is no escape stands for itself. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** Applies Impersonate-* headers; every part needs the `impersonate` right on it. */
export async function impersonate(
  user: Identity,
  headers: Headers,
  allowed: (user: Identity, a: Attributes) => Promise<boolean>,
): Promise<Identity> {
  const name = headers.get('impersonate-user')
  const groups = headers
    .get('impersonate-group')
    ?.split(', ')
    .flatMap((g) => g.split(','))
    .map((g) => g.trim())
    .filter(Boolean)
  const uid = headers.get('impersonate-uid')
  const extra: Record<string, string[]> = {}
  headers.forEach((value, key) => {
    if (key.startsWith('impersonate-extra-')) extra[unescaped(key.slice('impersonate-extra-'.length))] = [value]
  })
  if (!name) {
    if (groups || uid || Object.keys(extra).length) throw new StatusError(400, 'BadRequest', 'requested impersonation without a user')
    return user
  }
  const need = async (a: Attributes) => {
    if (await allowed(user, a)) return
    throw forbidden(
      { group: a.group ?? '', resource: a.resource!, name: a.name },
      `User ${JSON.stringify(user.username)} cannot impersonate resource ${JSON.stringify(a.resource)} in API group ${JSON.stringify(a.group ?? '')} at the cluster scope`,
    )
  }
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)
  if (account) await need({ verb: 'impersonate', group: '', resource: 'serviceaccounts', namespace: account[1], name: account[2] })
  else await need({ verb: 'impersonate', group: '', resource: 'users', name })
  for (const g of groups ?? []) await need({ verb: 'impersonate', group: '', resource: 'groups', name: g })
  if (uid) await need({ verb: 'impersonate', group: 'authentication.k8s.io', resource: 'uids', name: uid })
  for (const [key, values] of Object.entries(extra))
    for (const v of values)
      await need({ verb: 'impersonate', group: 'authentication.k8s.io', resource: 'userextras', subresource: key, name: v })
  const all = groups ?? (account ? ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`] : [])
  const known = name === 'system:anonymous' ? [...all, 'system:unauthenticated'] : [...all, 'system:authenticated']
  return { username: name, ...(uid ? { uid } : {}), groups: [...new Set(known)], ...(Object.keys(extra).length ? { extra } : {}) }
}
