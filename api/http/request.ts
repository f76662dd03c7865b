// What a request asks for, read from its path and query: resource, verb, options. No cluster state is needed here.
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import { badRequest, genericNotFound, invalid, StatusError } from '../../shared/status/index.ts'
import type { Attributes, WriteOptions } from '../registry/context.ts'

export interface ResourceRequest {
  kind: Kind
  /** Absent on cluster-wide lists. */
  namespace?: string
  name?: string
  subresource?: string
  /** Path behind the subresource, as proxies need it. */
  rest: string[]
  watch: boolean
}

const MAX_NAME = 253

/** `/api/v1/…` or `/apis/G/V/…` after its version, in its parts; whether any of them is served is not asked. */
export function splitPath(group: string, segments: string[]) {
  const watch = segments[0] === 'watch'
  let parts = watch ? segments.slice(1) : segments
  let namespace: string | undefined
  // `namespaces/NAME` and `namespaces/NAME/status` are the namespace itself.
  const own = parts.length <= 2 || (group === '' && ['status', 'finalize'].includes(parts[2]!))
  if (parts[0] === 'namespaces' && !own) {
    namespace = parts[1]
    parts = parts.slice(2)
  }
  const [plural, name, subresource, ...rest] = parts
  return { watch, namespace, plural, name, subresource, rest }
}

/** A path that names a resource. Throws 404 for what is not served. */
export function parseResourcePath(kinds: KindTable, group: string, version: string, segments: string[]): ResourceRequest {
  const { watch, namespace, plural, name, subresource, rest } = splitPath(group, segments)
  const kind = plural && kinds.byResource(group, version, plural)
  if (!kind) throw genericNotFound()
  if ((name?.length ?? 0) > MAX_NAME) throw genericNotFound()
  if (namespace !== undefined && !kind.namespaced) throw genericNotFound()
  if (kind.namespaced && name !== undefined && namespace === undefined) throw genericNotFound()
  if (subresource !== undefined && !kind.subresources?.[subresource]) throw genericNotFound()
  return { kind, namespace, name, subresource, rest, watch }
}

const verbs: Record<string, [string, string]> = {
  GET: ['list', 'get'],
  HEAD: ['list', 'get'],
  POST: ['create', 'create'],
  PUT: ['', 'update'],
  PATCH: ['', 'patch'],
  DELETE: ['deletecollection', 'delete'],
}

export const methodRefused = () =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})

const methodVerb = (method: string, one: boolean, watch: boolean, query: URLSearchParams): string => {
  const verb = verbs[method]?.[one ? 1 : 0] ?? ''
  return (verb === 'list' && (watch || isTrue(query.get('watch')))) || (verb === 'get' && watch) ? 'watch' : verb
}

/** The verb as the authorizer names it. Throws 405 where the resource has none for the method. */
export function verbOf(method: string, r: ResourceRequest, query: URLSearchParams): string {
  const verb = methodVerb(method, r.name !== undefined, r.watch, query)
  if (!verb) throw methodRefused()
  if (r.subresource) {
    if (!r.kind.subresources![r.subresource]!.verbs.includes(verb)) throw methodRefused()
    return verb
  }
  if (!r.kind.verbs.includes(verb)) throw methodRefused()
  if (verb === 'create' && r.name !== undefined) throw methodRefused()
  if (verb === 'create' && r.kind.namespaced && r.namespace === undefined) throw methodRefused()
  return verb
}

export const attributesOf = (r: ResourceRequest, verb: string): Attributes => ({
  verb,
  group: r.kind.group,
  resource: r.kind.plural,
  ...(r.subresource ? { subresource: r.subresource } : {}),
  // A namespace lives in itself, as far as rights go.
  ...(r.namespace !== undefined ? { namespace: r.namespace } : r.kind.kind === 'Namespace' && r.name ? { namespace: r.name } : {}),
  ...(r.name !== undefined ? { name: r.name } : {}),
})

/** The same of a request by its path alone: of resources that others serve, or before it is known whether anybody does. */
export function attributesOfPath(method: string, group: string, segments: string[], query: URLSearchParams): Attributes {
  const { watch, namespace, plural = '', name, subresource } = splitPath(group, segments)
  const within = namespace ?? (group === '' && plural === 'namespaces' ? name : undefined)
  return {
    verb: methodVerb(method, name !== undefined, watch, query) || method.toLowerCase(),
    group,
    resource: plural,
    ...(subresource ? { subresource } : {}),
    ...(within ? { namespace: within } : {}),
    ...(name ? { name } : {}),
  }
}

/** A truth among a query's parameters, as apimachinery reads them: whatever is not false, or 0, is true. */
export const isTrue = (v: string | null): boolean => v !== null && !['false', '0'].includes(v.toLowerCase())

/** A number parameter as Go parses it. */
export function integerParam(query: URLSearchParams, name: string): number | undefined {
  const v = query.get(name)
  if (v === null || v === '') return undefined
  if (!/^-?\d{1,18}$/.test(v)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(v)}: invalid syntax`)
  return Number(v)
}

/** dryRun, fieldManager and fieldValidation; the manager defaults to the client's name. */
export function writeOptions(query: URLSearchParams, userAgent: string | null, what: string): WriteOptions {
  const dry = query.getAll('dryRun')
  if (dry.some((d) => d !== 'All')) {
    throw invalid('meta.k8s.io', what, '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'dryRun',
        message: `Unsupported value: []string{${dry.map((d) => JSON.stringify(d)).join(', ')}}: supported values: "All"`,
      },
    ])
  }
  const manager = query.get('fieldManager')
  if (manager && manager.length > 128)
    throw invalid('meta.k8s.io', what, '', [
      { reason: 'FieldValueTooLong', field: 'fieldManager', message: 'Too long: may not be more than 128 bytes' },
    ])
  const validation = query.get('fieldValidation') ?? 'Warn'
  if (!['Ignore', 'Warn', 'Strict', ''].includes(validation))
    throw invalid('meta.k8s.io', what, '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'fieldValidation',
        message: `Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
      },
    ])
  return {
    dryRun: dry.length > 0,
    fieldManager: manager || (userAgent ?? 'unknown').split('/')[0]!.slice(0, 128) || 'unknown',
    fieldValidation: (validation || 'Warn') as WriteOptions['fieldValidation'],
  }
}
