// Payloads as the providers send them, cut down to what is read of them.
import { describe, expect, test } from 'vitest'
import { type Facts, filteredOut, Malformed, readPayload } from './payload.ts'

const SHA = '0123456789abcdef0123456789abcdef01234567'
const repository = { full_name: 'acme/web', url: 'https://api.github.com/repos/acme/web', html_url: 'https://github.com/acme/web' }
const giteaRepository = { full_name: 'acme/web', url: 'https://git.example.com/acme/web', html_url: 'https://git.example.com/acme/web' }
const project = { path_with_namespace: 'acme/web', web_url: 'https://gitlab.example.com/acme/web' }
const push = {
  ref: 'refs/heads/main',
  after: SHA,
  repository,
  head_commit: { id: SHA, message: 'Fix it\n\nMore' },
  pusher: { name: 'ada' },
  commits: [{ added: ['a.ts'], modified: ['src/b.ts'], removed: [] }],
}
const pr = (action: string, more: object = {}) => ({
  action,
  number: 7,
  repository,
  pull_request: {
    title: 'Add it',
    user: { login: 'ada' },
    base: { ref: 'main' },
    head: { sha: SHA, ref: 'add', repo: { full_name: 'acme/web' } },
    ...more,
  },
})

const cases: [name: string, provider: string, headers: Record<string, string>, payload: unknown, facts: Facts][] = [
  [
    'GitHub push',
    'GitHub',
    { 'x-github-event': 'push' },
    push,
    { event: 'push', repository: 'acme/web', branch: 'main', sha: SHA, message: 'Fix it', author: 'ada', apiUrl: 'https://api.github.com' },
  ],
  ['GitHub tag', 'GitHub', { 'x-github-event': 'push' }, { ...push, ref: 'refs/tags/v1' }, { event: 'tag', tag: 'v1', sha: SHA }],
  [
    'GitHub pull request',
    'GitHub',
    { 'x-github-event': 'pull_request' },
    pr('synchronize'),
    { event: 'pull_request', action: 'updated', number: '7', branch: 'main', head: 'add', sha: SHA },
  ],
  [
    'GitHub pull request closed',
    'GitHub',
    { 'x-github-event': 'pull_request' },
    pr('closed'),
    { event: 'pull_request', action: 'closed', number: '7' },
  ],
  [
    'GitHub release',
    'GitHub',
    { 'x-github-event': 'release' },
    { action: 'published', release: { tag_name: 'v2', author: { login: 'ada' } }, repository },
    { event: 'release', tag: 'v2', ref: 'refs/tags/v2' },
  ],
  [
    'GHCR image',
    'GitHub',
    { 'x-github-event': 'registry_package' },
    {
      action: 'published',
      repository,
      registry_package: {
        package_version: {
          package_url: 'registry.example.com/acme/web:v3',
          container_metadata: { tag: { name: 'v3', digest: 'sha256:aa' } },
        },
      },
    },
    { event: 'image', image: 'registry.example.com/acme/web', imageTag: 'v3', digest: 'sha256:aa' },
  ],
  [
    'Gitea push',
    'Gitea',
    { 'x-gitea-event': 'push' },
    { ...push, repository: giteaRepository },
    { event: 'push', sha: SHA, apiUrl: 'https://git.example.com/api/v1' },
  ],
  [
    'Gitea pull request',
    'Gitea',
    { 'x-gitea-event': 'pull_request' },
    { ...pr('synchronized'), repository: giteaRepository },
    { action: 'updated' },
  ],
  [
    'GitLab push',
    'GitLab',
    { 'x-gitlab-event': 'Push Hook' },
    {
      ref: 'refs/heads/main',
      after: SHA,
      checkout_sha: SHA,
      project,
      user_username: 'ada',
      commits: [{ title: 'Fix', added: ['x'] }],
      total_commits_count: 1,
    },
    { event: 'push', branch: 'main', sha: SHA, repository: 'acme/web', apiUrl: 'https://gitlab.example.com/api/v4', message: 'Fix' },
  ],
  [
    'GitLab tag',
    'GitLab',
    { 'x-gitlab-event': 'Tag Push Hook' },
    { ref: 'refs/tags/v1', after: SHA, checkout_sha: SHA, project },
    { event: 'tag', tag: 'v1' },
  ],
  [
    'GitLab merge request',
    'GitLab',
    { 'x-gitlab-event': 'Merge Request Hook' },
    {
      project,
      user: { username: 'ada' },
      object_attributes: {
        action: 'open',
        iid: 3,
        last_commit: { id: SHA },
        source_branch: 'a',
        target_branch: 'main',
        source_project_id: 1,
        target_project_id: 1,
      },
    },
    { event: 'pull_request', action: 'opened', number: '3' },
  ],
  [
    'Bitbucket push',
    'Bitbucket',
    { 'x-event-key': 'repo:push' },
    {
      repository,
      actor: { nickname: 'ada' },
      push: { changes: [{ new: { type: 'branch', name: 'main', target: { hash: SHA, message: 'Fix\n' } } }] },
    },
    { event: 'push', branch: 'main', sha: SHA, author: 'ada' },
  ],
  [
    'Bitbucket merged',
    'Bitbucket',
    { 'x-event-key': 'pullrequest:fulfilled' },
    {
      repository,
      pullrequest: { id: 4, source: { commit: { hash: SHA }, branch: { name: 'a' } }, destination: { branch: { name: 'main' } } },
    },
    { action: 'closed', number: '4' },
  ],
  [
    'Docker Hub',
    'DockerHub',
    {},
    { push_data: { tag: 'v1', pusher: 'ada' }, repository: { repo_name: 'acme/web' } },
    { event: 'image', image: 'acme/web', imageTag: 'v1' },
  ],
  [
    'Harbor',
    'Registry',
    {},
    {
      type: 'PUSH_ARTIFACT',
      operator: 'ada',
      event_data: { resources: [{ digest: 'sha256:bb', tag: 'v1', resource_url: 'hub.example.com:5000/acme/web:v1' }] },
    },
    { event: 'image', image: 'hub.example.com:5000/acme/web', imageTag: 'v1', digest: 'sha256:bb' },
  ],
  [
    'CNCF registry',
    'Registry',
    {},
    {
      events: [
        { action: 'pull' },
        { action: 'push', target: { repository: 'acme/web', tag: 'v1', digest: 'sha256:cc' }, request: { host: 'r.example.com' } },
      ],
    },
    { image: 'r.example.com/acme/web', imageTag: 'v1', digest: 'sha256:cc' },
  ],
  ['generic', 'Generic', {}, { image: 'acme/web', imageTag: 'v1' }, { event: 'image', image: 'acme/web', imageTag: 'v1' }],
]
test.each(cases)('%s', (_name, provider, headers, payload, facts) => {
  const reading = readPayload(provider, payload, (n) => headers[n])
  expect(reading).toHaveProperty('facts')
  expect((reading as { facts: Facts }).facts).toMatchObject(facts)
})

