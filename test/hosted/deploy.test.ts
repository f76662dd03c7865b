// A push deploys: signed calls of a deploy hook, rollouts on a real node, rollback, previews from a real repository, and no call lost in a crash.
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import { HostServer } from '../rig/control-plane.ts'
import { GitServer } from '../rig/git-server.ts'
import { HostUser } from '../rig/host-user.ts'
import { eventually, Rig } from '../rig/hosts.ts'
import { testImages } from '../rig/images.ts'
import { webDeployment, webService } from '../rig/manifests.ts'
import { standMissing } from '../rig/stand.ts'

const missing = standMissing()

const kustomization = (images: string) => `
resources: [web.yaml]
configMapGenerator: [{name: settings, literals: [color=${images}]}]
`
const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: site}
spec:
  replicas: 1
  selector: {matchLabels: {app: site}}
  template:
    metadata: {labels: {app: site}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: "test/web:1", imagePullPolicy: IfNotPresent, envFrom: [{configMapRef: {name: settings}}]}
`

describe.skipIf(missing).each(['node', 'workers'])('deploy hooks of a hosted cluster on %s', (platform) => {
  let rig: Rig
  let host: HostServer
  let git: GitServer
  let user: HostUser
  const run = (command: string, args: string[]) => user.run(command, args)
  const kedge = (...args: string[]) => user.run(launcher, args)
  const kubectl = (args: string, input?: string) => user.kubectl(args, input)
  const secrets = new Map<string, string>()
  const url = (hook: string) => `/clusters/prod/hooks/default/${hook}`

  /** A call as GitHub makes it; the answer's code and body. */
  async function call(
    hook: string,
    event: string,
    payload: object | string,
    headers: Record<string, string> = {},
  ): Promise<{ code: number; body: any }> {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
    const signature = createHmac('sha256', secrets.get(hook) ?? 'none')
      .update(text)
      .digest('hex')
    const file = path.join(host.folder.path, 'payload')
    writeFileSync(file, text)
    const given = {
      'x-github-event': event,
      'x-hub-signature-256': `sha256=${signature}`,
      'x-github-delivery': crypto.randomUUID(),
      'content-type': 'application/json',
      ...headers,
    }
    const out = run('curl', [
      '-s',
      '-w',
      '\n%{http_code}',
      '--cacert',
      path.join(host.folder.path, 'ca.crt'),
      ...Object.entries(given).flatMap(([k, v]) => ['-H', `${k}: ${v}`]),
      '--data-binary',
      `@${file}`,
      `${host.url}${url(hook)}`,
    ])
    const lines = out.trim().split('\n')
    return { code: Number(lines.at(-1)), body: JSON.parse(lines.slice(0, -1).join('\n') || 'null') }
  }
  const repository = () => ({ full_name: 'acme/web', url: `${git.url}/repos/acme/web` })
  const push = (sha: string) => ({
    ref: 'refs/heads/main',
    after: sha,
    repository: repository(),
    head_commit: { id: sha, message: 'A change' },
    pusher: { name: 'ada' },
  })
  const pullRequest = (action: string, sha: string) => ({
    action,
    number: 7,
    repository: repository(),
    pull_request: {
      title: 'Add it',
      user: { login: 'ada' },
      base: { ref: 'main' },
      head: { sha, ref: 'add', repo: { full_name: 'acme/web' } },
    },
  })
  const delivery = (name: string) => JSON.parse(kubectl(`get deploydelivery ${name} -o json`))
  const ended = (name: string, phase: string, timeout = 60_000) =>
    eventually(
      `${name} is ${phase}`,
      () => {
        const { status } = delivery(name)
        if (status?.finishedAt && status.phase !== phase) throw new Error(`${status.phase}: ${status.message}`)
        return status?.phase === phase && status
      },
      timeout,
    )
  const create = (name: string, ...args: string[]) => {
    const out = kedge('hook', 'create', name, '--provider', 'GitHub', '--token-secret', 'git', ...args)
    expect(out).toContain(`${host.url}${url(name)}`)
    secrets.set(name, /^Secret: +(\S+)$/m.exec(out)![1]!)
  }
  const image = () => kubectl('get deployment web -o jsonpath={.spec.template.spec.containers[0].image}')

  let good: string
  let first: string

  beforeAll(async () => {
    rig = await Rig.start(1)
    const images = testImages()
    for (const h of rig.hosts) h.loadImages(images)
    host = await HostServer.start(rig.address, [
      '--platform',
      platform,
      '--signup',
      'open',
      ...(platform === 'node' ? ['--hooks-reach', 'everything'] : []),
    ])
    user = new HostUser(host)
    git = await GitServer.start(rig.address)
    kedge('login', '--server', host.url, '--new-account', 'acme', '--ca-file', `${host.folder.path}/ca.crt`)
    kedge('cluster', 'create', 'prod')
    rig.hosts[0]!.startDaemon(host.url, kedge('token', 'create', '--join').trim())
    await eventually('the node is Ready', () => kubectl('get nodes --no-headers').includes(' Ready '), 60_000)
    kubectl('apply -f -', webDeployment(2) + webService)
    kubectl('rollout status deployment/web --timeout=60s')
    kubectl(`create secret generic git --from-literal=token=${git.token}`)
    good = git.commit({ 'README.md': 'one' })
    rig.hosts[0]!.run(`docker tag test/web:2 test/web:${good}`)
  })
  afterAll(async () => {
    git?.stop()
    await host?.stop()
    rig?.stop()
  })

  test('created, it prints what to paste, and answers a ping', () => {
    create('web', '--deployment', 'web', '--image', 'test/web:{{sha}}', '--branch', 'main', '--timeout', '10')
    expect(kedge('hook', 'test', 'web')).toContain('"reason":"ping"')
    expect(kubectl('get deployhooks')).toMatch(/web +GitHub +set image of web +0 +<none>/)
    expect(kubectl('explain deployhook.spec.setImage.image')).toContain('{{sha}}')
  })

  test('a signed push rolls the new image out, and says so everywhere', async () => {
    const { code, body } = await call('web', 'push', push(good))
    expect([code, body.status]).toEqual([202, 'accepted'])
    first = body.delivery
    const status = await ended(first, 'Succeeded')
    expect(status.changes).toMatchObject([{ kind: 'Deployment', name: 'web', from: 'test/web:1', to: `test/web:${good}`, revision: '2' }])
    expect(image()).toBe(`test/web:${good}`)
    expect(kubectl('rollout history deployment/web')).toContain(`2         web: push acme/web@${good.slice(0, 7)} by ada`)
    await eventually('the hook has an event', () => kubectl('get events --field-selector reason=Deployed').includes('deployhook/web'))
    await eventually(
      'the commit has its status',
      () =>
        git
          .statuses()
          .map((s) => s.state)
          .join() === 'pending,success',
    )
    const ip = kubectl('get svc web -o jsonpath={.spec.clusterIP}')
    expect(rig.hosts[0]!.run(`wget -q -O - -T 2 -t 3 http://${ip}/`)).toContain('v2')
    expect(kedge('hook', 'logs', 'web')).toContain(`push  acme/web@${good.slice(0, 7)}  Succeeded`)
  })

  test('what is wrong gets its code, and does nothing', async () => {
    const before = kubectl('get deploydeliveries -o name')
    const body = push(good)
    expect(await call('web', 'push', body)).toMatchObject({ code: 200, body: { status: 'duplicate' } })
    expect(await call('web', 'push', body, { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` })).toMatchObject({
      code: 401,
      body: { reason: 'Unauthorized' },
    })
    expect(await call('web', 'push', body, { 'x-hub-signature-256': '' })).toMatchObject({ code: 401 })
    expect(await call('nothing', 'push', body)).toMatchObject({ code: 404, body: { reason: 'NotFound' } })
    expect(await call('web', 'push', '{"ref":')).toMatchObject({ code: 400 })
    expect(await call('web', 'push', { ...body, after: 'x' })).toMatchObject({ code: 400 })
    expect(await call('web', 'push', { ...body, filler: 'x'.repeat(4 << 20) })).toMatchObject({ code: 413 })
    expect(await call('web', 'push', { ...body, ref: 'refs/heads/dev' })).toMatchObject({
      code: 200,
      body: { status: 'ignored', reason: 'the branch dev is filtered out' },
    })
    const elsewhere = run('curl', [
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-X',
      'POST',
      '--cacert',
      path.join(host.folder.path, 'ca.crt'),
      `${host.url}/clusters/other/hooks/default/web`,
    ])
    expect(elsewhere).toBe('404')
    expect(kubectl('get deploydeliveries -o name')).toBe(before)
  })

  test('an image that does not come up is rolled back', async () => {
    const bad = git.commit({ 'README.md': 'two' })
    const { body } = await call('web', 'push', push(bad))
    const status = await ended(body.delivery, 'RolledBack')
    expect(status.message).toBe(`the rollout was not done in 10 s; back to test/web:${good}`)
    expect(image()).toBe(`test/web:${good}`)
    kubectl('rollout status deployment/web --timeout=60s')
    await eventually('the commit has its status', () => git.statuses().some((s) => s.sha === bad && s.state === 'failure'))
    expect(kubectl('get events --field-selector reason=DeployRolledBack')).toContain('deployhook/web')
  })

  test('a delivery is done once more', async () => {
    kubectl('set image deployment/web web=test/web:1')
    const name = /^(\S+) does/.exec(kedge('hook', 'replay', first))![1]!
    await ended(name, 'Succeeded')
    expect(image()).toBe(`test/web:${good}`)
    expect(delivery(name).spec.replayOf).toBe(first)
  })

  test('killed right after it said yes, it is carried out all the same', async () => {
    const sha = git.commit({ 'README.md': 'three' })
    rig.hosts[0]!.run(`docker tag test/web:3 test/web:${sha}`)
    const { body } = await call('web', 'push', push(sha))
    await host.kill()
    await host.start()
    await ended(body.delivery, 'Succeeded')
    expect(image()).toBe(`test/web:${sha}`)
  })

  test('a kustomization is applied at the commit, and what it lost is pruned', async () => {
    create('site', '--apply', 'deploy', '--prune', '--branch', 'main')
    const one = git.commit({ 'deploy/kustomization.yaml': kustomization('red'), 'deploy/web.yaml': manifest })
    await ended((await call('site', 'push', push(one))).body.delivery, 'Succeeded')
    const red = kubectl('get configmaps -o name').match(/settings-\w+/)![0]
    const two = git.commit({ 'deploy/kustomization.yaml': kustomization('blue'), 'deploy/web.yaml': manifest })
    await ended((await call('site', 'push', push(two))).body.delivery, 'Succeeded')
    const maps = kubectl('get configmaps -o name')
    expect(maps).not.toContain(red)
    expect(kubectl('exec deploy/site -- env')).toContain('color=blue')
  })

  test('a pull request has its preview, until it is closed', async () => {
    create('preview', '--apply', 'deploy', '--preview')
    const sha = git.commit({ 'deploy/kustomization.yaml': kustomization('green'), 'deploy/web.yaml': manifest })
    const status = await ended((await call('preview', 'pull_request', pullRequest('opened', sha))).body.delivery, 'Succeeded')
    expect(status.namespace).toBe('default-pr-7')
    expect(kubectl('-n default-pr-7 exec deploy/site -- env')).toContain('color=green')
    const { status: answer, reason } = (
      await call('preview', 'pull_request', {
        ...pullRequest('opened', sha),
        pull_request: { ...pullRequest('opened', sha).pull_request, head: { sha, ref: 'x', repo: { full_name: 'mallory/web' } } },
      })
    ).body
    expect([answer, reason]).toEqual(['ignored', 'the pull request comes from mallory/web'])
    await ended((await call('preview', 'pull_request', pullRequest('closed', sha))).body.delivery, 'Succeeded')
    await eventually('the preview is gone', () => !kubectl('get namespaces -o name').includes('default-pr-7'), 60_000)
  })

  test('a hook can do what its account can, and no more', async () => {
    kubectl('create serviceaccount nobody')
    create('weak', '--restart', 'web', '--service-account', 'nobody')
    const status = await ended((await call('weak', 'push', push(good))).body.delivery, 'Failed')
    expect(status.message).toMatch(/system:serviceaccount:default:nobody" cannot patch resource "deployments"/)
  })
})
