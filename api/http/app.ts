// The Hono app: the middleware chain and the routes. The same on every platform; what differs comes in as the cluster's ports.

import { type Context, Hono } from 'hono'
import { getPath } from 'hono/utils/url'
import { EXPOSITION_TYPE } from '../../shared/exposition.ts'
import { apiVersionOf, isBuiltIn } from '../../shared/kinds/index.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import { genericNotFound, StatusError, tooLarge, unauthorized } from '../../shared/status/index.ts'
import { KEDGE_VERSION } from '../../shared/version.ts'
import { anonymous, authenticate, authorizationOf, impersonate, withAuthenticated } from '../auth/authentication.ts'
import type { Cluster } from '../cluster.ts'
import { receive } from '../deploy/receive.ts'
import type { Sessions } from '../hub/sessions.ts'
import type { Served } from '../metrics/metrics.ts'
import type { Audit } from '../ports/audit.ts'
import type { Connection } from '../ports/socket.ts'
import type { Attributes, Identity } from '../registry/context.ts'
import { defaultSettings } from '../settings.ts'
import type { Span } from '../tracing/tracer.ts'
import { versionInfo } from '../version.ts'
import { aggregate, apiServiceOf, foreignResources, foreignVersions } from './aggregation.ts'
import { errorAnswer, json } from './answer.ts'
import { AuditTrail } from './audit.ts'
import { aggregated, apiGroup, apiGroupList, coreVersions, resourceList, wantsAggregated } from './discovery.ts'
import { FlowControl } from './flow-control.ts'
import { issueJoinToken, listJoinTokens, revokeJoinToken } from './join-tokens.ts'
import { searchLogs } from './log-search.ts'
import { exportCluster, setMoving } from './moving.ts'
import { issueServingCertificate, JOIN_PATH, join, openSession, removeNode } from './node-session.ts'
import { objectMetricsOf } from './object-metrics.ts'
import { openapiIndex, openapiV2, openapiV2Protobuf, openapiV3 } from './openapi.ts'
import { attributesOfPath, splitPath } from './request.ts'
import { type Aside, answerResource } from './resource-call.ts'
import { noteUse } from './token-secrets.ts'
import { directTurn, type Turn } from './turn.ts'

type Env = { Bindings: Connection; Variables: { user: Identity; annotations?: Record<string, string>; trace?: string } }

export interface AppOptions {
  cluster: Cluster
  /** Where node sessions live; absent in a stateless handler, whose platform routes them to the hub. */
  sessions?: Sessions
  /** Where the audit log goes, if there is a policy. */
  audit?: Audit
  /** Who takes heavy writes off this thread. */
  aside?: Aside
  /** What every path begins with, `/clusters/NAME`, where the app is one of many. */
  prefix?: string
  /** How requests wait for each other; directly, where they may. */
  newTurn?: () => Turn
}

