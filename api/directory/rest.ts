// The host's own API under /v1: accounts, members, tokens, clusters, usage. Its routes are declared in routes.ts, which the OpenAPI document is made
// from too. Errors are Kubernetes' Status objects, as everywhere. What is not the caller's is not found.
import { OpenAPIHono } from '@hono/zod-openapi'
import { forbidden, notFound, StatusError, unauthorized } from '../../shared/status/index.ts'
import { KEDGE_VERSION } from '../../shared/version.ts'
import type { Oidc } from '../auth/oidc.ts'
import { errorAnswer } from '../http/answer.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Connection } from '../ports/socket.ts'
import { linesOf } from '../store/archive.ts'
import { bearerOf, type Caller, callerOf, type Standing, standingIn } from './callers.ts'
import type { Clusters } from './clusters.ts'
import type { Account, ClusterRecord, Directory, Token } from './directory.ts'
import type { Rates } from './limits.ts'
import { atLeast, type Role, within } from './roles.ts'
import { routes } from './routes.ts'

export interface RestOptions {
  directory: Directory
  clusters: Clusters
  rates: Rates
  clock: Clock
  log: Log
  /** Who may open an account: everybody, or the bearer of the operator's token alone. */
  signup: 'open' | 'operator'
  /** The operator's token; without one, nobody is the operator. */
  operatorToken?: string
  oidc?: Oidc
  /** PEM, where clients must be told which CA to trust. */
  caCertificate?: string
}

type Env = { Bindings: Connection }

const MAX_BODY = 64 * 1024
/** Of one address. */
const SIGNUPS_PER_SECOND = 0.5
/** Of one token, under /v1. */
const REQUESTS_PER_SECOND = 50

const time = (ms: number) => new Date(ms).toISOString()
const accountOf = (a: Account) => ({ name: a.name, title: a.title, created: time(a.created), limits: { ...a.limits } })
const tokenOf = (t: Token) => ({
  id: t.id,
  name: t.name,
  role: t.role,
  ...(t.cluster !== undefined ? { cluster: t.cluster } : {}),
  ...(t.namespace !== undefined ? { namespace: t.namespace } : {}),
  created: time(t.created),
  ...(t.expires !== undefined ? { expires: time(t.expires) } : {}),
  ...(t.used !== undefined ? { lastUsed: time(t.used) } : {}),
})

/** Equal in a time that does not depend on where two texts differ. */
async function sameText(a: string, b: string): Promise<boolean> {
  const digest = async (s: string) => new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(s)))
  const [x, y] = await Promise.all([digest(a), digest(b)])
  return x.reduce((d, v, i) => d | (v ^ y[i]!), 0) === 0
}

