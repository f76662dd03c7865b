// kedge hook: deploy hooks of the cluster that KUBECONFIG names, from the first to the last delivery.
import { createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { providers, subjectOfFacts } from '../../shared/kinds/deploy.ts'
import { under } from '../../shared/meta/url.ts'
import { type Flag, parseFlags } from '../flags.ts'
import { type Access, currentAccess, currentNamespace } from '../kubeconfig.ts'
import { age, printTable } from '../print/table.ts'
import { apiRequest } from '../request.ts'

const GROUP = '/apis/deploy.kedge.dev/v1'
const ACCOUNT = 'deploy-hook'
const POLL = 700

const about = `Lets a push, a new image or a pull request deploy.

  kedge hook create NAME --provider GitHub --deployment web --image 'registry.example.com/web:{{sha}}'
  kedge hook create NAME --provider GitHub --apply deploy/ --preview
  kedge hook create NAME --provider DockerHub --deployment web
  kedge hook ls                  the namespace's hooks
  kedge hook logs NAME [-f]      its deliveries, the oldest first
  kedge hook replay DELIVERY     do it once more
  kedge hook test NAME           call it as its provider would, with a ping or --payload FILE
  kedge hook rm NAME             remove it

What is printed by create goes into the provider's settings: URL and secret. Everything else of a hook is in its object:
kubectl explain deployhook.spec`

const flags: Record<string, Flag> = {
  namespace: { type: 'string', short: 'n', value: 'NAME', about: "the namespace (default the context's)" },
  provider: { type: 'string', value: 'NAME', about: providers.join(', ') },
  deployment: { type: 'string', value: 'NAME[/CONTAINER]', about: 'a Deployment that gets the new image', multiple: true },
  image: { type: 'string', value: 'TEMPLATE', about: 'which image, with {{sha}}, {{short}}, {{tag}} or {{branch}} in it' },
  restart: { type: 'string', value: 'NAME', about: 'a Deployment to restart instead', multiple: true },
  apply: { type: 'string', value: 'PATH', about: 'apply this folder of the repository instead: manifests or a kustomization' },
  'apply-image': {
    type: 'string',
    value: 'NAME=IMAGE:TAG',
    about: 'with --apply: an image to be another one, as web=registry.example.com/web:{{sha}}',
    multiple: true,
  },
  prune: { type: 'boolean', about: 'with --apply: delete what is not there any more' },
  preview: { type: 'boolean', about: 'with --apply: a namespace per pull request' },
  archive: { type: 'string', value: 'URL', about: 'with --apply: where the .tar.gz of a commit is, if not at the provider' },
  'token-secret': { type: 'string', value: 'NAME', about: 'a Secret whose key `token` may read the repository and set commit statuses' },
  branch: { type: 'string', value: 'PATTERN', about: 'only these branches', multiple: true },
  tag: { type: 'string', value: 'PATTERN', about: 'also tags that fit', multiple: true },
  path: { type: 'string', value: 'PATTERN', about: 'only when such a file changed', multiple: true },
  'image-tag': { type: 'string', value: 'PATTERN', about: 'only image tags that fit', multiple: true },
  repository: { type: 'string', value: 'OWNER/NAME', about: 'only this repository' },
  'service-account': { type: 'string', value: 'NAME', about: `whose rights it has (default ${ACCOUNT}, made with the role edit)` },
  timeout: { type: 'string', value: 'SECONDS', about: 'how long a rollout may take', default: '300' },
  'no-rollback': { type: 'boolean', about: 'leave a failed rollout as it is' },
  follow: { type: 'boolean', short: 'f', about: 'with logs: go on' },
  payload: { type: 'string', value: 'FILE', about: 'with test: what to send' },
  event: { type: 'string', value: 'NAME', about: "with test: the provider's name of the event", default: 'ping' },
}

const workload = (text: string) => {
  const [name, container] = text.split('/')
  return { kind: 'Deployment', name, ...(container ? { container } : {}) }
}

function applyImage(text: string) {
  const m = /^([^=]+)=(.+?)(?::([^:/]+))?$/.exec(text)
  if (!m) throw new Error(`--apply-image wants NAME=IMAGE:TAG, got ${JSON.stringify(text)}`)
  return { name: m[1], ...(m[2] === m[1] ? {} : { newName: m[2] }), ...(m[3] ? { newTag: m[3] } : {}) }
}

/** The object that the flags describe; the server says what is wrong with it. */
function hookOf(name: string, v: Record<string, any>) {
  const provider = providers.find((p) => p.toLowerCase() === v.provider?.toLowerCase()) ?? v.provider
  if (!provider) throw new Error(`--provider is missing: one of ${providers.join(', ')}`)
  const filters = {
    ...(v.branch ? { branches: v.branch } : {}),
    ...(v.tag ? { tags: v.tag } : {}),
    ...(v.path ? { paths: v.path } : {}),
    ...(v['image-tag'] ? { imageTags: v['image-tag'] } : {}),
    ...(v.repository ? { repository: v.repository } : {}),
  }
  const credentials = v['token-secret'] ? { name: v['token-secret'] } : undefined
  return {
    apiVersion: 'deploy.kedge.dev/v1',
    kind: 'DeployHook',
    metadata: { name },
    spec: {
      provider,
      secretRef: { name: `${name}-hook` },
      ...(Object.keys(filters).length ? { filters } : {}),
      ...(v.deployment ? { setImage: { workloads: v.deployment.map(workload), ...(v.image ? { image: v.image } : {}) } } : {}),
      ...(v.restart ? { restart: { workloads: v.restart.map(workload) } } : {}),
      ...(v.apply === undefined
        ? {}
        : {
            apply: {
              path: v.apply,
              ...(v.archive ? { archive: v.archive } : {}),
              ...(credentials ? { credentialsRef: credentials } : {}),
              ...(v['apply-image'] ? { images: v['apply-image'].map(applyImage) } : {}),
              ...(v.prune ? { prune: true } : {}),
            },
          }),
      ...(v.preview ? { preview: {} } : {}),
      ...(credentials ? { report: { commitStatus: true, tokenRef: credentials } } : {}),
      serviceAccountName: v['service-account'] ?? ACCOUNT,
      rollout: { timeoutSeconds: Number(v.timeout), rollback: !v['no-rollback'] },
    },
  }
}

const unlessThere = (cause: { code?: number }) => {
  if (cause.code !== 409) throw cause
}

/** The account that hooks of a namespace act as, where nobody names another. */
async function makeAccount(access: Access, ns: string): Promise<void> {
  await apiRequest(access, 'POST', `/api/v1/namespaces/${ns}/serviceaccounts`, { metadata: { name: ACCOUNT } }).catch(unlessThere)
  await apiRequest(access, 'POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${ns}/rolebindings`, {
    metadata: { name: ACCOUNT },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: ns }],
  }).catch(unlessThere)
}

