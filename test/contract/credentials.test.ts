// Credentials, as a property: signing requests, tokens of service accounts and bootstrap tokens. However time goes by, with writes that fail and an engine that
// dies in between, what has had its time is gone, what belongs to an account that is gone has gone with it, and nothing else goes.
import { expect } from 'vitest'
import { tokenTasks } from '../../api/http/token-secrets.ts'
import { toBase64Text } from '../../shared/meta/base64.ts'
import { condition } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { ACCOUNT, ACCOUNT_TOKEN, ACCOUNT_UID, BOOTSTRAP_TOKEN, INVALID_SINCE } from '../../shared/token-secrets.ts'
import { signingRequest } from '../api/manifests.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const REQUESTS = 'certificatesigningrequests.certificates.k8s.io'
const HOUR = 3600_000
const DAY = 24 * HOUR
const YEAR = 365 * DAY
const TIMES = [HOUR / 4, HOUR * 2, HOUR * 13, DAY * 2, DAY * 100, DAY * 400]

class World {
  readonly c: Controlled
  readonly requests: string[] = []
  /** When requests were made, and decided. */
  readonly made = new Map<string, number>()
  readonly decided = new Map<string, number>()
  readonly tokens: { name: string; accountUid: string | undefined }[] = []
  readonly bootstrap: { name: string; until: number }[] = []
  /** Secrets that their account named at any time, as Kubernetes did of its own accord long ago. */
  readonly listed = new Set<string>()
  constructor(c: Controlled) {
    this.c = c
  }

  begin(): void {
    Object.assign(this.c.tasks, tokenTasks(this.c.cluster.cluster))
  }

  readonly steps: Steps = {
    request: async () => {
      const name = `r${this.requests.length}`
      const spec = { request: signingRequest, signerName: 'example.com/a', usages: ['client auth'] }
      await this.c.create(REQUESTS, { metadata: { name }, spec })
      this.requests.push(name)
      this.made.set(name, this.c.now)
    },
    decide: async (n, m) => {
      const name = this.requests[n % Math.max(1, this.requests.length)]
      const said = { type: m % 2 ? 'Approved' : 'Denied', status: 'True', reason: 'Test', message: 'by the test' }
      if (!name || this.decided.has(name)) return
      await this.c.patch(REQUESTS, name, { status: { conditions: [said] } }, 'approval' as never, 'merge')
      this.decided.set(name, this.c.now)
    },
    account: async (n) => {
      const name = `a${n % 2}`
      if (await this.c.get('serviceaccounts', name)) return this.c.delete('serviceaccounts', name)
      return this.c.create('serviceaccounts', { metadata: { name } })
    },
    token: async (n) => {
      const name = `t${this.tokens.length}`
      const account = await this.c.get('serviceaccounts', `a${n % 2}`)
      this.tokens.push({ name, accountUid: account?.metadata.uid })
      await this.c.create('secrets', { metadata: { name, annotations: { [ACCOUNT]: `a${n % 2}` } }, type: ACCOUNT_TOKEN })
    },
    list: async (n, m) => {
      const name = this.tokens[m % Math.max(1, this.tokens.length)]?.name
      if (!name) return
      this.listed.add(name)
      await this.c.patch('serviceaccounts', `a${n % 2}`, { secrets: n % 3 ? [{ name }] : [] }, 'main', 'merge')
    },
    mount: async (n, m) => {
      const secretName = `t${m}`
      if (await this.c.get('pods', `p${n % 2}`)) return this.c.delete('pods', `p${n % 2}`, { gracePeriodSeconds: 0 })
      const spec = { containers: [{ name: 'c', image: 'one' }], volumes: [{ name: 'v', secret: { secretName } }] }
      return this.c.create('pods', { metadata: { name: `p${n % 2}` }, spec: { ...spec, automountServiceAccountToken: false } })
    },
    bootstrap: async (n) => {
      const until = this.c.now + TIMES[n]!
      const id = `abcde${this.bootstrap.length % 10}`
      const name = `bootstrap-token-${id}`
      const text = { 'token-id': id, 'token-secret': '0123456789abcdef', expiration: timeString(until) }
      const data = Object.fromEntries(Object.entries(text).map(([k, v]) => [k, toBase64Text(v)]))
      await this.c.create('secrets', { metadata: { name }, type: BOOTSTRAP_TOKEN, data }, 'kube-system')
      this.bootstrap.push({ name, until: Date.parse(timeString(until)) })
    },
    pass: (n) => this.c.pass(TIMES[n]!),
  }

  async check(): Promise<void> {
    await this.#checkRequests()
    await this.#checkTokens()
    const left = (await this.c.list('secrets', 'kube-system')).filter((s) => s.type === BOOTSTRAP_TOKEN).map((s) => s.metadata.name)
    const good = this.bootstrap.filter((t) => t.until > this.c.now).map((t) => t.name)
    expect(left.sort()).toEqual(good.sort())
  }

  async #checkRequests(): Promise<void> {
    const left = await this.c.list(REQUESTS)
    const ends = (o: KObject) => {
      const decided = condition(o, 'Approved') ?? condition(o, 'Denied')
      return decided ? Date.parse(decided.lastUpdateTime) + HOUR : Date.parse(o.metadata.creationTimestamp) + DAY
    }
    for (const o of left) expect([o.metadata.name, ends(o) > this.c.now]).toEqual([o.metadata.name, true])
    const kept = new Set(left.map((o) => o.metadata.name))
    for (const [name, at] of this.made)
      if (this.decided.has(name) ? this.decided.get(name)! + HOUR > this.c.now : at + DAY > this.c.now) expect(kept).toContain(name)
  }

  async #checkTokens(): Promise<void> {
    const { accounts } = this.c.cluster.cluster.authenticators
    const holders = await this.c.list('serviceaccounts')
    const secrets = (await this.c.list('secrets')).filter((s) => s.type === ACCOUNT_TOKEN)
    const mounted = new Set((await this.c.list('pods')).flatMap((p) => p.spec.volumes.map((v: any) => v.secret?.secretName)))
    for (const s of secrets) {
      const { annotations, labels, name } = s.metadata
      const holder = holders.find((a) => a.metadata.name === annotations![ACCOUNT])
      expect([name, annotations![ACCOUNT_UID]]).toEqual([name, holder?.metadata.uid])
      const since = labels?.[INVALID_SINCE]
      const works = !!(await accounts.verify(atob(s.data.token)))
      expect([name, works]).toEqual([name, !since])
      const isListed = holder!.secrets?.some((x: any) => x.name === name)
      if (since) expect(this.listed).toContain(name)
      if (!isListed || mounted.has(name)) continue
      if (since) expect(Date.parse(since) + YEAR).toBeGreaterThan(this.c.now)
      else expect(Date.parse(s.metadata.creationTimestamp) + YEAR).toBeGreaterThan(this.c.now)
    }
    const kept = new Set(secrets.map((s) => s.metadata.name))
    for (const { name, accountUid } of this.tokens)
      if (holders.some((a) => a.metadata.uid === accountUid) && !this.listed.has(name)) expect(kept).toContain(name)
  }
}

const names = [
  'request',
  'decide',
  'account',
  'account',
  'token',
  'token',
  'list',
  'mount',
  'bootstrap',
  'pass',
  'pass',
  'restart',
  'trouble',
]

property('credentials go when they should', walk(names), 0, async (c, steps) => {
  const world = new World(c)
  world.begin()
  await take(c, world.steps, steps)
  await c.settled()
  // What is used is looked at once a day.
  await c.pass(DAY / 2)
  await c.pass(DAY / 2)
  await world.check()
})
