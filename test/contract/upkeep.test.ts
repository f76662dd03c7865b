// The controllers that keep a cluster in order, as a property: whatever is made and taken away in whatever order, with writes that fail and an engine that
// dies in between, everything comes to rest where it belongs; nothing goes that somebody still needs, and nothing stays that nobody does.
import { expect } from 'vitest'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const VOLUMES = 'persistentvolumes'
const CLAIMS = 'persistentvolumeclaims'
const ROLES = 'clusterroles.rbac.authorization.k8s.io'
const ROOT_CA = 'kube-root-ca.crt'
const NOBODY = { metadata: { name: 'default' } }

/** What was done to things that own each other. */
interface Thing {
  uid: string
  owners: string[]
  /** How it was deleted, if by us. */
  deleted?: 'Background' | 'Foreground' | 'Orphan'
  /** Made before its owner was deleted so that it should stay. */
  freedFrom: Set<string>
}

class World {
  readonly c: Controlled
  readonly things: Thing[] = []
  wantsOther = false
  #named = 0
  constructor(c: Controlled) {
    this.c = c
  }

  async begin(): Promise<void> {
    const { c } = this
    await c.create('resourcequotas', { metadata: { name: 'q' }, spec: { hard: { configmaps: '1k', [CLAIMS]: '100' } } })
    await c.create('services', { metadata: { name: 'm' }, spec: { ports: [{ port: 80 }] } })
    const clusterRoleSelectors = [{ matchLabels: { part: 'yes' } }]
    await c.create(ROLES, { metadata: { name: 'sum' }, aggregationRule: { clusterRoleSelectors }, rules: [] })
  }

  readonly steps: Steps = {
    own: async (n, m) => {
      const before = this.things.filter((_, i) => i % 3 === n % 3).slice(0, m % 3)
      const ownerReferences = before.map(({ uid }) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: `of-${uid}`, uid }))
      // The name that a reference carries is not what counts; but it has to be right.
      const maps = await this.c.list('configmaps')
      for (const r of ownerReferences) r.name = maps.find((o) => o.metadata.uid === r.uid)?.metadata.name ?? r.name
      const made = await this.c.create('configmaps', { metadata: { name: `t${this.#named++}`, ownerReferences } })
      this.things.push({ uid: made.metadata.uid, owners: before.map((t) => t.uid), freedFrom: new Set() })
    },
    disown: async (n, m) => {
      const thing = this.things[n % Math.max(1, this.things.length)]
      const there = (await this.c.list('configmaps')).find((o) => o.metadata.uid === thing?.uid)
      if (!thing || !there || there.metadata.deletionTimestamp) return
      thing.deleted = (['Background', 'Foreground', 'Orphan'] as const)[m % 3]
      if (thing.deleted === 'Orphan') for (const t of this.things) if (t.owners.includes(thing.uid)) t.freedFrom.add(thing.uid)
      await this.c.delete('configmaps', there.metadata.name, { propagationPolicy: thing.deleted })
    },
    upkeep: (n) => this.c.delete(...((n % 2 ? ['serviceaccounts', 'default'] : ['configmaps', ROOT_CA]) as [string, string])),
    namespace: async () => {
      const there = await this.c.get('namespaces', 'other')
      if (there?.metadata.deletionTimestamp) return
      if (there) await this.c.delete('namespaces', 'other')
      else {
        await this.c.create('namespaces', { metadata: { name: 'other' } })
        this.wantsOther = true
        await this.c.create('configmaps', { metadata: { name: 'a' } }, 'other')
        await this.c.create(CLAIMS, claim('a', 1), 'other')
        return
      }
      this.wantsOther = false
    },
    endpoints: async (n) => {
      const addresses = Array.from({ length: n % 4 }, (_, i) => ({ ip: `10.1.0.${i + 1}` }))
      const there = await this.c.get('endpoints', 'm')
      if (there && !addresses.length) return this.c.delete('endpoints', 'm')
      const subsets = [{ addresses, ports: [{ port: 8080 }] }]
      if (there) return this.c.patch('endpoints', 'm', { subsets }, 'main', 'merge')
      return addresses.length ? this.c.create('endpoints', { metadata: { name: 'm' }, subsets }) : undefined
    },
    volume: async (n, m) => {
      const name = `v${n % 3}`
      if (await this.c.get(VOLUMES, name)) return this.c.delete(VOLUMES, name)
      const spec = { capacity: { storage: `${1 + (m % 2)}Gi` }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/tmp' } }
      return this.c.create(VOLUMES, { metadata: { name }, spec: { ...spec, persistentVolumeReclaimPolicy: 'Retain' } })
    },
    claim: async (n, m) => {
      const name = `c${n % 3}`
      return (await this.c.get(CLAIMS, name)) ? this.c.delete(CLAIMS, name) : this.c.create(CLAIMS, claim(name, 1 + (m % 2)))
    },
    role: async (n) => {
      const name = `p${n % 4}`
      if (await this.c.get(ROLES, name)) return this.c.delete(ROLES, name)
      const rules = [{ apiGroups: [''], resources: [`r${n}`], verbs: ['get'] }]
      return this.c.create(ROLES, { metadata: { name, labels: { part: 'yes' } }, rules })
    },
  }

  async check(): Promise<void> {
    const { c } = this
    const maps = await c.list('configmaps')
    const there = new Set(maps.map((o) => o.metadata.uid))
    expect(maps.filter((o) => o.metadata.deletionTimestamp)).toEqual([])
    for (const o of maps)
      if (o.metadata.ownerReferences?.length) expect(o.metadata.ownerReferences.some((r) => there.has(r.uid))).toBe(true)
    for (const t of this.things) {
      if (t.deleted) expect(there.has(t.uid)).toBe(false)
      else if (t.owners.every((o) => there.has(o) || t.freedFrom.has(o))) expect(there.has(t.uid)).toBe(true)
    }
    const claims = await c.list(CLAIMS)
    const { status } = (await c.get('resourcequotas', 'q'))!
    expect(status.used).toEqual({ configmaps: String(maps.length), [CLAIMS]: String(claims.length) })

    expect((await c.get('serviceaccounts', 'default'))?.metadata.name).toBe(NOBODY.metadata.name)
    expect(maps.some((o) => o.metadata.name === ROOT_CA)).toBe(true)
    expect((await c.get('namespaces', 'other'))?.status.phase).toBe(this.wantsOther ? 'Active' : undefined)
    expect((await c.list('configmaps', 'other')).map((o) => o.metadata.name)).toEqual(this.wantsOther ? ['a', ROOT_CA] : [])
    expect(await c.list(CLAIMS, 'other')).toHaveLength(this.wantsOther ? 1 : 0)

    const endpoints = (await c.get('endpoints', 'm'))?.subsets?.[0]?.addresses?.map((a: any) => a.ip) ?? []
    const slices = (await c.list('endpointslices.discovery.k8s.io')).filter((s) => s.metadata.labels!['kubernetes.io/service-name'] === 'm')
    expect(slices.flatMap((s) => s.endpoints ?? []).map((e: any) => e.addresses[0])).toEqual(endpoints)

    const parts = (await c.list(ROLES)).filter((r) => r.metadata.labels?.part)
    expect((await c.get(ROLES, 'sum'))!.rules ?? []).toEqual(parts.flatMap((r) => r.rules))
    checkVolumes(await c.list(VOLUMES), [...claims, ...(await c.list(CLAIMS, 'other'))])
  }
}