/** Where providers that sign nothing have the secret: in the address. */
const inAddress = (provider: string) => provider === 'DockerHub' || provider === 'Registry'

const where: Record<string, string> = {
  GitHub: 'Settings → Webhooks → Add webhook: content type application/json, and the events that you want',
  GitLab: 'Settings → Webhooks: the secret goes into "Secret token"',
  Gitea: 'Settings → Webhooks → Gitea: content type application/json',
  Bitbucket: 'Repository settings → Webhooks',
  DockerHub: 'the repository → Webhooks; the secret is in the URL: keep it to yourself',
  Registry: 'the registry’s webhook or notification settings; the secret is in the URL, or goes into the Authorization header',
  Generic: 'POST JSON with the header X-Kedge-Signature: sha256=HMAC, or Authorization: Bearer SECRET',
}

async function create(access: Access, ns: string, name: string, v: Record<string, any>): Promise<void> {
  const hook = hookOf(name, v)
  const { provider } = hook.spec
  const secret = randomBytes(32).toString('base64url')
  // What is wrong with the hook is said before anything is made.
  await apiRequest(access, 'POST', `${GROUP}/namespaces/${ns}/deployhooks?dryRun=All`, hook)
  if (!v['service-account']) await makeAccount(access, ns)
  await apiRequest(access, 'POST', `/api/v1/namespaces/${ns}/secrets`, { metadata: { name: `${name}-hook` }, stringData: { secret } })
  await apiRequest(access, 'POST', `${GROUP}/namespaces/${ns}/deployhooks`, hook)
  const url = under(access.server, `/hooks/${ns}/${name}${inAddress(provider) ? `/${secret}` : ''}`).href
  process.stderr.write(`deployhook ${name} created. At ${provider}: ${where[provider] ?? ''}\n\n`)
  process.stdout.write(`URL:     ${url}\n${inAddress(provider) ? '' : `Secret:  ${secret}\n`}`)
}

const line = (d: any): string =>
  [
    d.spec.received ?? d.metadata.creationTimestamp,
    d.metadata.name,
    d.spec.facts?.event ?? '',
    subjectOfFacts(d.spec.facts),
    d.status?.phase || 'Pending',
    d.status?.message ?? '',
  ].join('  ')

async function logs(access: Access, ns: string, name: string, follow: boolean): Promise<void> {
  const shown = new Map<string, string>()
  do {
    const { items } = await apiRequest(
      access,
      'GET',
      `${GROUP}/namespaces/${ns}/deploydeliveries?fieldSelector=spec.hook=${encodeURIComponent(name)}`,
    )
    const sorted = items.sort((a: any, b: any) => ((a.spec.received ?? '') < (b.spec.received ?? '') ? -1 : 1))
    for (const d of sorted) {
      const text = line(d)
      if (shown.get(d.metadata.name) === text) continue
      shown.set(d.metadata.name, text)
      process.stdout.write(`${text}\n`)
    }
    if (follow) await sleep(POLL)
  } while (follow)
}

