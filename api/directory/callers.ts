// Who asks a host: the bearer of an API token, or a person who signed in with the host's OIDC provider.
import type { Oidc } from '../auth/oidc.ts'
import type { Identity } from '../registry/context.ts'
import type { Directory, Token } from './directory.ts'
import { grantsOf, type Role, type Scope } from './roles.ts'

/** What a caller has in one account. */
export interface Standing extends Scope {
  account: string
  /** How the log and RBAC name the caller. */
  username: string
  uid?: string
  role: Role
}

export type Caller = { token: Token } | { user: string; groups: string[]; accounts: { account: string; role: Role }[] }

export const bearerOf = (header: string | undefined): string | undefined => /^bearer (\S+)$/i.exec(header ?? '')?.[1]

/** Whether the host itself must know this bearer; else it is a cluster's own affair (service accounts, nodes). */
export const isOurs = (bearer: string, oidc: Oidc | undefined): boolean => bearer.startsWith('kedge-api-') || !!oidc?.issued(bearer)

/** Undefined for whom nobody knows. */
export async function callerOf(directory: Directory, oidc: Oidc | undefined, bearer: string): Promise<Caller | undefined> {
  if (bearer.startsWith('kedge-api-')) {
    const token = await directory.find(bearer)
    return token && { token }
  }
  const user = oidc?.issued(bearer) ? await oidc.verify(bearer) : undefined
  return user && { user: user.username, groups: user.groups, accounts: await directory.memberships(user.username) }
}

/** What the caller is in an account; undefined for a stranger. */
export function standingIn(caller: Caller, account: string): Standing | undefined {
  if ('token' in caller) {
    const { token: t } = caller
    if (t.account !== account) return undefined
    const scope = {
      ...(t.cluster !== undefined ? { cluster: t.cluster } : {}),
      ...(t.namespace !== undefined ? { namespace: t.namespace } : {}),
    }
    return { account, username: `kedge:${t.account}:${t.name}`, uid: t.id, role: t.role, ...scope }
  }
  const member = caller.accounts.find((m) => m.account === account)
  return member && { account, username: caller.user, role: member.role }
}

/** The caller inside a cluster of the account. Groups of the provider come along, for RBAC. */
export const identityOf = (caller: Caller, s: Standing): Identity => ({
  username: s.username,
  ...(s.uid ? { uid: s.uid } : {}),
  groups: [...new Set([`kedge:${s.account}`, 'system:authenticated', ...('user' in caller ? caller.groups : [])])],
  grants: grantsOf(s.role, s.namespace),
})
