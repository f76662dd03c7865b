// Services, as a property: whatever becomes of pods, nodes and of the services themselves, with writes that fail and an engine that dies in between,
// their slices come to name who is ready, by the families that they have, and their addresses are those of the nodes that serve, for whoever came first to
// a port.
import { expect } from 'vitest'
import { type Family, familyOf, ofFamily } from '../../shared/meta/address.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { type KObject, keyOf } from '../../shared/meta/object.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const SLICES = 'endpointslices.discovery.k8s.io'
const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers'
const CHOICE = 'kedge.dev/load-balancer'
const NODES = ['n1', 'n2', 'n3']
const addressOf = (node: string) => `192.0.2.${node.slice(1)}`
const sixOf = (node: string) => `2001:db8::${node.slice(1)}`
const policies = ['Cluster', 'Local'] as const
const stacks = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const

class World {
  readonly c: Controlled
  #pods = 0
  constructor(c: Controlled) {
    this.c = c
  }

  async begin(): Promise<void> {
    for (const name of NODES) {
      await this.c.node(name)
      await this.c.patch(
        'nodes',
        name,
        { status: { addresses: [addressOf(name), sixOf(name)].map((address) => ({ type: 'InternalIP', address })) } },
        'status',
        'merge',
      )
    }
  }

  readonly steps: Steps = {
    service: async (n, m) => {
      const name = `s${n % 3}`
      if (await this.c.get('services', name)) return this.c.delete('services', name)
      const spec = { type: 'LoadBalancer', selector: { app: name }, externalTrafficPolicy: policies[m % 2] }
      return this.c.create('services', { metadata: { name }, spec: { ...spec, ports: [{ port: 80 + (m % 3 ? 0 : 1) }] } })
    },
    type: (n, m) =>
      this.c.patch(
        'services',
        `s${n % 3}`,
        { spec: m % 2 ? { type: 'LoadBalancer' } : { type: 'ClusterIP', externalTrafficPolicy: null } },
        'main',
        'merge',
      ),
    families: (n, m) => this.c.patch('services', `s${n % 3}`, { spec: { ipFamilyPolicy: stacks[m % 3] } }, 'main', 'merge'),
    choice: (n, m) => this.c.patch('services', `s${n % 3}`, { metadata: { annotations: { [CHOICE]: m % 2 ? 'none' : null } } }),
    port: (n, m) => this.c.patch('services', `s${n % 3}`, { spec: { ports: [{ port: 80 + (m % 2) }] } }, 'main', 'merge'),
    pod: async (n, m) => {
      const spec = { nodeName: NODES[m % 3], automountServiceAccountToken: false, containers: [{ name: 'c', image: 'one' }] }
      await this.c.create('pods', { metadata: { name: `p${this.#pods++}`, labels: { app: `s${n % 3}` } }, spec })
    },
    ready: async (n, m) => {
      const pods = await this.c.list('pods')
      const pod = pods[n % Math.max(1, pods.length)]
      if (pod) await this.c.ready(pod.metadata.name, m % 3 > 0)
    },
    unpod: async (n) => {
      const pods = await this.c.list('pods')
      const pod = pods[n % Math.max(1, pods.length)]
      if (pod) await this.c.delete('pods', pod.metadata.name, n % 2 ? { gracePeriodSeconds: 0 } : {})
    },
    relabel: async (n, m) => {
      const pods = await this.c.list('pods')
      const pod = pods[n % Math.max(1, pods.length)]
      if (pod) await this.c.patch('pods', pod.metadata.name, { metadata: { labels: { app: `s${m % 3}` } } })
    },
    node: async (n, m) => {
      const condition = { type: 'Ready', status: m % 2 ? 'True' : 'False', lastTransitionTime: new Date(this.c.now).toISOString() }
      await this.c.patch('nodes', NODES[n % 3]!, { status: { conditions: [condition] } }, 'status')
    },
    exclude: (n, m) => this.c.patch('nodes', NODES[n % 3]!, { metadata: { labels: { [EXCLUDED]: m % 2 ? '' : null } } }, 'main', 'merge'),
  }

