// The door to the clusters of a host: /clusters/NAME/… becomes a request of that cluster, with who asks and what the account may use.
// Whoever has no business with a cluster gets the same 401, whether the cluster exists or not.
import { StatusError, unauthorized } from '../../shared/status/index.ts'
import type { Oidc } from '../auth/oidc.ts'
import { HOOK_PATH, noHook } from '../deploy/receive.ts'
import { JOIN_PATH, joinRefused } from '../http/node-session.ts'
import type { Identity } from '../registry/context.ts'
import { bearerOf, callerOf, identityOf, isOurs, standingIn } from './callers.ts'
import type { Account, ClusterRecord, Directory } from './directory.ts'
import type { Rates } from './limits.ts'

export interface Admitted {
  record: ClusterRecord
  account: Account
  /** Whose API token it was; undefined where the cluster itself has to know the caller (service accounts, nodes). */
  identity?: Identity
  /** The request's path inside the cluster. */
  path: string
}

const PREFIX = '/clusters/'
/** Of one address, with tokens that fit nothing: each may cost a read. */
const GUESSES_PER_SECOND = 100
/** What a cluster shows to everybody: the keys that its service-account tokens are checked with. */
const PUBLIC = new Set(['/.well-known/openid-configuration', '/openid/v1/jwks'])

/** Name and inner path of `/clusters/NAME/…`; undefined for other paths. */
export function clusterPath(pathname: string): { name: string; path: string } | undefined {
  if (!pathname.startsWith(PREFIX)) return undefined
  const rest = pathname.slice(PREFIX.length)
  const slash = rest.indexOf('/')
  const name = slash < 0 ? rest : rest.slice(0, slash)
  return name ? { name, path: slash < 0 ? '/' : rest.slice(slash) } : undefined
}

const tooMany = (what: string) => new StatusError(429, 'TooManyRequests', `${what}, please try again later`, { retryAfterSeconds: 1 })

/** Who asks for which cluster. Throws StatusErrors. */
export async function admit(
  directory: Directory,
  rates: Rates,
  where: { name: string; path: string },
  authorization: string | undefined,
  oidc: Oidc | undefined,
  address: string | undefined,
): Promise<Admitted> {
  const bearer = bearerOf(authorization)
  // Hooks verify their callers themselves; whether one is there is told to nobody, nor whether the cluster is.
  const isHook = where.path.startsWith(HOOK_PATH)
  const isOpen = isHook || PUBLIC.has(where.path)
  const nobody = () => (isHook ? noHook(where.path) : where.path === JOIN_PATH ? joinRefused() : unauthorized())
  if (!bearer && !isOpen) throw nobody()
  const ours = !isHook && !!bearer && isOurs(bearer, oidc)
  // Both are looked up whatever the first says: an answer's time tells nothing about which one was missing.
  const [record, caller] = await Promise.all([directory.cluster(where.name), ours ? callerOf(directory, oidc, bearer) : undefined])
  const known = record && record.state !== 'deleting' ? await directory.account(record.account) : undefined
  const standing = caller && record ? standingIn(caller, record.account) : undefined
  const stranger = ours && (!standing || (standing.cluster !== undefined && standing.cluster !== record?.name))
  if (!record || !known || stranger) {
    // Guessing is slowed by where it comes from, so that it costs nobody else.
    if (!rates.take(`guess ${address ?? ''}`, GUESSES_PER_SECOND)) throw tooMany('too many requests')
    throw nobody()
  }
  if (!rates.take(`account ${known.name}`, known.limits.requestsPerSecond)) throw tooMany('the account has reached its request rate')
  directory.count(known.name, record.name)
  if (record.state === 'suspended' && isHook) throw nobody()
  if (record.state === 'suspended')
    throw new StatusError(
      403,
      'Forbidden',
      `the cluster ${JSON.stringify(record.name)} is suspended: \`kedge cluster resume ${record.name}\``,
    )
  return { record, account: known, path: where.path, ...(caller && standing ? { identity: identityOf(caller, standing) } : {}) }
}