const claim = (name: string, size: number) => ({
  metadata: { name },
  spec: { storageClassName: '', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: `${size}Gi` } } },
})

function checkVolumes(volumes: KObject[], claims: KObject[]): void {
  const sizeOf = (quantity: string) => Number.parseInt(quantity, 10)
  for (const v of volumes) {
    const owner = claims.find((k) => k.metadata.uid === v.spec.claimRef?.uid)
    expect(v.status.phase).toBe(owner ? 'Bound' : v.spec.claimRef ? 'Released' : 'Available')
    if (owner) expect([owner.spec.volumeName, owner.status.phase]).toEqual([v.metadata.name, 'Bound'])
    // Only its claim may hold up a volume that was deleted.
    if (v.metadata.deletionTimestamp) expect(owner).toBeDefined()
  }
  for (const k of claims) {
    const bound = volumes.some((v) => v.metadata.name === k.spec.volumeName && v.spec.claimRef?.uid === k.metadata.uid)
    // A volume that was deleted while its claim was on its way to it leaves the claim with nothing, as upstream.
    if (k.spec.volumeName) expect(k.status.phase).toBe(bound ? 'Bound' : 'Lost')
    else {
      expect(k.status.phase).toBe('Pending')
      const room = volumes.filter((v) => v.status.phase === 'Available' && !v.metadata.deletionTimestamp)
      expect(room.some((v) => sizeOf(v.spec.capacity.storage) >= sizeOf(k.spec.resources.requests.storage))).toBe(false)
    }
  }
}

const names = ['own', 'own', 'disown', 'upkeep', 'namespace', 'endpoints', 'volume', 'claim', 'role', 'restart', 'settle', 'trouble']

property('a cluster is kept in order', walk(names), 1, async (c, steps) => {
  const world = new World(c)
  await world.begin()
  await take(c, world.steps, steps)
  await c.rest()
  await c.pass(10 * 60_000)
  await c.rest()
  await world.check()
})
