// Deliveries of deploy hooks, as a property: however they come in, with images that never become ready, writes that fail and an engine that dies in between,
// only one is at work at a time, every one ends and says how, and what runs afterwards is what the last good one brought.
import { expect } from 'vitest'
import { deployTasks } from '../../api/deploy/tasks.ts'
import { createApp } from '../../api/http/app.ts'
import { callThrough } from '../../api/http/call.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const HOOKS = 'deployhooks.deploy.kedge.dev'
const DELIVERIES = 'deploydeliveries.deploy.kedge.dev'
const BEFORE = 'web:first'
const TIMEOUT = 60
const KEPT = 20
const PACE = 10_000
const ended = ['Succeeded', 'RolledBack', 'Superseded']

const imageOf = (d: KObject): string => `web:${d.spec.facts.imageTag}`
const isBad = (image: string) => image.includes('bad')

class World {
  readonly c: Controlled
  deliveries = 0
  constructor(c: Controlled) {
    this.c = c
  }

  async begin(): Promise<void> {
    const { c } = this
    const { cluster, hub } = c.cluster
    const app = createApp({ cluster, sessions: hub.sessions })
    Object.assign(
      c.tasks,
      deployTasks(
        cluster,
        callThrough((request, connection) => app.fetch(request, connection)),
      ),
    )
    await c.create('rolebindings.rbac.authorization.k8s.io', {
      metadata: { name: 'deploys' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
    })
    await c.create('deployments.apps', {
      metadata: { name: 'web' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: BEFORE }] } },
      },
    })
    await c.create(HOOKS, {
      metadata: { name: 'web' },
      spec: {
        provider: 'Generic',
        secretRef: { name: 'none' },
        setImage: { image: 'web:{{imageTag}}', workloads: [{ name: 'web' }] },
        rollout: { timeoutSeconds: TIMEOUT },
        historyLimit: KEPT,
      },
    })
    await this.kubelet()
  }

  readonly steps: Steps = {
    deliver: async (n) => {
      const name = `web-${this.deliveries++}`
      const received = new Date(this.c.now).toISOString().replace('Z', `${String(this.deliveries).padStart(3, '0')}Z`)
      const facts = { event: 'push', sha: name, imageTag: `${n % 3 ? 'good' : 'bad'}-${name}` }
      await this.c.create(DELIVERIES, { metadata: { name }, spec: { hook: 'web', received, facts } })
    },
    kubelet: () => this.kubelet(),
    pass: (n) => this.#pass(2 * n),
  }

  /** Pods become ready, but for those of bad images; those that were told to go are gone. */
  async kubelet(): Promise<void> {
    await this.c.settled()
    for (const p of await this.c.list('pods'))
      if (p.metadata.deletionTimestamp) await this.c.delete('pods', p.metadata.name, { gracePeriodSeconds: 0 })
      else if (!isReady(p) && !isBad(p.spec.containers[0].image)) await this.c.ready(p.metadata.name)
  }

  /** Pods have the time that they need. */
  async #pass(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      await this.kubelet()
      await this.c.pass(PACE)
    }
  }

  async checkAlways(): Promise<void> {
    const running = (await this.c.list(DELIVERIES)).filter((d) => d.status?.phase === 'Running')
    expect(running.length).toBeLessThanOrEqual(1)
  }

  async finish(): Promise<void> {
    const open = async () => (await this.c.list(DELIVERIES)).some((d) => !ended.includes(d.status?.phase))
    for (let i = 0; i < 20 && (await open()); i++) {
      await this.#pass(TIMEOUT / 10)
      await this.checkAlways()
    }
    await this.#pass(TIMEOUT / 10)
  }

  async check(): Promise<void> {
    const all = (await this.c.list(DELIVERIES)).sort((a, b) => (a.spec.received < b.spec.received ? -1 : 1))
    expect(all).toHaveLength(Math.min(this.deliveries, KEPT))
    for (const d of all) {
      expect(ended).toContain(d.status.phase)
      // Who never began has nobody to blame but a newer one.
      if (d.status.phase === 'Superseded') expect(all.at(-1)).not.toBe(d)
      else expect([imageOf(d), d.status.phase]).toEqual([imageOf(d), isBad(imageOf(d)) ? 'RolledBack' : 'Succeeded'])
      expect(d.status.finishedAt <= timeString(this.c.now)).toBe(true)
    }
    const last = all.findLast((d) => d.status.phase === 'Succeeded')
    const web = (await this.c.get('deployments.apps', 'web'))!
    expect(web.spec.template.spec.containers[0].image).toBe(last ? imageOf(last) : BEFORE)
    expect(web.status.availableReplicas).toBe(2)
  }
}

const names = ['deliver', 'deliver', 'deliver', 'kubelet', 'kubelet', 'settle', 'pass', 'restart', 'trouble']

property('deliveries end one by one', walk(names, 6, 16), 1, async (c, steps) => {
  const world = new World(c)
  await world.begin()
  await take(c, world.steps, steps, () => world.checkAlways())
  await world.finish()
  await world.check()
})
