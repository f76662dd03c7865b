// What providers say, in one form: facts. Pure; a payload that is not what its headers claim is malformed.
import { passes } from '../../shared/meta/glob.ts'

/** Text by name, as a delivery keeps it: event, repository, branch, tag, ref, sha, number, action, image, imageTag, digest, message, author, apiUrl. */
export type Facts = Record<string, string>

export type Reading =
  | { facts: Facts /** Files that the commits of a push changed, where the provider says so. */; paths?: string[] }
  /** Right, and nothing to do. */
  | { ignored: string }

export class Malformed extends Error {}

const MAX_FACT = 500
const MAX_PATHS = 3000
const REF = /^refs\/(heads|tags)\/(.+)$/
const SHA = /^[0-9a-f]{40}([0-9a-f]{24})?$/
const ZERO = /^0+$/

type Headers = (name: string) => string | undefined

const text = (value: unknown): string | undefined => {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value ? value.slice(0, MAX_FACT) : undefined
}

/** Drops what is not there. */
const facts = (given: Record<string, unknown>): Facts =>
  Object.fromEntries(Object.entries(given).flatMap(([k, v]) => (text(v) === undefined ? [] : [[k, text(v)!]])))

function object(value: unknown, what: string): any {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed(`the payload has no ${what}`)
  return value
}

function pathsOf(commits: unknown): string[] | undefined {
  if (!Array.isArray(commits)) return undefined
  const all = commits.flatMap((c) => [...(c?.added ?? []), ...(c?.modified ?? []), ...(c?.removed ?? [])])
  return all.filter((p): p is string => typeof p === 'string').slice(0, MAX_PATHS)
}

/** A push as GitHub and Gitea tell it. */
function gitPush(p: any): Reading {
  const repository = object(p.repository, 'repository')
  const [, where, name] = REF.exec(String(p.ref)) ?? []
  if (!name) throw new Malformed('ref is neither a branch nor a tag')
  if (p.deleted || ZERO.test(String(p.after))) return { ignored: `${name} was deleted` }
  if (!SHA.test(String(p.after))) throw new Malformed('after is no commit')
  const paths = pathsOf(p.commits)
  return {
    facts: facts({
      event: where === 'tags' ? 'tag' : 'push',
      repository: repository.full_name,
      ref: p.ref,
      [where === 'tags' ? 'tag' : 'branch']: name,
      // An annotated tag has an object of its own; what it points to is the head commit.
      sha: p.head_commit?.id ?? p.after,
      message: p.head_commit?.message?.split('\n')[0],
      author: p.pusher?.login ?? p.pusher?.name,
      apiUrl: apiOf(repository),
    }),
    ...(paths ? { paths } : {}),
  }
}

/** `https://api.github.com` from `https://api.github.com/repos/acme/web`; Gitea's from the repository's page. */
function apiOf(repository: any): string | undefined {
  const api = /^(https?:\/\/.*)\/repos\/[^/]+\/[^/]+$/.exec(String(repository.url))
  if (api) return api[1]
  const page = text(repository.html_url)
  return page && URL.canParse(page) ? `${new URL(page).origin}/api/v1` : undefined
}

const opened: Record<string, string> = {
  opened: 'opened',
  reopened: 'opened',
  synchronize: 'updated',
  synchronized: 'updated',
  closed: 'closed',
  open: 'opened',
  reopen: 'opened',
  update: 'updated',
  close: 'closed',
  merge: 'closed',
}

function gitPullRequest(p: any): Reading {
  const action = opened[p.action]
  if (!action) return { ignored: `a pull request was ${p.action}` }
  const request = object(p.pull_request, 'pull_request')
  const head = object(request.head, 'pull_request.head')
  if (!SHA.test(String(head.sha))) throw new Malformed('pull_request.head.sha is no commit')
  const repository = object(p.repository, 'repository')
  return {
    facts: facts({
      event: 'pull_request',
      action,
      number: p.number ?? request.number,
      repository: repository.full_name,
      branch: request.base?.ref,
      head: head.ref,
      sha: head.sha,
      message: request.title,
      author: request.user?.login,
      ...(head.repo?.full_name && head.repo.full_name !== repository.full_name ? { fork: head.repo.full_name } : {}),
      apiUrl: apiOf(repository),
    }),
  }
}