  /** Of a service, as its slices say: the address that each is of, pods' names and whether they are ready. */
  async #endpoints(service: KObject): Promise<string[]> {
    const slices = (await this.c.list(SLICES)).filter((s) => s.metadata.labels!['kubernetes.io/service-name'] === service.metadata.name)
    return slices
      .flatMap((s) => (s.endpoints ?? []).map((e: any) => `${s.addressType} ${e.addresses} ${e.targetRef.name} ${e.conditions.ready}`))
      .sort()
  }

  async check(): Promise<void> {
    const services = (await this.c.list('services')).filter((s) => s.metadata.name !== 'kubernetes')
    const pods = (await this.c.list('pods')).filter((p) => p.status?.podIP)
    const nodes = await this.c.list('nodes')
    const balanced = services.filter((s) => s.spec.type === 'LoadBalancer' && s.metadata.annotations?.[CHOICE] !== 'none')
    const age = (s: KObject) => `${s.metadata.creationTimestamp} ${s.metadata.name}`
    for (const s of services) {
      const members = pods.filter((p) => p.metadata.labels!.app === s.spec.selector.app)
      const serves = (p: KObject) => isReady(p) && !p.metadata.deletionTimestamp
      const families: Family[] = s.spec.ipFamilies
      expect(families).toHaveLength(s.spec.ipFamilyPolicy === 'SingleStack' ? 1 : 2)
      expect(s.spec.clusterIPs.map(familyOf)).toEqual(families)
      const wanted = families
        .flatMap((f) =>
          members.map(
            (p) =>
              `${f} ${ofFamily(
                p.status.podIPs.map((i: any) => i.ip),
                f,
              )} ${p.metadata.name} ${serves(p)}`,
          ),
        )
        .sort()
      expect([keyOf(s), await this.#endpoints(s)]).toEqual([keyOf(s), wanted])

      const first = balanced.filter((x) => x.spec.ports[0].port === s.spec.ports[0].port).sort((a, b) => (age(a) < age(b) ? -1 : 1))[0]
      const local = new Set(members.filter(serves).map((p) => p.spec.nodeName))
      const open = nodes
        .filter((n) => isReady(n) && n.metadata.labels?.[EXCLUDED] === undefined)
        .filter((n) => s.spec.externalTrafficPolicy !== 'Local' || local.has(n.metadata.name))
        .flatMap((n) => [addressOf(n.metadata.name), ...(families.includes('IPv6') ? [sixOf(n.metadata.name)] : [])])
      const ingress = (s.status?.loadBalancer?.ingress ?? []).map((i: any) => i.ip)
      expect([keyOf(s), ingress]).toEqual([keyOf(s), first === s ? open : []])
    }
    // Nothing is left of services that are gone.
    const names = new Set(services.map((s) => s.metadata.name))
    for (const s of await this.c.list(SLICES))
      if (s.metadata.name !== 'kubernetes') expect(names).toContain(s.metadata.labels!['kubernetes.io/service-name'])
  }
}

const names = [
  'service',
  'service',
  'type',
  'families',
  'choice',
  'port',
  'pod',
  'pod',
  'ready',
  'ready',
  'unpod',
  'relabel',
  'node',
  'exclude',
  'restart',
  'trouble',
]

const dual = { serviceCidr: '10.96.0.0/16,fd00:96::/112', podCidr: '10.9.0.0/16,fd00::/56' }

property(
  'services answer with who is ready, where nodes serve',
  walk(names),
  0,
  async (c, steps) => {
    const world = new World(c)
    await world.begin()
    await take(c, world.steps, steps)
    await c.settled()
    // What failed often is tried again by now.
    await c.pass(30_000)
    await world.check()
  },
  dual,
)
