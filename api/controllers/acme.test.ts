// When certificates are ordered, renewed and asked for again, on the real engine. What the server does is `test/contract/acme.test.ts`' to show.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ACME_HOSTS, ACME_NOT_AFTER, MAKE_ACCOUNT, ORDER_CERTIFICATE, type Outcome, THUMBPRINT } from '../../shared/ingress/acme.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { Controlled } from '../../test/rig/controlled.ts'
import { acmeTasks } from '../acme/tasks.ts'

const CLASSES = 'ingressclasses.networking.k8s.io'
const INGRESSES = 'ingresses.networking.k8s.io'
const [MINUTE, DAY] = [60_000, 24 * 3600_000]

let c: Controlled
/** What has been ordered: `secret hosts`. */
let ordered: string[]
let outcome: Outcome
beforeEach(async () => {
  c = await Controlled.start(0)
  ordered = []
  outcome = { issued: true }
  c.tasks[MAKE_ACCOUNT] = acmeTasks(c.cluster.cluster)[MAKE_ACCOUNT]
  c.tasks[ORDER_CERTIFICATE] = async ({ metadata: { name }, spec: { hosts } }: KObject) => {
    ordered.push(`${name} ${hosts}`)
    if ('issued' in outcome) await issued(name, hosts)
    return outcome
  }
  await c.node('a')
  await c.patch('nodes', 'a', { metadata: { annotations: { 'kedge.dev/ingress': 'serving' } } }, undefined, 'merge')
  await c.settled()
})
afterEach(() => c.close())

const iso = (at: number) => new Date(at).toISOString().replace(/\.\d+Z/, 'Z')
async function issued(name: string, hosts: string[]): Promise<void> {
  const annotations = { [ACME_HOSTS]: hosts.join(','), [ACME_NOT_AFTER]: iso(c.now + 90 * DAY) }
  if (await c.get('secrets', name)) await c.patch('secrets', name, { metadata: { annotations } }, undefined, 'merge')
  else await c.create('secrets', { metadata: { name, annotations }, type: 'kubernetes.io/tls', data: { 'tls.crt': '', 'tls.key': '' } })
}
const config = async (data: object = { agreeToTerms: 'true' }) => {
  await c.create('configmaps', { metadata: { name: 'kedge-acme' }, data }, 'kube-system')
  await c.settled()
}
const ingress = async (name: string, hosts: string[], annotations: object = { 'kubernetes.io/tls-acme': 'true' }) => {
  const defaultBackend = { service: { name: 'web', port: { number: 80 } } }
  const tls = [{ hosts, secretName: 'cert' }]
  await c.create(INGRESSES, { metadata: { name, annotations }, spec: { ingressClassName: 'kedge', defaultBackend, tls } })
  await c.settled()
}
const said = async () => (await c.list('events')).filter((e) => e.source.component === 'acme-controller').map((e) => e.message)

test('an account is made once it is switched on, and nodes are told before anything is ordered', async () => {
  await ingress('web', ['one.test'])
  expect(ordered).toEqual([])
  expect(await said()).toEqual(['no certificate for cert: there is no ConfigMap kube-system/kedge-acme'])
  await config()
  const account = await c.get('secrets', 'kedge-acme-account', 'kube-system')
  const thumbprint = account!.metadata.annotations![THUMBPRINT]
  expect(thumbprint).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect((await c.get(CLASSES, 'kedge', ''))!.metadata.annotations![THUMBPRINT]).toBe(thumbprint)
  expect(ordered).toEqual(['cert one.test'])
})

test.each([
  ['the terms are not agreed to', {}, 'agreeToTerms is to be "true"'],
  ['the server is none', { agreeToTerms: 'true', server: 'http://acme.test' }, 'is no https URL'],
])('nothing is ordered while %s', async (_, data, why) => {
  await ingress('web', ['one.test'])
  await config(data)
  expect(ordered).toEqual([])
  expect(await said()).toContainEqual(expect.stringContaining(why))
})

test('ordered once; renewed when a third of its time is left; ordered anew when hosts change or the Secret goes', async () => {
  await config()
  await ingress('web', ['two.test', 'one.test', '*.wild.test'])
  expect(ordered).toEqual(['cert one.test,two.test'])
  expect(await said()).toContainEqual('*.wild.test: wildcards cannot be proven over HTTP')
  await c.restart()
  await c.pass(59 * DAY)
  expect(ordered.length).toBe(1)
  await c.pass(2 * DAY)
  expect(ordered.length).toBe(2)
  await c.pass(DAY)
  expect(ordered.length).toBe(2)
  await ingress('more', ['three.test'])
  expect(ordered.slice(2)).toEqual(['cert one.test,three.test,two.test'])
  await c.delete('secrets', 'cert')
  await c.settled()
  expect(ordered.length).toBe(4)
})

test('a certificate of somebody’s own is left alone, and so is an ingress that does not ask', async () => {
  await config()
  await c.create('secrets', { metadata: { name: 'cert' }, type: 'kubernetes.io/tls', data: { 'tls.crt': '', 'tls.key': '' } })
  await ingress('web', ['one.test'])
  await c.delete(INGRESSES, 'web')
  await c.settled()
  await c.delete('secrets', 'cert')
  await ingress('other', ['one.test'], {})
  expect(ordered).toEqual([])
})

test('after a failure it is told, and asked again later and later; at once when something has changed', async () => {
  outcome = { failed: 'one.test: connection refused' }
  await config()
  await ingress('web', ['one.test'])
  expect(ordered.length).toBe(1)
  await c.pass(MINUTE)
  expect([ordered.length, await said()]).toEqual([1, expect.arrayContaining(['no certificate for one.test: one.test: connection refused'])])
  await c.pass(5 * MINUTE)
  expect(ordered.length).toBe(2)
  await c.pass(6 * MINUTE)
  expect(ordered.length).toBe(2)
  await c.pass(5 * MINUTE)
  expect(ordered.length).toBe(3)
  await c.patch('configmaps', 'kedge-acme', { data: { email: 'a@example.com' } }, undefined, 'merge', 'kube-system')
  await c.settled()
  expect(ordered.length).toBe(4)
  outcome = { issued: true }
  await c.pass(6 * MINUTE)
  expect([ordered.length, (await c.get('secrets', 'cert'))!.metadata.annotations![ACME_HOSTS]]).toEqual([5, 'one.test'])
})
