// The dashboard in a real browser, on a cluster with a real node: every page, and everything that can be done there.
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'
import { browserMissing, startBrowser, Visitor } from './browser.ts'

const missing = standMissing() ?? browserMissing()

const OBJECTS = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {kubernetes.io/change-cause: the first}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: test/web:1
          ports: [{name: http, containerPort: 8080}]
          env: [{name: GREETING, valueFrom: {configMapKeyRef: {name: settings, key: greeting}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {greeting: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop}
stringData: {password: hunter2}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: talker, namespace: shop, labels: {app: talker}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: test/busybox:1
      command: [sh, -c, 'i=0; while true; do echo line $i of the talker; i=$((i+1)); sleep 1; done']
---
apiVersion: v1
kind: Pod
metadata: {name: stuck, namespace: shop}
spec: {containers: [{name: main, image: test/none:9, imagePullPolicy: Never}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: from-talker, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: talker}}}], ports: [{port: 8080}]}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Mi}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "30 2 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: test/busybox:1, command: [echo, done]}]}}}}
---
apiVersion: deploy.kedge.dev/v1
kind: DeployHook
metadata: {name: push, namespace: shop}
spec: {provider: Generic, secretRef: {name: keys, key: password}, setImage: {workloads: [{name: web}], image: "test/web:1"}}
`

const PAGES: [at: string, heading: string][] = [
  ['', 'Overview'],
  ['nodes', 'Nodes'],
  ['namespaces', 'Namespaces'],
  ['events', 'Events'],
  ['logs?ns=shop&text=talker', 'Logs'],
  ['past', 'Past'],
  ['deployments.apps', 'Deployments'],
  ['deployments.apps/shop/web', 'web'],
  ['deployments.apps/shop/web/rollout', 'web'],
  ['deployments.apps/shop/web/yaml', 'web'],
  ['pods', 'Pods'],
  ['pods/shop/talker', 'talker'],
  ['pods/shop/talker/logs', 'talker'],
  ['pods/shop/talker/shell', 'talker'],
  ['cronjobs.batch/shop/nightly', 'nightly'],
  ['map', 'Map'],
  ['services/shop/web', 'web'],
  ['networkpolicies.networking.k8s.io/shop/from-talker', 'from-talker'],
  ['persistentvolumeclaims/shop/disk', 'disk'],
  ['storageclasses.storage.k8s.io', 'StorageClasses'],
  ['configmaps/shop/settings', 'settings'],
  ['secrets/shop/keys', 'keys'],
  ['nodes/-/h1', 'h1'],
  ['deployhooks.deploy.kedge.dev/shop/push', 'push'],
  ['access?who=group+system%3Aauthenticated', 'Who can do what'],
  ['clusterroles.rbac.authorization.k8s.io/-/view', 'view'],
  ['clusterrolebindings.rbac.authorization.k8s.io/-/cluster-admin', 'cluster-admin'],
  ['kinds', 'All kinds'],
  ['create', 'Create'],
]

describe.skipIf(missing)('the dashboard', () => {
  let stand: Stand
  let browser: Browser
  let admin: string
  let reader: string
  let v: Visitor
  const k = (args: string, input?: string) => stand.cp.k(args, input === undefined ? {} : { input })
  const jsonpath = (what: string, path: string) => k(`get ${what} -n shop -o jsonpath={${path}}`)

  beforeAll(async () => {
    stand = await startStand(1)
    browser = await startBrowser()
    k('create namespace shop')
    k('apply -f -', OBJECTS)
    k('create serviceaccount reader -n shop')
    k('create rolebinding reader -n shop --clusterrole=view --serviceaccount=shop:reader')
    admin = JSON.parse(k('config view --raw -o json')).users[0].user.token
    reader = k('create token reader -n shop').trim()
    k('rollout status deployment/web -n shop --timeout 60s')
    k('wait pod/talker -n shop --for condition=Ready --timeout 60s')
  })
  afterAll(async () => {
    await browser?.close()
    await stand?.stop()
  })
  beforeEach(async () => {
    v = await Visitor.come(browser, stand.cp.url)
  })
  afterEach(async () => {
    await v.leave()
    expect(v.complaints).toEqual([])
  })

  test('a token signs in; a wrong one does not; signing out forgets it', async () => {
    await v.page.getByLabel('Token').fill('kedge-nothing')
    await v.button('Sign in').click()
    await v.page.getByRole('alert').filter({ hasText: 'This token is not accepted.' }).waitFor()
    await v.signIn(admin)
    await v.page.getByRole('heading', { name: 'Overview' }).waitFor()
    await v.page.reload()
    await v.page.getByRole('heading', { name: 'Overview' }).waitFor()
    await v.page.locator('.who summary').click()
    await v.button('Sign out').click()
    await v.page.reload()
    await v.page.getByLabel('Token').waitFor()
    expect(await v.page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))).not.toContain(admin)
  })

  test('the first view is under 150 KB', async () => {
    const begun = performance.now()
    await v.signIn(admin)
    await v.row('Pod stuck').first().waitFor()
    const took = performance.now() - begun
    const bytes = [...v.fetched.values()].reduce((a, b) => a + b, 0)
    console.log(
      `the first view: ${(bytes / 1024).toFixed(1)} KB in ${v.fetched.size} files, ${took.toFixed(0)} ms from sign-in to the last row`,
    )
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes).toBeLessThan(150 * 1024)
  })

  for (const look of [
    { name: 'desktop, light', width: 1280, height: 800 },
    { name: 'phone, dark', width: 390, height: 844, dark: true },
  ])
    test(`no page shuts anybody out: ${look.name}`, async () => {
      await v.leave()
      v = await Visitor.come(browser, stand.cp.url, look)
      expect(await v.barriers()).toEqual([])
      await v.page.getByLabel('Token').fill(admin)
      await v.button('Sign in').click()
      await v.page.getByRole('heading', { name: 'Overview' }).waitFor()
      const found: string[] = []
      for (const [at, heading] of PAGES) {
        await v.open(at, heading)
        await v.page.waitForLoadState('networkidle')
        found.push(...(await v.barriers()).map((b) => `${at}: ${b}`))
        const wide = await v.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        if (wide > 0) found.push(`${at}: ${wide} px wider than the screen`)
      }
      expect(found).toEqual([])
    })

  test('the overview knows what is amiss, and the pod says why', async () => {
    await v.signIn(admin)
    await v.page.getByRole('link', { name: '1 of 1 nodes ready' }).waitFor()
    await v.page.getByText(/Processor: .* of \d+ cores/).waitFor()
    await v.row('Pod stuck').getByRole('link').first().click()
    const why = v.page.getByRole('region', { name: 'What holds it back' })
    await why.waitFor()
    const said = await why.textContent()
    // The same words as the terminal's.
    for (const word of ['image', 'main']) expect(said).toContain(word)
  })

  test('lists are live, filtered while typing, and sorted', async () => {
    await v.signIn(admin)
    await v.open('configmaps', 'ConfigMaps')
    await v.row('settings').waitFor()
    k('create configmap later -n shop --from-literal=a=b')
    await v.row('later').waitFor()
    await v.page.keyboard.press('/')
    await v.page.keyboard.type('shop later')
    await expect.poll(() => v.page.getByRole('row').count()).toBe(2)
    k('delete configmap later -n shop')
    await v.page.getByText('Nothing fits the filter.').waitFor()
    await v.open('pods', 'Pods')
    await v.page.getByRole('columnheader', { name: 'Name', exact: true }).getByRole('button').click()
    await expect.poll(() => v.page.getByRole('columnheader', { name: 'Name', exact: true }).getAttribute('aria-sort')).toBe('ascending')
  })

  test('keys are enough: the palette finds a place, arrows walk the rows', async () => {
    await v.signIn(admin)
    await v.page.keyboard.press('Control+k')
    await v.page.keyboard.type('configmaps')
    await v.page.keyboard.press('Enter')
    await v.row('settings').waitFor()
    await v.page.getByRole('row').nth(1).getByRole('link').focus()
    await v.page.keyboard.press('ArrowDown')
    const second = (await v.page.getByRole('row').nth(2).getByRole('link').textContent()) ?? ''
    await expect.poll(() => v.page.evaluate(() => document.activeElement?.textContent)).toBe(second)
    await v.page.keyboard.press('Enter')
    await v.page.getByRole('heading', { name: second, level: 1 }).waitFor()
  })

  test('logs come as they are said, and are found again by their words', async () => {
    await v.signIn(admin)
    await v.open('pods/shop/talker/logs', 'talker')
    const log = v.page.getByRole('log')
    await log.getByText('line 1 of the talker').first().waitFor()
    const seen = Number(/(\d+) lines/.exec((await v.page.getByText(/\d+ lines/).textContent()) ?? '')![1])
    await v.page.getByText(`${seen + 2} lines`).waitFor()
    await v.page.getByLabel('Only lines with').fill('line 3 of')
    await v.page.getByText('1 lines').waitFor()
    await v.open('logs', 'Logs')
    await v.page.getByRole('textbox', { name: 'Namespace' }).fill('shop')
    await v.page.getByLabel('Text').fill('line 2 of')
    await v.button('Search').click()
    await v.page.getByRole('log').getByText('talker main line 2 of the talker').waitFor()
  })

  test('a shell in a pod', async () => {
    await v.signIn(admin)
    await v.open('pods/shop/talker/shell', 'talker')
    await v.page.getByText('open', { exact: true }).waitFor()
    await v.page.keyboard.type('echo $((6*7)) from $(hostname)\n')
    await v.page.locator('.terminal').getByText('42 from talker').first().waitFor()
    await v.page.keyboard.type('exit\n')
    await v.page.getByText('the shell has ended').waitFor()
    await v.button('Open another').click()
    await v.page.getByText('open', { exact: true }).waitFor()
  })

  test("a pod's containers and ports, and how to get at them", async () => {
    await v.signIn(admin)
    const pod = jsonpath('pods -l app=web', '.items[0].metadata.name')
    await v.open(`pods/shop/${pod}`, pod)
    await v.row('8080/TCP').getByText(`kedge port-forward -n shop ${pod} 8080`).waitFor()
    await v.row('test/web:1').getByText('Running').waitFor()
  })

  test('a rollout is told, and rolled back', async () => {
    await v.signIn(admin)
    k('set image deployment/web web=test/web:2 -n shop')
    await v.open('deployments.apps/shop/web/rollout', 'web')
    await v.page.getByRole('heading', { name: /Revision 2/ }).waitFor()
    await v.page.getByText('test/web:2').waitFor()
    await v.button('Roll back to revision 1').click()
    await v.dialog().getByText('becomes the newest revision').waitFor()
    await v.dialog().getByRole('button', { name: 'Roll back' }).click()
    await v.page.getByRole('heading', { name: /Revision 3/ }).waitFor()
    expect(jsonpath('deployment web', '.spec.template.spec.containers[0].image')).toBe('test/web:1')
    k('rollout status deployment/web -n shop --timeout 60s')
  })

  test('an edit is tried, shown, and saved; what the server refuses is said where it is', async () => {
    await v.signIn(admin)
    await v.open('configmaps/shop/settings/yaml', 'settings')
    await v.page.locator('.cm-content').getByText('greeting').first().waitFor()
    const yaml = (extra: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: shop\n${extra}data:\n  greeting: good day\n`
    await v.type(yaml('nonsense: 1\n'))
    await v.button('Try it').click()
    await v.page.getByRole('alert').filter({ hasText: 'unknown field "nonsense"' }).waitFor()
    expect(await v.button('Save').isDisabled()).toBe(true)
    await v.type(yaml(''))
    await v.button('Try it').click()
    await v.page.getByRole('heading', { name: 'What would change' }).waitFor()
    await v.page.locator('ins').getByText('good day').waitFor()
    expect(jsonpath('configmap settings', '.data.greeting')).toBe('hello')
    await v.button('Save').click()
    await v.page.getByText('ConfigMap settings has been saved.').waitFor()
    expect(jsonpath('configmap settings', '.data.greeting')).toBe('good day')
  })

  test('the editor knows the fields of a kind', async () => {
    await v.signIn(admin)
    await v.open('create?kind=configmaps', 'Create')
    await v.page.locator('.cm-content').getByText('greeting').waitFor()
    await v.type('apiVersion: apps/v1\nkind: Deployment\nspec:\n  ')
    await v.page.keyboard.type('repl')
    const option = v.page.getByRole('option', { name: /replicas/ })
    await option.waitFor()
    await v.page.locator('.cm-completionInfo').getByText('Number of desired pods').waitFor()
  })

  test('several objects are made at once; a mistake is told before anything is', async () => {
    await v.signIn(admin)
    await v.open('create?kind=configmaps', 'Create')
    await v.page.locator('.cm-content').getByText('greeting').waitFor()
    const one = (name: string, more = '') => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  namespace: shop\n${more}`
    await v.type(`${one('made-a')}---\n${one('made-b', 'dta: {}\n')}`)
    await v.button('Try it').click()
    await v.page.getByText('ConfigMap made-a: would be created').waitFor()
    await v.page.getByText(/ConfigMap made-b: .*unknown field "dta"/).waitFor()
    await v.type(`${one('made-a')}---\n${one('made-b', 'data: {a: b}\n')}`)
    await v.button('Create').click()
    await v.page.getByText('ConfigMap made-b: created').waitFor()
    expect(k('get configmap made-a made-b -n shop -o name').trim().split('\n')).toHaveLength(2)
    k('delete configmap made-a made-b -n shop')
  })

  test('scaling says what comes of it', async () => {
    await v.signIn(admin)
    await v.open('deployments.apps/shop/web', 'web')
    await v.button('Scale').click()
    await v
      .dialog()
      .getByLabel(/Replicas/)
      .fill('0')
    await v.dialog().getByText('2 pods will be stopped').waitFor()
    await v.dialog().getByText('1 service will lead nowhere: web.').waitFor()
    await v
      .dialog()
      .getByLabel(/Replicas/)
      .fill('3')
    await v.dialog().getByText('1 pod will be started.').waitFor()
    await v.dialog().getByRole('button', { name: 'Scale' }).click()
    await v.page.getByText('3 of 3').waitFor()
  })

  test('restarting, suspending, running now, cordoning', async () => {
    await v.signIn(admin)
    await v.open('deployments.apps/shop/web', 'web')
    await v.button('Restart').click()
    await v.dialog().getByText('pods will be replaced').waitFor()
    await v.dialog().getByRole('button', { name: 'Restart' }).click()
    await v.page.getByText('Deployment web restarts.').waitFor()
    expect(k('get deployment web -n shop -o yaml')).toContain('kubectl.kubernetes.io/restartedAt')
    await v.open('cronjobs.batch/shop/nightly', 'nightly')
    await v.button('Run now').click()
    await v.row('nightly-manual').filter({ hasText: 'Complete' }).first().waitFor()
    await v.button('Suspend').click()
    await v.button('Resume').waitFor()
    await v.open('nodes/-/h1', 'h1')
    await v.button('Cordon').click()
    await v.page.getByText('no: it is cordoned').waitFor()
    await v.button('Uncordon').click()
    await v.button('Cordon').waitFor()
  })

  test('deleting says what goes with it, and large things want their name', async () => {
    k('create namespace doomed')
    k('create configmap a -n doomed')
    await v.signIn(admin)
    await v.open('configmaps/shop/settings', 'settings')
    await v.button('Delete').click()
    await v
      .dialog()
      .getByText(/pods use it and will not start again without it/)
      .waitFor()
    await v.dialog().getByRole('button', { name: 'Cancel' }).click()
    expect(k('get configmap settings -n shop -o name').trim()).toBe('configmap/settings')
    await v.open('namespaces/-/doomed', 'doomed')
    await v.button('Delete').click()
    await v.dialog().getByText('This cannot be undone.').waitFor()
    const go = v.dialog().getByRole('button', { name: 'Delete' })
    expect(await go.isDisabled()).toBe(true)
    await v.dialog().getByRole('textbox').fill('doomed')
    await go.click()
    await eventually('it is gone', () => stand.cp.kubectl('get namespace doomed').code !== 0, 60_000)
  })

  test('a secret is shown when asked for', async () => {
    await v.signIn(admin)
    await v.open('secrets/shop/keys', 'keys')
    await v.button('Show').waitFor()
    expect(await v.page.getByText('hunter2').count()).toBe(0)
    await v.button('Show').click()
    await v.page.getByText('hunter2').waitFor()
  })

  test('who serves a service, and who reaches whom', async () => {
    await v.signIn(admin)
    await v.open('services/shop/web', 'web')
    await v.row('Ready').first().waitFor()
    await v.open('map', 'Map')
    await v.page.getByLabel('Who reaches').selectOption('shop/Deployment/web')
    await v.page.getByText('Network policies hold it: from-talker.').waitFor()
    await v.page.getByText('Pod shop/talker on 8080/TCP').waitFor()
    await v.page.getByText(/Not: .*outside the cluster/).waitFor()
  })

  test('who can do what', async () => {
    await v.signIn(admin)
    await v.open('access?verb=get&on=pods%2Flog', 'Who can do what')
    await v.choose('shop')
    await v.row('service account shop/reader').getByText('ClusterRole view').waitFor()
    await v.page.getByRole('combobox', { name: 'Who', exact: true }).selectOption('service account shop/reader')
    await v.page.getByRole('table', { name: 'What they may do' }).waitFor()
  })

  test("the cluster's past", async () => {
    await v.signIn(admin)
    const before = k('get configmap settings -n shop -o jsonpath={.metadata.resourceVersion}')
    k('patch configmap settings -n shop --type merge -p {"data":{"greeting":"later"}}')
    await v.open(`past?kind=configmaps&from=${before}`, 'Past')
    await v.button('Look').click()
    await v.page.locator('ins').getByText('later').waitFor()
    await v.page.getByLabel('Show').selectOption('state')
    await v.button('Look').click()
    await v.row('settings').waitFor()
  })

  test('a hook with its deliveries, and one more of the same', async () => {
    await v.signIn(admin)
    await v.open('deployhooks.deploy.kedge.dev/shop/push', 'push')
    await v.page.getByText('Nobody has called yet.').waitFor()
    const delivery = (name: string) => `apiVersion: deploy.kedge.dev/v1
kind: DeployDelivery
metadata: {name: ${name}, namespace: shop}
spec: {hook: push, received: "2026-01-01T00:00:00.000000Z", facts: {event: push, repository: acme/web, sha: 1a2b3c4d}}
`
    k('create -f -', delivery('push-1'))
    await v.row('acme/web@1a2b3c4').getByRole('link').click()
    await v.button('Replay').click()
    await v.dialog().getByRole('button', { name: 'Replay' }).click()
    await expect.poll(() => k('get deploydeliveries -n shop -o name').trim().split('\n').length).toBe(2)
  })

  test('whoever may only read is shown no more, and offered nothing that would be refused', async () => {
    await v.signIn(reader)
    await v.page.getByRole('heading', { name: 'Overview of shop' }).waitFor()
    const menu = v.page.getByRole('navigation', { name: 'Menu' })
    await menu.getByRole('link', { name: 'Pods' }).waitFor()
    for (const absent of ['Secrets', 'Nodes', 'Create', 'Cluster roles'])
      expect(await menu.getByRole('link', { name: absent, exact: true }).count()).toBe(0)
    await v.open('deployments.apps/shop/web', 'web')
    await v.row('Running').first().waitFor()
    for (const absent of ['Scale', 'Restart', 'Delete']) expect(await v.button(absent).count()).toBe(0)
    await v.open('deployments.apps/shop/web/yaml', 'web')
    await v.page.getByText('You may read it, and not change it.').waitFor()
    await v.open('pods/shop/talker', 'talker')
    await v.page.getByRole('link', { name: 'Logs', exact: true }).nth(1).waitFor()
    expect(await v.page.getByRole('link', { name: 'Shell' }).count()).toBe(0)
    await v.open('secrets/shop/keys', 'keys')
    await v.page.getByRole('alert').filter({ hasText: 'cannot list resource "secrets"' }).waitFor()
    await v.open('access', 'Who can do what')
    await v.page.getByRole('heading', { name: 'What you may do in shop' }).waitFor()
  })

  test('ten thousand rows: few are drawn, all are there', async () => {
    k('create namespace many')
    const list = (from: number) => ({
      apiVersion: 'v1',
      kind: 'List',
      items: Array.from({ length: 2500 }, (_, i) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `c-${from + i}`, namespace: 'many' },
      })),
    })
    for (const from of [10_000, 12_500, 15_000, 17_500])
      stand.cp.k('create -f - -o name', { input: JSON.stringify(list(from)), timeout: 180_000 })
    await v.signIn(admin)
    await v.choose('many')
    await v.open('configmaps', 'ConfigMaps')
    await v.page.getByText('10001', { exact: true }).waitFor()
    const table = v.page.locator('.table')
    const longest = await table.evaluate(async (box) => {
      let worst = 0
      for (let i = 1; i <= 60; i++) {
        const begun = performance.now()
        box.scrollTop = (box.scrollHeight * i) / 60
        await new Promise((r) => requestAnimationFrame(() => setTimeout(r)))
        worst = Math.max(worst, performance.now() - begun)
      }
      return worst
    })
    console.log(`10,000 rows: the slowest of 60 jumps took ${longest.toFixed(0)} ms`)
    await v.row('kube-root-ca.crt').waitFor()
    expect(await v.page.getByRole('row').count()).toBeLessThan(120)
    await v.page.getByLabel('Filter').fill('c-17777')
    await expect.poll(() => v.page.getByRole('row').count()).toBe(2)
  })

  test('a control plane that goes and comes back is found again, and nothing is missed', async () => {
    await v.signIn(admin)
    await v.open('configmaps', 'ConfigMaps')
    await v.choose('shop')
    await v.row('settings').waitFor()
    await v.page.getByText('live', { exact: true }).waitFor()
    await stand.cp.kill()
    await v.page.getByText('not up to date').waitFor()
    await stand.cp.start()
    k('create configmap while-away -n shop')
    await v.row('while-away').waitFor({ timeout: 60_000 })
    await v.page.getByText('live', { exact: true }).waitFor()
  })
})
