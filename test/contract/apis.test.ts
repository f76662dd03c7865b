// What is served, as a property: however definitions, their objects, flow schemas and registered servers come and go, with writes that fail and an engine
// that dies in between, every version that is served has its APIService, a definition takes its objects with it, and conditions say what is so.
import { expect } from 'vitest'
import { condition } from '../../shared/meta/conditions.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io'
const API_SERVICES = 'apiservices.apiregistration.k8s.io'
const SCHEMAS = 'flowschemas.flowcontrol.apiserver.k8s.io'
const LEVELS = 'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io'
const FINALIZER = 'example.com/held'

/** Of two kinds in one group; the second version is served by some. */
const definition = (i: number, more: boolean) => ({
  metadata: { name: `x${i}s.example.com` },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: `x${i}s`, singular: `x${i}`, kind: `X${i}`, listKind: `X${i}List` },
    versions: ['v1', ...(more ? ['v2'] : [])].map((name) => ({
      name,
      served: true,
      storage: name === 'v1',
      schema: { openAPIV3Schema: { type: 'object' } },
    })),
  },
})

class World {
  readonly c: Controlled
  #objects = 0
  constructor(c: Controlled) {
    this.c = c
  }

  begin(): void {
    this.c.tasks['check-api-service'] = async (o) => {
      const there = (await this.c.get('services', o.spec.service.name)) !== undefined
      const before = condition(o, 'Available')?.status
      const status = there ? 'True' : 'False'
      if (before === status) return
      const lastTransitionTime = new Date(this.c.now).toISOString().replace(/\.\d+/, '')
      const conditions = [{ type: 'Available', status, reason: 'Test', message: '', lastTransitionTime }]
      await this.c.patch(API_SERVICES, o.metadata.name, { status: { conditions } }, 'status', 'merge')
    }
  }

  readonly steps: Steps = {
    define: async (n, m) => {
      const i = n % 2
      const name = `x${i}s.example.com`
      if (await this.c.get(DEFINITIONS, name)) return this.c.delete(DEFINITIONS, name)
      return this.c.create(DEFINITIONS, definition(i, m % 2 === 1))
    },
    version: async (n) => {
      const { spec } = definition(0, n % 2 === 1)
      await this.c.patch(DEFINITIONS, 'x0s.example.com', { spec: { versions: spec.versions } }, 'main', 'merge')
    },
    object: async (n, m) => {
      const resource = `x${n % 2}s.example.com`
      if (!this.c.kind(resource)) return
      const metadata = { name: `o${this.#objects++}`, ...(m % 2 ? { finalizers: [FINALIZER] } : {}) }
      await this.c.create(resource, { apiVersion: 'example.com/v1', kind: `X${n % 2}`, metadata })
    },
    letGo: async (n) => {
      const resource = `x${n % 2}s.example.com`
      if (!this.c.kind(resource)) return
      for (const o of await this.c.list(resource))
        if (o.metadata.finalizers) await this.c.patch(resource, o.metadata.name, { metadata: { finalizers: null } }, 'main', 'merge')
    },
    schema: async (n, m) => {
      const name = `f${n % 3}`
      if (await this.c.get(SCHEMAS, name)) return this.c.delete(SCHEMAS, name)
      return this.c.create(SCHEMAS, { metadata: { name }, spec: { priorityLevelConfiguration: { name: `l${m % 2}` } } })
    },
    level: async (n) => {
      const name = `l${n % 2}`
      if (await this.c.get(LEVELS, name)) return this.c.delete(LEVELS, name)
      return this.c.create(LEVELS, { metadata: { name }, spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } })
    },
    server: async (n) => {
      const name = 'v1.foreign.example.com'
      if (await this.c.get(API_SERVICES, name)) return this.c.delete(API_SERVICES, name)
      const service = { namespace: 'default', name: `s${n % 2}` }
      const spec = { group: 'foreign.example.com', version: 'v1', groupPriorityMinimum: 100, versionPriority: 100, service }
      return this.c.create(API_SERVICES, { metadata: { name }, spec: { ...spec, insecureSkipTLSVerify: true } })
    },
    service: async (n) => {
      const name = `s${n % 2}`
      if (await this.c.get('services', name)) return this.c.delete('services', name)
      return this.c.create('services', { metadata: { name }, spec: { ports: [{ port: 443 }] } })
    },
    unregister: (n) => this.c.delete(API_SERVICES, ['v1.apps', 'v1.example.com', 'v2.example.com'][n % 3]!),
  }

  async check(): Promise<void> {
    const { c } = this
    const definitions = await c.list(DEFINITIONS)
    const alive = definitions.filter((d) => !d.metadata.deletionTimestamp)
    for (const i of [0, 1]) {
      const resource = `x${i}s.example.com`
      const { items } = await c.cluster.cluster.store.list({ resource })
      const there = definitions.find((d) => d.metadata.name === resource)
      if (!there) expect([resource, items]).toEqual([resource, []])
      // Only what is held holds a definition that was deleted.
      if (there?.metadata.deletionTimestamp) {
        expect(items.length).toBeGreaterThan(0)
        for (const o of await c.list(resource)) expect([o.metadata.finalizers, !!o.metadata.deletionTimestamp]).toEqual([[FINALIZER], true])
      }
    }
    const registered = (await c.list(API_SERVICES)).map((o) => o.metadata.name)
    const served = new Set(definitions.flatMap((d) => d.spec.versions.map((v: any) => `${v.name}.example.com`)))
    const needed = new Set(alive.flatMap((d) => d.spec.versions.map((v: any) => `${v.name}.example.com`)))
    for (const name of ['v1.apps', ...needed]) expect(registered).toContain(name)
    for (const name of registered) if (name.endsWith('.example.com') && !name.includes('foreign')) expect(served).toContain(name)

    const levels = new Set((await c.list(LEVELS)).map((l) => l.metadata.name))
    for (const s of await c.list(SCHEMAS)) {
      const dangling = condition(s, 'Dangling')?.status
      expect([s.metadata.name, dangling]).toEqual([s.metadata.name, levels.has(s.spec.priorityLevelConfiguration.name) ? 'False' : 'True'])
    }
    const foreign = await c.get(API_SERVICES, 'v1.foreign.example.com')
    if (foreign) {
      const answers = (await c.get('services', foreign.spec.service.name)) !== undefined
      expect(condition(foreign, 'Available')?.status).toBe(answers ? 'True' : 'False')
    }
  }
}

const names = [
  'define',
  'define',
  'version',
  'object',
  'object',
  'letGo',
  'schema',
  'level',
  'server',
  'service',
  'unregister',
  'restart',
  'trouble',
]

property('what is served is registered, and goes with its definition', walk(names), 0, async (c, steps) => {
  const world = new World(c)
  world.begin()
  await take(c, world.steps, steps)
  await c.settled()
  // Servers that are away are asked again within a minute, those that answered within five.
  await c.pass(6 * 60_000)
  await world.check()
})