const MAX_URL = 16 * 1024
const open = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/'])
/** What service-account tokens are checked with: shown to everybody. */
const published = new Set(['/.well-known/openid-configuration', '/openid/v1/jwks'])
const textAnswer = (text: string, status = 200) =>
  new Response(text, { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' } })

/** Paths that are no resources and are told apart; all others are one. */
const PLAIN_PATHS = new Set([
  '/healthz',
  '/livez',
  '/readyz',
  '/version',
  '/metrics',
  '/metrics/objects',
  '/api',
  '/apis',
  '/openapi/v2',
  '/openapi/v3',
])

/** A request as metrics tell it from others: by what there is, whatever somebody asks for. */
function servedOf(kinds: KindTable, path: string, a: Attributes): Served {
  const [, version = ''] = /^\/(?:api|apis\/[^/]+)\/([^/]+)/.exec(path) ?? []
  const group = a.group ?? ''
  const kind = a.resource === undefined ? undefined : kinds.byResource(group, version, a.resource)
  if (!kind) return { verb: a.verb, group: '', version: '', resource: '', subresource: PLAIN_PATHS.has(path) ? path : '', scope: '' }
  const scope = a.name !== undefined ? 'resource' : a.namespace !== undefined ? 'namespace' : 'cluster'
  const subresource = a.subresource !== undefined && kind.subresources?.[a.subresource] ? a.subresource : ''
  return { verb: a.verb, group, version, resource: kind.plural, subresource, scope }
}

/** How old the knowledge of definitions may be that says that something is not there, ms. */
const RECHECK = 200

export function createApp({ cluster, sessions, audit, aside, prefix = '', newTurn = directTurn }: AppOptions): Hono<Env> {
  const app = new Hono<Env>(prefix ? { getPath: (request) => getPath(request).slice(prefix.length) || '/' } : {})
  const { authorizer, authenticators, env, log } = cluster
  authenticators.accounts.used = noteUse(cluster)
  const answerObjects = objectMetricsOf(cluster.store)
  const flows = new FlowControl(env.rules, env.clock, newTurn)
  const { auditPolicy } = env.settings
  const trail = auditPolicy && audit ? new AuditTrail(audit, auditPolicy, () => cluster.clock.now()) : undefined

  app.onError((cause, c) => errorAnswer(cause, log, c.req.path))
  app.notFound(() => textAnswer('404 page not found\n', 404))

  app.post(JOIN_PATH, (c) => join(cluster, c.req.raw))
  app.post('/hooks/:namespace/:name/:token?', (c) => {
    const { namespace, name, token } = c.req.param()
    return receive(cluster, namespace, name, token, c.req.raw)
  })

  /** What a request asks, as far as its path tells. */
  const asked = (c: Context<Env>): Attributes => {
    const m = /^\/(?:api|apis\/([^/]+))\/[^/]+\/(.+)$/.exec(c.req.path)
    if (!m) return { verb: c.req.method.toLowerCase(), path: c.req.path }
    const at = c.req.url.indexOf('?')
    return attributesOfPath(c.req.method, m[1] ?? '', m[2]!.split('/'), new URLSearchParams(at < 0 ? '' : c.req.url.slice(at)))
  }
  /** Streams hold no seat: a session, a shell, a log that is followed. */
  const longRunning = (c: Context<Env>): boolean => /\/(exec|attach|portforward|proxy|log)(\/|$)|^\/kedge\/v1\/session$/.test(c.req.path)

  /** What the audit log says of a request besides who asks. */
  const audited = (c: Context<Env>) => ({
    id: c.req.header('audit-id')?.slice(0, 64) || env.random.uuid(),
    request: c.req.raw,
    uri: c.req.url.slice(c.req.url.indexOf('/', 'https://'.length)),
    ...(c.env?.address ? { address: c.env.address } : {}),
    attributes: asked(c),
  })

  const seatFor = async (c: Context<Env>, user: Identity) => {
    await env.rules.current()
    return flows.enter(user, asked(c))
  }

  /** By the token, or by the certificate where there is none. */
  const identityOf = async (c: Context<Env>): Promise<Identity> => {
    const header = authorizationOf(c.req.raw.headers)
    const shown = c.env?.certificate
    const certified = header || !shown ? undefined : await cluster.authority.client(shown.id, shown.der)
    return certified ? withAuthenticated(certified) : authenticate(authenticators, header)
  }

  /** A request as a span: of the trace that it comes with, or of the one that its pod was made in. */
  const traced = (c: Context<Env>, { verb, resource: plural, subresource }: Served): Span | undefined => {
    const { tracer } = cluster
    if (!tracer) return undefined
    const { resource: of, namespace, name } = asked(c)
    const made = of === 'pods' && name ? tracer.recall(`pods/${namespace}/${name}`) : undefined
    const what = plural ? `${plural}${subresource ? `/${subresource}` : ''}` : c.req.path.split('/').slice(0, 3).join('/')
    const span = tracer.start(`${verb} ${what}`, 'server', c.req.header('traceparent') ?? made, {
      'http.request.method': c.req.method,
      'url.path': c.req.path,
    })
    if (span) c.set('trace', span.context)
    return span
  }

  app.use('*', async (c, next) => {
    const begun = performance.now()
    const about = servedOf(env.kinds, c.req.path, asked(c))
    const isStream = about.verb === 'watch' || longRunning(c)
    const leave = isStream ? undefined : cluster.metrics.enter(!['GET', 'HEAD'].includes(c.req.method))
    const span = isStream ? undefined : traced(c, about)
    try {
      await next()
    } finally {
      leave?.()
      span?.set('http.response.status_code', c.res.status)
      span?.end(c.res.status >= 500 ? `it was answered with ${c.res.status}` : undefined)
    }
    const length = c.res.headers.get('content-length')
    const seconds = isStream ? undefined : (performance.now() - begun) / 1000
    cluster.metrics.served(about, c.res.status, seconds, length === null ? undefined : Number(length))
  })

  app.use('*', async (c, next) => {
    if (c.req.url.length > MAX_URL) throw tooLarge('the request URL is too long')
    let user: Identity
    try {
      user = c.env?.identity ?? (await identityOf(c))
      if (user === anonymous && !env.settings.anonymous && !published.has(c.req.path)) throw unauthorized()
    } catch (cause) {
      if (cause instanceof StatusError && open.has(c.req.path) && env.settings.anonymous) user = anonymous
      else {
        if (cause instanceof StatusError && cause.code === 401) trail?.refused(audited(c))
        throw cause
      }
    }
    const behind = user
    if (c.req.header('impersonate-user') || c.req.header('impersonate-group') || c.req.header('impersonate-uid'))
      user = await impersonate(user, c.req.raw.headers, (u, a) => authorizer.allows(u, a))
    c.set('user', user)
    const served = async () => {
      // Administrators never wait.
      const seat = user.groups.includes('system:masters') || longRunning(c) ? undefined : await seatFor(c, user)
      if (!seat) return next()
      try {
        await next()
      } finally {
        seat.release()
      }
      c.res.headers.set('x-kubernetes-pf-flowschema-uid', seat.schema)
      c.res.headers.set('x-kubernetes-pf-prioritylevel-uid', seat.level)
    }
    if (!trail) return served()
    const annotations: Record<string, string> = {}
    c.set('annotations', annotations)
    const asks = audited(c)
    await trail.around({ ...asks, user, ...(user === behind ? {} : { behind }) }, annotations, async () => {
      await served()
      c.res.headers.set('audit-id', asks.id)
      return c.res
    })
  })

  /** Non-resource paths are guarded by path. */
  const guarded = (handler: (c: Context<Env>) => Response | Promise<Response>) => async (c: Context<Env>) => {
    await authorizer.require(c.get('user'), { verb: c.req.method.toLowerCase(), path: c.req.path })
    return handler(c)
  }
  const answer = (value: unknown) => json(JSON.stringify(value))

  const { kinds } = env
  const resource = (group: string, version: string, segments: string[], c: Context<Env>) => {
    const annotations = c.get('annotations')
    const trace = c.get('trace')
    const call = { group, version, segments, request: c.req.raw, user: c.get('user'), connection: c.env ?? {}, ...(trace ? { trace } : {}) }
    return answerResource(cluster, annotations ? { ...call, annotations } : call, aside)
  }
  const segmentsAfter = (c: Context<Env>, n: number) =>
    c.req.path
      .split('/')
      .slice(n)
      .map((s) => {
        try {
          return decodeURIComponent(s)
        } catch {
          throw genericNotFound()
        }
      })

  app.get(
    '/api',
    guarded((c) => aggregatedOr(c, true, () => coreVersions(new URL(c.req.url).host))),
  )
  app.get(
    '/apis',
    guarded((c) => aggregatedOr(c, false, async () => apiGroupList(kinds, await elsewhere()))),
  )
  app.get(
    '/api/v1',
    guarded(() => answer(resourceList(kinds, '', 'v1'))),
  )
  app.get(
    '/apis/:group',
    guarded(async (c) => {
      await kinds.current()
      return found(apiGroup(kinds, c.req.param('group')!, await elsewhere()))
    }),
  )
  app.get(
    '/apis/:group/:version',
    guarded(async (c) => {
      const { group, version } = c.req.param() as { group: string; version: string }
      const service = await apiServiceOf(env, group, version)
      if (service) return aggregate(env, service, c.get('user'), c.req.raw, pathAndQuery(c))
      await kinds.current()
      return found(resourceList(kinds, group, version))
    }),
  )
  const found = (value: unknown) => (value ? answer(value) : textAnswer('404 page not found\n', 404))
  /** Versions that aggregated API servers serve. */
  const elsewhere = async () =>
    (await foreignVersions(env)).map((s) => ({ group: s.spec.group as string, version: s.spec.version as string }))
  const pathAndQuery = (c: Context<Env>) => c.req.path + new URL(c.req.url).search
  const aggregatedOr = async (c: Context<Env>, core: boolean, plain: () => unknown) => {
    await kinds.current()
    const version = wantsAggregated(c.req.header('accept'))
    if (!version) return answer(await plain())
    return new Response(JSON.stringify(aggregated(kinds, core, version, core ? [] : await foreignResources(env))), {
      headers: { 'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`, vary: 'Accept' },
    })
  }

  app.all('/api/v1/*', (c) => resource('', 'v1', segmentsAfter(c, 3), c))
  app.all('/apis/:group/:version/*', async (c) => {
    const { group, version } = c.req.param()
    const segments = segmentsAfter(c, 4)
    const service = await apiServiceOf(env, group, version)
    if (service) {
      await authorizer.require(c.get('user'), attributesOfPath(c.req.method, group, segments, new URL(c.req.url).searchParams))
      return aggregate(env, service, c.get('user'), c.req.raw, pathAndQuery(c))
    }
    if (!isBuiltIn(group)) await kinds.current()
    // A definition that another process has just made: it is looked for once more before it is not there.
    if (!isBuiltIn(group) && !kinds.byResource(group, version, splitPath(group, segments).plural ?? '')) await kinds.current(RECHECK)
    if (!apiGroup(kinds, group)) {
      await authorizer.require(c.get('user'), { verb: c.req.method.toLowerCase(), path: c.req.path })
      return textAnswer('404 page not found\n', 404)
    }
    return resource(group, version, segments, c)
  })

  const version = () => answer(versionInfo)
  app.get('/version', guarded(version))
  app.get('/version/', guarded(version))
  const ready = guarded(async () => {
    await cluster.store.head()
    return textAnswer('ok')
  })
  app.get(
    '/healthz',
    guarded(() => textAnswer('ok')),
  )
  app.get(
    '/livez',
    guarded(() => textAnswer('ok')),
  )
  app.get('/readyz', ready)
  app.get(
    '/metrics',
    guarded(async () => new Response(await cluster.metrics.text(), { headers: { 'content-type': EXPOSITION_TYPE } })),
  )

  app.get(
    '/debug',
    guarded(() => answer({ views: cluster.debug.names.map((name) => `/debug/${name}`) })),
  )
  app.get(
    '/debug/:view',
    guarded((c) => {
      const view = cluster.debug.read(c.req.param('view')!)
      return view === undefined ? textAnswer('404 page not found\n', 404) : answer(view)
    }),
  )
  app.get(
    '/metrics/objects',
    guarded(() => answerObjects()),
  )

  app.get(
    '/openapi/v3',
    guarded(async () => {
      await kinds.current()
      return answer(openapiIndex(kinds, KEDGE_VERSION, await foreignVersions(env)))
    }),
  )
  app.get(
    '/openapi/v3/api/v1',
    guarded(() => document('', 'v1')),
  )
  app.get(
    '/openapi/v3/apis/:group/:version',
    guarded((c) => document(c.req.param('group')!, c.req.param('version')!, c)),
  )
  const document = async (group: string, version: string, c?: Context<Env>) => {
    const service = await apiServiceOf(env, group, version)
    if (service && c) return aggregate(env, service, c.get('user'), c.req.raw, pathAndQuery(c))
    await kinds.current()
    const text = openapiV3(kinds, group, version)
    if (!text) return textAnswer('404 page not found\n', 404)
    return new Response(text, {
      headers: {
        'content-type': 'application/json',
        etag: `"${KEDGE_VERSION}-${apiVersionOf({ group, version })}-${kinds.generation}"`,
        'cache-control': 'public',
      },
    })
  }

  app.get(
    '/openapi/v2',
    guarded(async (c) => {
      await kinds.current()
      const accept = c.req.header('accept') ?? ''
      // Asked for with an @ that media types may not have: answered as kube-apiserver does.
      if (accept.includes('proto-openapi.spec.v2'))
        return new Response(openapiV2Protobuf() as BodyInit, {
          headers: { 'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' },
        })
      return json(openapiV2(kinds))
    }),
  )

  app.get('/.well-known/openid-configuration', (c) =>
    answer({
      issuer: authenticators.accounts.issuer,
      // Under an issuer of its own the cluster is found from outside; else the keys are where the question came in.
      jwks_uri: `${env.settings.issuer === defaultSettings.issuer ? new URL(c.req.url).origin : env.settings.issuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    }),
  )
  app.get('/openid/v1/jwks', async () => answer(await authenticators.accounts.jwks()))

  app.get('/kedge/v1/namespaces/:namespace/logs', (c) =>
    searchLogs(cluster, c.get('user'), c.req.param('namespace'), new URL(c.req.url).searchParams),
  )
  app.get('/kedge/v1/export', (c) => exportCluster(cluster, c.get('user')))
  if (sessions) app.on(['PUT', 'DELETE'], '/kedge/v1/moving', (c) => setMoving(cluster, sessions, c.get('user'), c.req.raw))
  app.post('/kedge/v1/serving-certificate', (c) => issueServingCertificate(cluster, c.get('user'), c.req.raw))
  app.post('/kedge/v1/tokens', (c) => issueJoinToken(cluster, c.get('user'), c.req.raw))
  app.get('/kedge/v1/tokens', (c) => listJoinTokens(cluster, c.get('user')))
  app.delete('/kedge/v1/tokens/:id', (c) => revokeJoinToken(cluster, c.get('user'), c.req.param('id')))
  if (sessions) app.delete('/kedge/v1/nodes/:name', (c) => removeNode(cluster, sessions, c.get('user'), c.req.param('name')))
  if (sessions) app.get('/kedge/v1/session', (c) => openSession(cluster, sessions, c.get('user'), c.env ?? {}, c))

  app.all('*', async (c) => {
    await authorizer.require(c.get('user'), { verb: c.req.method.toLowerCase(), path: c.req.path })
    return textAnswer('404 page not found\n', 404)
  })
  return app
}