/** Calls the hook as its provider would. */
async function test(access: Access, ns: string, name: string, v: Record<string, any>): Promise<void> {
  const hook = await apiRequest(access, 'GET', `${GROUP}/namespaces/${ns}/deployhooks/${encodeURIComponent(name)}`)
  const { provider, secretRef } = hook.spec
  const kept = await apiRequest(access, 'GET', `/api/v1/namespaces/${ns}/secrets/${encodeURIComponent(secretRef.name)}`)
  const secret = Buffer.from(kept.data?.[secretRef.key ?? 'secret'] ?? '', 'base64').toString()
  const body = v.payload ? readFileSync(v.payload) : Buffer.from('{"zen":"A test by kedge hook test."}')
  const signature = createHmac('sha256', secret).update(body).digest('hex')
  const headers: Record<string, Record<string, string>> = {
    GitHub: {
      'x-github-event': v.event,
      'x-hub-signature-256': `sha256=${signature}`,
      'x-github-delivery': randomBytes(8).toString('hex'),
    },
    Gitea: { 'x-gitea-event': v.event, 'x-gitea-signature': signature },
    GitLab: { 'x-gitlab-event': v.event === 'ping' ? 'Test Hook' : v.event, 'x-gitlab-token': secret },
    Bitbucket: { 'x-event-key': v.event === 'ping' ? 'diagnostics:ping' : v.event, 'x-hub-signature': `sha256=${signature}` },
    Generic: { 'x-kedge-signature': `sha256=${signature}` },
  }
  const url = under(access.server, `/hooks/${ns}/${name}${inAddress(provider) ? `/${secret}` : ''}`)
  const answer = await new Promise<string>((resolve, reject) => {
    const req = httpsRequest(
      url,
      {
        method: 'POST',
        ...(access.ca ? { ca: access.ca } : {}),
        headers: { ...headers[provider], 'content-type': 'application/json', 'content-length': body.length },
        timeout: 15_000,
      },
      (res) => {
        let text = ''
        res.on('data', (d) => (text += d))
        res.on('end', () => ((res.statusCode ?? 500) < 300 ? resolve(text) : reject(new Error(`${res.statusCode}: ${text}`))))
      },
    )
    req.on('timeout', () => req.destroy(new Error('no answer in 15 s')))
    req.on('error', reject)
    req.end(body)
  })
  process.stdout.write(`the hook was reached, and answered ${answer}\n`)
}

async function replay(access: Access, ns: string, name: string): Promise<void> {
  const old = await apiRequest(access, 'GET', `${GROUP}/namespaces/${ns}/deploydeliveries/${encodeURIComponent(name)}`)
  const made = await apiRequest(access, 'POST', `${GROUP}/namespaces/${ns}/deploydeliveries`, {
    apiVersion: 'deploy.kedge.dev/v1',
    kind: 'DeployDelivery',
    metadata: { generateName: `${old.spec.hook}-replay-`, ownerReferences: old.metadata.ownerReferences },
    spec: { ...old.spec, received: new Date().toISOString().replace('Z', '000Z'), replayOf: name },
  })
  process.stdout.write(`${made.metadata.name} does ${name} once more: kedge hook logs ${old.spec.hook} -f\n`)
}

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags('hook SUBCOMMAND', about, flags, args)
  if (!parsed) return 0
  const { values: v, positionals } = parsed
  const [what, name] = positionals
  const access = currentAccess()
  const ns = v.namespace ?? currentNamespace()
  if (what !== 'ls' && what !== 'list' && what !== undefined && !name)
    throw new Error(`usage: kedge hook ${what} NAME (see kedge hook --help)`)
  switch (what) {
    case 'create':
      await create(access, ns, name!, v)
      return 0
    case 'ls':
    case 'list': {
      const { items } = await apiRequest(access, 'GET', `${GROUP}/namespaces/${ns}/deployhooks`)
      if (!items.length) process.stderr.write(`No hooks in the namespace ${ns}: kedge hook create --help\n`)
      else
        process.stdout.write(
          printTable(
            ['name', 'provider', 'deliveries', 'ignored', 'refused', 'last', 'age'],
            items.map((h: any) => [
              h.metadata.name,
              h.spec.provider,
              String(h.status?.accepted ?? 0),
              String(h.status?.ignored ?? 0),
              String(h.status?.refused ?? 0),
              h.status?.lastPhase ?? '',
              age(h.metadata.creationTimestamp),
            ]),
          ),
        )
      return 0
    }
    case 'logs':
      await logs(access, ns, name!, !!v.follow)
      return 0
    case 'replay':
      await replay(access, ns, name!)
      return 0
    case 'test':
      await test(access, ns, name!, v)
      return 0
    case 'rm':
      await apiRequest(access, 'DELETE', `${GROUP}/namespaces/${ns}/deployhooks/${encodeURIComponent(name!)}`)
      await apiRequest(access, 'DELETE', `/api/v1/namespaces/${ns}/secrets/${encodeURIComponent(`${name}-hook`)}`).catch((cause) => {
        if (cause.code !== 404) throw cause
      })
      process.stdout.write(`deployhook ${name} removed\n`)
      return 0
    default:
      throw new Error('usage: kedge hook create|ls|logs|replay|test|rm (see kedge hook --help)')
  }
}
