// Getting in: at a provider of OpenID Connect, on both platforms; on a host, and from there to its clusters.
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ControlPlane, HostServer } from '../rig/control-plane.ts'
import { OidcProvider } from '../rig/oidc-provider.ts'
import { browserMissing, startBrowser, Visitor } from './browser.ts'

const missing = browserMissing()

describe.skipIf(missing)('signing in', () => {
  let browser: Browser
  let provider: OidcProvider
  let v: Visitor | undefined
  beforeAll(async () => {
    browser = await startBrowser()
    provider = await OidcProvider.start('127.0.0.1')
  })
  afterAll(async () => {
    await browser?.close()
    provider?.stop()
  })
  afterEach(async () => {
    const complaints = v?.complaints
    await v?.leave()
    v = undefined
    expect(complaints).toEqual([])
  })
  const oidc = () => ['--oidc-issuer-url', provider.issuer, '--oidc-client-id', provider.clientId, '--oidc-username-claim', 'email']

  describe.each(['node', 'workers'])('to a cluster on %s', (platform) => {
    let cp: ControlPlane
    beforeAll(async () => {
      cp = await ControlPlane.start('127.0.0.1', ['--platform', platform, ...oidc()])
      cp.k('create clusterrolebinding ann --clusterrole=admin --user=ann@example.com')
    })
    afterAll(() => cp?.stop())

    test('a person comes back from the provider to where they wanted to go, and sees it live', async () => {
      v = await Visitor.come(browser, cp.url)
      await v.open('configmaps')
      await v.page.getByRole('button', { name: /Sign in at/ }).click()
      await v.page.getByRole('heading', { name: 'ConfigMaps', level: 1 }).waitFor()
      await v.page.getByText('ann@example.com').first().waitFor()
      await v.page.getByText('live', { exact: true }).waitFor()
      cp.k('create configmap fresh --from-literal=a=b')
      await v.row('fresh').waitFor()
      // What an admin of namespaces may not see is not offered.
      expect(await v.page.getByRole('link', { name: 'Nodes', exact: true }).count()).toBe(0)
    })

    test('a token that ends is renewed; what the provider does not accept is said', async () => {
      provider.lifetime = 30
      v = await Visitor.come(browser, cp.url)
      await v.page.getByRole('button', { name: /Sign in at/ }).click()
      await v.page.getByRole('heading', { name: 'Overview' }).waitFor()
      const before = provider.refreshes
      await v.open('pods', 'Pods')
      await expect.poll(() => provider.refreshes, { timeout: 15_000 }).toBeGreaterThan(before)
      provider.lifetime = 300
      // Another tab knows nothing of this one.
      await v.leave()
      v = await Visitor.come(browser, cp.url)
      await v.page.goto(`${cp.url}/ui/?code=made-up&state=made-up`)
      await v.page.getByText('The sign-in did not begin in this tab: try again.').waitFor()
    })
  })

  describe('to a host', () => {
    let host: HostServer
    let token: string
    beforeAll(async () => {
      host = await HostServer.start('127.0.0.1', ['--signup', 'open', ...oidc()])
      token = (await host.call('POST', '/v1/accounts', host.operatorToken, { name: 'acme' })).token.token
      await host.call('POST', '/v1/accounts/acme/clusters', token, { name: 'blue' })
    })
    afterAll(() => host?.stop())

    test('an API token shows the account, and leads on to its clusters', async () => {
      v = await Visitor.come(browser, host.url)
      await v.page.getByLabel('Token').fill(token)
      await v.button('Sign in').click()
      await v.page.getByRole('heading', { name: 'Clusters' }).waitFor()
      expect(await v.barriers()).toEqual([])
      await v.row('blue').getByRole('link').click()
      await v.page.getByRole('heading', { name: 'Overview' }).waitFor()
      expect(new URL(v.page.url()).pathname).toBe('/clusters/blue/ui/')
      await v.page.goto(`${host.url}/clusters/blue/ui/#/namespaces`)
      await v.row('kube-system').waitFor()
      await v.page.getByText('live', { exact: true }).waitFor()
    })

    test('a person signs in to the host, or on the way to a cluster', async () => {
      const person = await provider.idToken(provider.person)
      await host.call('POST', '/v1/accounts', person, { name: 'ann' })
      await host.call('POST', '/v1/accounts/ann/clusters', person, { name: 'green' })
      v = await Visitor.come(browser, `${host.url}/clusters/green`)
      await v.open('namespaces')
      await v.page.getByRole('button', { name: /Sign in at/ }).click()
      await v.row('kube-system').waitFor()
      expect(new URL(v.page.url()).pathname).toBe('/clusters/green/ui/')
      await v.page.goto(`${host.url}/ui/`)
      await v.row('green').waitFor()
      expect(await v.row('blue').count()).toBe(0)
    })

    test('whoever has no business with a cluster does not get in, and learns nothing of it', async () => {
      for (const name of ['blue', 'none']) {
        v = await Visitor.come(browser, `${host.url}/clusters/${name}`)
        await v.page.getByLabel('Token').fill('kedge-wrong')
        await v.button('Sign in').click()
        await v.page.getByText('This token is not accepted.').waitFor()
        if (name === 'blue') await v.leave()
      }
    })
  })
})