function gitHub(p: any, header: Headers): Reading {
  const event = header('x-github-event') ?? header('x-gitea-event') ?? header('x-forgejo-event')
  switch (event) {
    case 'ping':
      return { ignored: 'ping' }
    case 'push':
      return gitPush(p)
    case 'pull_request':
    case 'pull_request_sync':
      return gitPullRequest(p)
    case 'release': {
      if (p.action !== 'published') return { ignored: `a release was ${p.action}` }
      const tag = object(p.release, 'release').tag_name
      return {
        facts: facts({
          event: 'release',
          repository: object(p.repository, 'repository').full_name,
          tag,
          ref: `refs/tags/${tag}`,
          message: p.release.name,
          author: p.release.author?.login,
          apiUrl: apiOf(p.repository),
        }),
      }
    }
    case 'package':
    case 'registry_package': {
      if (p.action !== 'published' && p.action !== 'updated') return { ignored: `a package was ${p.action}` }
      const version = object((p.registry_package ?? p.package)?.package_version, 'package_version')
      const [, image] = /^([^@\s]+?)(?::[^:/@\s]*)?(?:@\S+)?$/.exec(String(version.package_url)) ?? []
      const tag = version.container_metadata?.tag ?? {}
      if (!image) return { ignored: 'the package is no image' }
      return { facts: facts({ event: 'image', image, imageTag: tag.name, digest: tag.digest, repository: p.repository?.full_name }) }
    }
    case undefined:
      throw new Malformed('no header says which event this is')
    default:
      return { ignored: `nothing is done on ${event}` }
  }
}

function gitLab(p: any, header: Headers): Reading {
  const event = header('x-gitlab-event')
  if (!event) throw new Malformed('no header says which event this is')
  const project = object(p.project, 'project')
  const page = text(project.web_url)
  const apiUrl = page && URL.canParse(page) ? `${new URL(page).origin}/api/v4` : undefined
  if (event === 'Push Hook' || event === 'Tag Push Hook') {
    const [, where, name] = REF.exec(String(p.ref)) ?? []
    if (!name) throw new Malformed('ref is neither a branch nor a tag')
    const sha = p.checkout_sha ?? p.after
    if (sha === null || ZERO.test(String(p.after))) return { ignored: `${name} was deleted` }
    if (!SHA.test(String(sha))) throw new Malformed('checkout_sha is no commit')
    const paths = pathsOf(p.commits)
    return {
      facts: facts({
        event: where === 'tags' ? 'tag' : 'push',
        repository: project.path_with_namespace,
        ref: p.ref,
        [where === 'tags' ? 'tag' : 'branch']: name,
        sha,
        message: p.commits?.at?.(-1)?.title,
        author: p.user_username ?? p.user_name,
        apiUrl,
      }),
      // More commits than the payload lists: which files changed is not known.
      ...(paths && !(p.total_commits_count > (p.commits?.length ?? 0)) ? { paths } : {}),
    }
  }
  if (event === 'Merge Request Hook') {
    const request = object(p.object_attributes, 'object_attributes')
    const action = opened[request.action]
    if (!action) return { ignored: `a merge request was ${request.action}` }
    // An update without an older head changed its words, not its commits.
    if (request.action === 'update' && !request.oldrev) return { ignored: 'a merge request was reworded' }
    const sha = request.last_commit?.id
    if (!SHA.test(String(sha))) throw new Malformed('object_attributes.last_commit.id is no commit')
    return {
      facts: facts({
        event: 'pull_request',
        action,
        number: request.iid,
        repository: project.path_with_namespace,
        branch: request.target_branch,
        head: request.source_branch,
        sha,
        message: request.title,
        author: p.user?.username,
        ...(request.source_project_id !== request.target_project_id ? { fork: String(request.source_project_id) } : {}),
        apiUrl,
      }),
    }
  }
  return { ignored: `nothing is done on ${event}` }
}

function bitbucket(p: any, header: Headers): Reading {
  const event = header('x-event-key')
  if (!event) throw new Malformed('no header says which event this is')
  const repository = object(p.repository, 'repository')
  const common = { repository: repository.full_name, author: p.actor?.nickname, apiUrl: 'https://api.bitbucket.org/2.0' }
  if (event === 'repo:push') {
    const change = object(p.push, 'push').changes?.at?.(-1)
    if (!change?.new) return { ignored: 'a branch or tag was deleted' }
    const { type, name, target } = change.new
    if (!SHA.test(String(target?.hash))) throw new Malformed('the change has no commit')
    return {
      facts: facts({
        ...common,
        event: type === 'tag' ? 'tag' : 'push',
        ref: `refs/${type === 'tag' ? 'tags' : 'heads'}/${name}`,
        [type === 'tag' ? 'tag' : 'branch']: name,
        sha: target.hash,
        message: target.message?.split('\n')[0],
      }),
    }
  }
  const actions: Record<string, string> = {
    'pullrequest:created': 'opened',
    'pullrequest:updated': 'updated',
    'pullrequest:fulfilled': 'closed',
    'pullrequest:rejected': 'closed',
  }
  if (!actions[event]) return { ignored: `nothing is done on ${event}` }
  const request = object(p.pullrequest, 'pullrequest')
  const { source, destination } = request
  return {
    facts: facts({
      ...common,
      event: 'pull_request',
      action: actions[event],
      number: request.id,
      branch: destination?.branch?.name,
      head: source?.branch?.name,
      sha: source?.commit?.hash,
      message: request.title,
      ...(source?.repository?.full_name && source.repository.full_name !== repository.full_name
        ? { fork: source.repository.full_name }
        : {}),
    }),
  }
}

