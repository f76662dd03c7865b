// Aggregated API servers: groups that somebody else serves, behind a service in the cluster. Requests are authenticated and authorized here, and passed on with
// the user's name in headers that this server's certificate vouches for.
import { apiService, available } from '../../shared/kinds/api-service.ts'
import { isBuiltIn } from '../../shared/kinds/index.ts'
import { fromBase64Text } from '../../shared/meta/base64.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { unavailable } from '../../shared/status/index.ts'
import { serviceTargets } from '../admission/service-targets.ts'
import { type Environment, type Identity, systemContext } from '../registry/context.ts'
import { keyFor } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { forward } from './proxy.ts'

const MAX_AGE = 30_000
const DISCOVERY_TIMEOUT = 5000
const MAX_KNOWN = 500

/** The versions that others serve, the most preferred first. What is built in nobody takes over. */
export async function foreignVersions(env: Environment): Promise<KObject[]> {
  await env.rules.current()
  return env.rules
    .all('apiservices')
    .filter((s) => s.spec.service && !isBuiltIn(s.spec.group ?? ''))
    .sort((a, b) => b.spec.groupPriorityMinimum - a.spec.groupPriorityMinimum || b.spec.versionPriority - a.spec.versionPriority)
}

/** Who serves a group's version, where it is not this server. */
export async function apiServiceOf(env: Environment, group: string, version: string): Promise<KObject | undefined> {
  if (isBuiltIn(group)) return undefined
  return (await foreignVersions(env)).find((s) => s.spec.group === group && s.spec.version === version)
}

async function toServer(env: Environment, s: KObject, user: Identity) {
  const { service, caBundle, insecureSkipTLSVerify } = s.spec
  const host = `${service.name}.${service.namespace}.svc`
  const extra = Object.entries(user.extra ?? {}).map(([k, v]) => [`x-remote-extra-${encodeURIComponent(k)}`, v] as const)
  return {
    targets: await serviceTargets(env, service.namespace, service.name, service.port ?? 443),
    tls: {
      serverName: host,
      ...(caBundle ? { ca: fromBase64Text(caBundle) } : {}),
      ...(insecureSkipTLSVerify ? { insecure: true } : {}),
      ...(await env.authority.proxyCertificate()),
    },
    host,
    headers: {
      'x-remote-user': user.username,
      'x-remote-group': user.groups,
      ...(user.uid ? { 'x-remote-uid': user.uid } : {}),
      ...Object.fromEntries(extra),
    },
  }
}

/** Passes a request on to the server of `s`. Throws 503 when it does not answer. */
export async function aggregate(env: Environment, s: KObject, user: Identity, request: Request, path: string): Promise<Response> {
  return forward(env, request, { ...(await toServer(env, s, user)), path, strip: /^x-remote-/ })
}

const system: Identity = { username: 'system:kube-aggregator', groups: ['system:masters'] }

interface Discovered {
  at: number
  list: any
}
const discovered = new WeakMap<Environment, Map<string, Discovered>>()

/** The resources of a version, from its server. Throws when that does not answer with them. */
async function ask(env: Environment, s: KObject): Promise<any> {
  const path = `/apis/${s.spec.group}/${s.spec.version}`
  const { host, headers, ...to } = await toServer(env, s, system)
  const call = { ...to, method: 'GET', path, headers: { ...headers, host, accept: 'application/json' } }
  const answer = await env.reach({ ...call, timeoutMs: DISCOVERY_TIMEOUT })
  const url = `https://${host}:${s.spec.service.port ?? 443}${path}`
  if (!answer.ok) throw unavailable(`failing or missing response from ${url}: bad status from ${url}: ${answer.status}`)
  const body: any = await answer.json()
  if (!Array.isArray(body?.resources)) throw unavailable(`failing or missing response from ${url}: it is no list of resources`)
  return body
}

/** For the engine: asks a server whether it is there, and writes the answer into its registration. */
export const apiServiceTasks = ({ env }: { env: Environment }) => ({
  'check-api-service': async (s: KObject) => {
    const said: readonly ['True' | 'False', string, string] = await ask(env, s).then(
      () => ['True', 'Passed', 'all checks passed'] as const,
      (cause: Error) =>
        ['False', /endpoints|not found/.test(cause.message) ? 'MissingEndpoints' : 'FailedDiscoveryCheck', cause.message] as const,
    )
    const change = (o: KObject) => {
      const before = o.status?.conditions?.find((c: any) => c.type === 'Available')
      const others = (o.status?.conditions ?? []).filter((c: any) => c.type !== 'Available')
      o.status = { ...o.status, conditions: [...others, available(...said, env.clock.now(), before)] }
      return { object: o }
    }
    const options = { fieldManager: 'kedge', fieldValidation: 'Ignore' as const }
    await mutate(
      env,
      apiService,
      keyFor(apiService, '', s.metadata.name),
      'status',
      change,
      options,
      systemContext('kube-aggregator'),
    ).catch((e) => {
      if (e?.code !== 404) throw e
    })
  },
})

/** As ask(), remembered for half a minute; undefined while its server does not answer. */
async function discover(env: Environment, s: KObject): Promise<any> {
  const known = discovered.get(env) ?? new Map<string, Discovered>()
  discovered.set(env, known)
  const key = `${s.metadata.uid} ${s.metadata.resourceVersion}`
  const before = known.get(key)
  const now = env.clock.now()
  if (before && now - before.at < MAX_AGE) return before.list
  const list = await ask(env, s).catch(() => undefined)
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(key, { at: now, list })
  return list
}

/** An APIResourceList's resources as aggregated discovery has them. */
function aggregatedResources(group: string, version: string, list: any): object[] {
  const all: any[] = list.resources
  const kindOf = (r: any) => ({ group: r.group ?? group, version: r.version ?? version, kind: r.kind })
  return all
    .filter((r) => !r.name.includes('/'))
    .map((r) => ({
      resource: r.name,
      responseKind: kindOf(r),
      scope: r.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: r.singularName ?? '',
      verbs: r.verbs ?? [],
      ...(r.shortNames ? { shortNames: r.shortNames } : {}),
      ...(r.categories ? { categories: r.categories } : {}),
      subresources: all
        .filter((x) => x.name.startsWith(`${r.name}/`))
        .map((x) => ({ subresource: x.name.slice(r.name.length + 1), responseKind: kindOf(x), verbs: x.verbs ?? [] })),
    }))
}

export interface ForeignVersion {
  group: string
  version: string
  /** Empty where its server does not answer. */
  resources: object[]
  fresh: boolean
}

export async function foreignResources(env: Environment): Promise<ForeignVersion[]> {
  return Promise.all(
    (await foreignVersions(env)).map(async (s) => {
      const { group, version } = s.spec
      const list = await discover(env, s)
      return { group, version, resources: list ? aggregatedResources(group, version, list) : [], fresh: !!list }
    }),
  )
}