test('generic with pointers into any form', () => {
  const payload = { build: { 'commit/id': SHA, number: 12 }, on: ['refs/heads/main'] }
  const fields = { sha: '/build/commit~1id', ref: '/on/0', message: '/build/number' }
  expect(readPayload('Generic', payload, () => undefined, fields)).toMatchObject({
    facts: { event: 'push', sha: SHA, branch: 'main', message: '12' },
  })
})

const ignored: [string, string, Record<string, string>, unknown][] = [
  ['ping', 'GitHub', { 'x-github-event': 'ping' }, { zen: '' }],
  ['a deleted branch', 'GitHub', { 'x-github-event': 'push' }, { ...push, deleted: true }],
  ['a label', 'GitHub', { 'x-github-event': 'pull_request' }, pr('labeled')],
  ['an issue', 'GitHub', { 'x-github-event': 'issues' }, { action: 'opened' }],
  ['a reworded merge request', 'GitLab', { 'x-gitlab-event': 'Merge Request Hook' }, { project, object_attributes: { action: 'update' } }],
  ['a pull from a registry', 'Registry', {}, { events: [{ action: 'pull' }] }],
  ['a scan', 'Registry', {}, { type: 'SCANNING_COMPLETED' }],
]
test.each(ignored)('%s is ignored', (_name, provider, headers, payload) => {
  expect(readPayload(provider, payload, (n) => headers[n])).toHaveProperty('ignored')
})

const malformed: [string, string, Record<string, string>, unknown][] = [
  ['no object', 'GitHub', { 'x-github-event': 'push' }, 'text'],
  ['an array', 'Generic', {}, []],
  ['no event', 'GitHub', {}, push],
  ['a ref that is none', 'GitHub', { 'x-github-event': 'push' }, { ...push, ref: 'main' }],
  ['a commit that is none', 'GitHub', { 'x-github-event': 'push' }, { ...push, after: '; rm -rf /' }],
  ['no repository', 'GitHub', { 'x-github-event': 'push' }, { ...push, repository: undefined }],
  ['nothing of Docker Hub', 'DockerHub', {}, {}],
  ['nothing of a registry', 'Registry', {}, {}],
]
test.each(malformed)('%s is malformed', (_name, provider, headers, payload) => {
  expect(() => readPayload(provider, payload, (n) => headers[n])).toThrow(Malformed)
})

describe('filters', () => {
  const reading = (facts: Facts, paths?: string[]) => ({ facts, ...(paths ? { paths } : {}) })
  test.each([
    ['a push by default', {}, reading({ event: 'push', branch: 'main' }), undefined],
    ['no tag by default', {}, reading({ event: 'tag', tag: 'v1' }), /does not listen to tag/],
    ['tags when asked for', { filters: { tags: ['v*'] } }, reading({ event: 'tag', tag: 'v1' }), undefined],
    ['another branch', { filters: { branches: ['main'] } }, reading({ event: 'push', branch: 'dev' }), /branch dev/],
    [
      'another repository',
      { filters: { repository: 'acme/api' } },
      reading({ event: 'push', repository: 'acme/web' }),
      /repository is acme\/web/,
    ],
    ['files that do not count', { filters: { paths: ['src/**'] } }, reading({ event: 'push' }, ['README.md']), /no file/],
    ['files that count', { filters: { paths: ['src/**'] } }, reading({ event: 'push' }, ['src/a/b.ts']), undefined],
    ['files that are not known', { filters: { paths: ['src/**'] } }, reading({ event: 'push' }), undefined],
    ['an image tag that does not fit', { filters: { imageTags: ['v*'] } }, reading({ event: 'image', imageTag: 'latest' }), /latest/],
    ['a fork', { preview: {} }, reading({ event: 'pull_request', fork: 'mallory/web' }), /mallory/],
    ['a fork that is let in', { preview: { forks: true } }, reading({ event: 'pull_request', fork: 'mallory/web' }), undefined],
  ])('%s', (_name, spec, given, why) => {
    const found = filteredOut(spec, given)
    if (why) expect(found).toMatch(why)
    else expect(found).toBeUndefined()
  })
})