function dockerHub(p: any): Reading {
  const push = object(p.push_data, 'push_data')
  return { facts: facts({ event: 'image', image: object(p.repository, 'repository').repo_name, imageTag: push.tag, author: push.pusher }) }
}

/** Harbor's own form, or the notifications of a CNCF registry. */
function registry(p: any): Reading {
  if (Array.isArray(p.events)) {
    const push = p.events.find((e: any) => e?.action === 'push' && (e.target?.tag || /manifest/.test(e.target?.mediaType ?? '')))
    if (!push) return { ignored: 'no image was pushed' }
    const { target, request } = push
    const host = text(request?.host)
    return {
      facts: facts({
        event: 'image',
        image: `${host ? `${host}/` : ''}${target.repository}`,
        imageTag: target.tag,
        digest: target.digest,
        author: push.actor?.name,
      }),
    }
  }
  if (p.type !== 'PUSH_ARTIFACT') {
    if (typeof p.type !== 'string') throw new Malformed('the payload is neither of Harbor nor of a CNCF registry')
    return { ignored: `nothing is done on ${p.type}` }
  }
  const resource = object(object(p.event_data, 'event_data').resources?.[0], 'event_data.resources')
  return {
    facts: facts({
      event: 'image',
      image: String(resource.resource_url ?? '').replace(/(:[^:/@]*)?(@.*)?$/, '') || p.event_data.repository?.repo_full_name,
      imageTag: resource.tag,
      digest: resource.digest,
      author: p.operator,
    }),
  }
}

/** RFC 6901. */
function at(value: any, pointer: string): unknown {
  let here = value
  for (const part of pointer.split('/').slice(1)) here = here?.[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  return here
}

const GENERIC = [
  'event',
  'action',
  'repository',
  'ref',
  'branch',
  'tag',
  'sha',
  'number',
  'image',
  'imageTag',
  'digest',
  'message',
  'author',
]

function generic(p: any, fields: Record<string, string> = {}): Reading {
  const given = facts(Object.fromEntries(GENERIC.map((name) => [name, fields[name] ? at(p, fields[name]) : p[name]])))
  const [, where, name] = REF.exec(given.ref ?? '') ?? []
  if (where === 'heads') given.branch ??= name!
  if (where === 'tags') given.tag ??= name!
  given.event ??= given.number ? 'pull_request' : given.image ? 'image' : given.tag ? 'tag' : 'push'
  return { facts: given }
}

/** Reads a payload. Throws Malformed. */
export function readPayload(provider: string, payload: unknown, header: Headers, fields?: Record<string, string>): Reading {
  const p = object(payload, 'object')
  switch (provider) {
    case 'GitHub':
    case 'Gitea':
      return gitHub(p, header)
    case 'GitLab':
      return gitLab(p, header)
    case 'Bitbucket':
      return bitbucket(p, header)
    case 'DockerHub':
      return dockerHub(p)
    case 'Registry':
      return registry(p)
    default:
      return generic(p, fields)
  }
}

/** Why a reading does not count for a hook; undefined when it does. */
export function filteredOut(spec: any, reading: { facts: Facts; paths?: string[] }): string | undefined {
  const { facts: f, paths } = reading
  const filters = spec.filters ?? {}
  const wanted: string[] = filters.events ?? [
    ...(spec.preview ? ['pull_request'] : ['push']),
    'image',
    ...(filters.tags ? ['tag', 'release'] : []),
  ]
  if (!wanted.includes(f.event!)) return `the hook does not listen to ${f.event}`
  if (filters.repository && f.repository !== filters.repository) return `the repository is ${f.repository}`
  if (f.event !== 'tag' && f.event !== 'release' && f.branch !== undefined && !passes(filters.branches, f.branch))
    return `the branch ${f.branch} is filtered out`
  if (f.tag !== undefined && !passes(filters.tags, f.tag)) return `the tag ${f.tag} is filtered out`
  if (f.imageTag !== undefined && !passes(filters.imageTags, f.imageTag)) return `the image tag ${f.imageTag} is filtered out`
  if (filters.paths?.length && paths && !paths.some((p) => passes(filters.paths, p))) return 'no file that counts was changed'
  if (f.fork && !spec.preview?.forks) return `the pull request comes from ${f.fork}`
  return undefined
}