export function createDirectoryApp({
  directory,
  clusters,
  rates,
  clock,
  log,
  signup,
  operatorToken,
  oidc,
  caCertificate,
}: RestOptions): OpenAPIHono<Env> {
  const app = new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (result.success) return
      const faults = result.error.issues.map((i) => `${i.path.join('.') || 'body'}: ${i.message}`)
      throw new StatusError(422, 'Invalid', faults.join('; '))
    },
  })
  app.onError((cause, c) =>
    errorAnswer(
      (cause as { status?: number }).status === 400 ? new StatusError(400, 'BadRequest', 'the body must be JSON') : cause,
      log,
      c.req.path,
    ),
  )
  app.notFound((c) => errorAnswer(new StatusError(404, 'NotFound', 'there is nothing here; see /v1/openapi.json'), log, c.req.path))

  const isOperator = async (header: string | undefined) => {
    const bearer = bearerOf(header)
    return !!operatorToken && !!bearer && sameText(bearer, operatorToken)
  }

  app.use('*', async (c, next) => {
    const length = Number(c.req.header('content-length') ?? 0)
    const limited = !c.req.path.endsWith('/import')
    if (limited && (length > MAX_BODY || (c.req.method !== 'GET' && c.req.header('transfer-encoding'))))
      throw new StatusError(413, 'RequestEntityTooLarge', `a body may have ${MAX_BODY} bytes and must say its length`)
    if (!rates.take(`v1 ${bearerOf(c.req.header('authorization'))?.slice(0, 24) ?? c.env?.address ?? ''}`, REQUESTS_PER_SECOND))
      throw new StatusError(429, 'TooManyRequests', 'too many requests, please try again later', { retryAfterSeconds: 1 })
    await next()
  })

  const callerFrom = async (header: string | undefined): Promise<Caller> => {
    const bearer = bearerOf(header)
    const caller = bearer ? await callerOf(directory, oidc, bearer) : undefined
    if (!caller) throw unauthorized()
    return caller
  }

  /**
   * The account and who asks. Accounts of others do not exist for the caller; rights that are missing in one's own are named.
   * A token for one cluster sees that `cluster`, and is refused everything else.
   */
  const inside = async (
    header: string | undefined,
    name: string,
    needed: Role,
    what: string,
    cluster?: string,
  ): Promise<{ account: Account; by: Standing }> => {
    const by = standingIn(await callerFrom(header), name)
    const account = by && (await directory.account(name))
    if (!account) throw notFound({ group: '', resource: 'accounts', name })
    if (!atLeast(by.role, needed) || (by.cluster !== undefined && by.cluster !== cluster)) {
      const scope = by.cluster !== undefined ? ` for cluster ${by.cluster}` : ''
      throw forbidden({ group: '', resource: 'accounts', name }, `the role ${by.role}${scope} may not ${what}`)
    }
    return { account, by }
  }
  const authorizationOf = (c: { req: { header(name: string): string | undefined } }) => c.req.header('authorization')

  const clusterOf = (r: ClusterRecord, url: string) => ({
    name: r.name,
    id: r.id,
    state: r.state,
    created: time(r.created),
    server: `${new URL(url).origin}/clusters/${r.name}`,
    ...(caCertificate ? { caCertificate } : {}),
  })
  const owned = async (account: Account, name: string): Promise<ClusterRecord> => {
    const record = await directory.cluster(name)
    if (record?.account !== account.name) throw notFound({ group: '', resource: 'clusters', name })
    return record
  }

  app.openapi(routes.createAccount, async (c) => {
    if (!(await isOperator(authorizationOf(c)))) {
      if (signup === 'operator') throw new StatusError(403, 'Forbidden', 'accounts on this host are opened by its operator')
      if (!rates.take(`signup ${c.env?.address ?? ''}`, SIGNUPS_PER_SECOND))
        throw new StatusError(429, 'TooManyRequests', 'too many new accounts from here, please try again later', { retryAfterSeconds: 10 })
    }
    const { name, title } = c.req.valid('json')
    const bearer = bearerOf(authorizationOf(c))
    const caller = bearer ? await callerOf(directory, oidc, bearer) : undefined
    const opened = await directory.createAccount(name, title ?? name, caller && 'user' in caller ? caller.user : undefined)
    if (!opened) throw new StatusError(409, 'AlreadyExists', `an account named ${JSON.stringify(name)} exists: choose another name`)
    const { account, made } = opened
    return c.json({ account: accountOf(account), ...(made ? { token: { ...tokenOf(made.token), token: made.secret } } : {}) }, 201)
  })
  app.openapi(routes.signIn, (c) =>
    c.json(oidc ? { oidc: { issuer: oidc.settings.issuerUrl, clientId: oidc.settings.clientId } } : {}, 200),
  )
  app.openapi(routes.whoami, async (c) => {
    const caller = await callerFrom(authorizationOf(c))
    if ('user' in caller)
      return c.json({ user: caller.user, accounts: caller.accounts.map((a) => ({ name: a.account, role: a.role })) }, 200)
    const account = await directory.account(caller.token.account)
    if (!account) throw unauthorized()
    return c.json(
      { account: accountOf(account), token: tokenOf(caller.token), accounts: [{ name: account.name, role: caller.token.role }] },
      200,
    )
  })
  app.openapi(routes.getAccount, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'view', 'read the account')
    return c.json(accountOf(account), 200)
  })
  app.openapi(routes.deleteAccount, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'owner', 'close the account')
    if (!(await directory.deleteAccount(account.name)))
      throw new StatusError(409, 'Conflict', 'the account still has clusters: delete them first')
    return c.body(null, 204)
  })
  app.openapi(routes.setLimits, async (c) => {
    if (!(await isOperator(authorizationOf(c)))) throw unauthorized()
    const { account } = c.req.valid('param')
    if (!(await directory.setLimits(account, c.req.valid('json')))) throw notFound({ group: '', resource: 'accounts', name: account })
    return c.body(null, 204)
  })

  app.openapi(routes.listMembers, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'view', 'list members')
    const items = (await directory.members(account.name)).map((m) => ({ ...m, created: time(m.created) }))
    return c.json({ items }, 200)
  })
  app.openapi(routes.putMember, async (c) => {
    const { account, by } = await inside(authorizationOf(c), c.req.valid('param').account, 'admin', 'change members')
    const { role } = c.req.valid('json')
    if (!atLeast(by.role, role)) throw forbidden({ group: '', resource: 'members' }, `the role ${by.role} may not give the role ${role}`)
    if (!(await directory.putMember(account, c.req.valid('param').user, role)))
      throw new StatusError(403, 'Forbidden', `the account has its ${account.limits.members} members already`)
    return c.body(null, 204)
  })
  app.openapi(routes.deleteMember, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'admin', 'change members')
    const { user } = c.req.valid('param')
    if (!(await directory.removeMember(account.name, user))) throw notFound({ group: '', resource: 'members', name: user })
    return c.body(null, 204)
  })

  app.openapi(routes.listTokens, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'admin', 'list tokens')
    return c.json({ items: (await directory.tokens(account.name)).map(tokenOf) }, 200)
  })
  app.openapi(routes.createToken, async (c) => {
    const { account, by } = await inside(authorizationOf(c), c.req.valid('param').account, 'admin', 'make tokens')
    const { seconds, ...wanted } = c.req.valid('json')
    if (wanted.namespace !== undefined && wanted.cluster === undefined)
      throw new StatusError(422, 'Invalid', 'namespace: a namespace needs its cluster')
    if (wanted.cluster !== undefined) await owned(account, wanted.cluster)
    if (!atLeast(by.role, wanted.role) || !within(wanted, by))
      throw forbidden({ group: '', resource: 'tokens' }, 'a token may not give more than it has itself')
    const made = await directory.createToken(account, { ...wanted, ...(seconds ? { expires: clock.now() + seconds * 1000 } : {}) })
    if (!made) throw new StatusError(403, 'Forbidden', `the account has its ${account.limits.tokens} tokens already`)
    return c.json({ ...tokenOf(made.token), token: made.secret }, 201)
  })
  app.openapi(routes.deleteToken, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'admin', 'revoke tokens')
    const { id } = c.req.valid('param')
    if (!(await directory.deleteToken(account.name, id))) throw notFound({ group: '', resource: 'tokens', name: id })
    return c.body(null, 204)
  })

  app.openapi(routes.listClusters, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'view', 'list clusters')
    return c.json({ items: (await directory.clusters(account.name)).map((r) => clusterOf(r, c.req.url)) }, 200)
  })
  app.openapi(routes.createCluster, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'admin', 'make clusters')
    return c.json(clusterOf(await clusters.create(account, c.req.valid('json').name), c.req.url), 201)
  })
  app.openapi(routes.getCluster, async (c) => {
    const p = c.req.valid('param')
    const { account } = await inside(authorizationOf(c), p.account, 'view', 'read other clusters', p.cluster)
    return c.json(clusterOf(await owned(account, p.cluster), c.req.url), 200)
  })
  app.openapi(routes.deleteCluster, async (c) => {
    const p = c.req.valid('param')
    const { account } = await inside(authorizationOf(c), p.account, 'admin', 'delete clusters')
    await clusters.delete(await owned(account, p.cluster))
    return c.body(null, 204)
  })
  // The body is an archive of any size: it is read line by line, and never whole.
  app.post('/v1/accounts/:account/clusters/:cluster/import', async (c) => {
    const { account: name, cluster } = c.req.param()
    const { account } = await inside(authorizationOf(c), name, 'admin', 'make clusters')
    if (!c.req.raw.body) throw new StatusError(400, 'BadRequest', 'the body must be an archive, as `kedge export` writes it')
    const lines = linesOf(c.req.raw.body as unknown as AsyncIterable<Uint8Array>)
    return c.json(clusterOf(await clusters.import(account, cluster, lines), c.req.url), 201)
  })
  const change = async (
    header: string | undefined,
    p: { account: string; cluster: string },
    state: 'active' | 'suspended',
    url: string,
  ) => {
    const { account } = await inside(header, p.account, 'admin', 'suspend or resume clusters')
    const record = await owned(account, p.cluster)
    if (record.state === 'deleting') throw new StatusError(409, 'Conflict', 'the cluster is being deleted')
    await clusters.setState(record, state)
    return clusterOf({ ...record, state }, url)
  }
  app.openapi(routes.suspend, async (c) => c.json(await change(authorizationOf(c), c.req.valid('param'), 'suspended', c.req.url), 200))
  app.openapi(routes.resume, async (c) => c.json(await change(authorizationOf(c), c.req.valid('param'), 'active', c.req.url), 200))
  app.openapi(routes.usage, async (c) => {
    const { account } = await inside(authorizationOf(c), c.req.valid('param').account, 'view', 'read usage')
    await directory.flush()
    return c.json({ items: await directory.usage(account.name) }, 200)
  })

  app.openAPIRegistry.registerPath(routes.importCluster)
  app.doc31('/v1/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Kedge',
      version: KEDGE_VERSION,
      description: 'Accounts, tokens and clusters of a Kedge host. A cluster itself is a Kubernetes API at its server URL.',
    },
  })
  return app
}
