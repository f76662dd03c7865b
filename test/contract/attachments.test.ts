// Volumes of CSI drivers, as a property: whichever pods with volumes come and go on which nodes, with writes that fail and an engine that dies in between,
// a volume comes to be attached where a pod has it and nowhere else, never leaves a node that uses it, and nodes say what they have.
import { expect } from 'vitest'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controlled } from '../rig/controlled.ts'
import { property, type Steps, take, walk } from './property.ts'

const ATTACHMENTS = 'volumeattachments.storage.k8s.io'
const DRIVER = 'csi.example.com'
const NODES = ['n1', 'n2', 'n3']
const VOLUMES = ['v0', 'v1', 'v2']

const of = (a: KObject) => `${a.spec.source.persistentVolumeName} ${a.spec.nodeName}`

class World {
  readonly c: Controlled
  /** What nodes use, as their daemons say. */
  readonly used = new Map<string, Set<string>>(NODES.map((n) => [n, new Set()]))
  #pods = 0
  constructor(c: Controlled) {
    this.c = c
  }

  async begin(): Promise<void> {
    const { c } = this
    for (const n of NODES) await c.node(n)
    await c.create('csidrivers.storage.k8s.io', { metadata: { name: DRIVER }, spec: { attachRequired: true } })
    const accessModes = ['ReadWriteMany']
    for (const name of VOLUMES) {
      const csi = { driver: DRIVER, volumeHandle: `handle-${name}` }
      const claimRef = { namespace: 'default', name: `c-${name}` }
      await c.create('persistentvolumes', {
        metadata: { name },
        spec: { capacity: { storage: '1Gi' }, accessModes, csi, claimRef, storageClassName: '' },
      })
      await c.create('persistentvolumeclaims', {
        metadata: { name: `c-${name}` },
        spec: { volumeName: name, storageClassName: '', accessModes, resources: { requests: { storage: '1Gi' } } },
      })
    }
    // Somebody else's attachment is nobody's business here.
    await c.create(ATTACHMENTS, {
      metadata: { name: 'by-hand' },
      spec: { attacher: DRIVER, nodeName: 'n1', source: { persistentVolumeName: 'v0' } },
    })
    await c.settled()
  }

  readonly steps: Steps = {
    pod: async (n, m) => {
      const claimName = `c-${VOLUMES[m % 3]}`
      await this.c.create('pods', {
        metadata: { name: `p${this.#pods++}` },
        spec: {
          nodeName: NODES[n % 3],
          automountServiceAccountToken: false,
          containers: [{ name: 'c', image: 'one' }],
          volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
        },
      })
    },
    unpod: async (n, m) => {
      const pods = await this.c.list('pods')
      const pod = pods[n % Math.max(1, pods.length)]
      if (!pod) return
      if (m % 3) await this.c.delete('pods', pod.metadata.name, { gracePeriodSeconds: 0 })
      else await this.c.ended(pod, 0)
    },
    /** The driver's attacher: it has attached what it was asked to, once the attachment has its mark. */
    attach: async (n) => {
      const all = (await this.c.list(ATTACHMENTS)).filter((a) => a.metadata.name !== 'by-hand')
      const a = all[n % Math.max(1, all.length)]
      if (!a || a.metadata.deletionTimestamp) return
      const status = { attached: true, attachmentMetadata: { devicePath: `/dev/${of(a).replace(' ', '-')}` } }
      await this.c.patch(ATTACHMENTS, a.metadata.name, { status }, 'status', 'merge')
    },
    use: async (n) => {
      const node = NODES[n % 3]!
      const attached: any[] = (await this.c.get('nodes', node))!.status.volumesAttached ?? []
      await this.#use(node, new Set(attached.map((v) => v.name.split('handle-')[1])))
    },
    unuse: (n) => this.#use(NODES[n % 3]!, new Set()),
  }

  async #use(node: string, volumes: Set<string>): Promise<void> {
    const volumesInUse = [...volumes].map((v) => `kubernetes.io/csi/${DRIVER}^handle-${v}`)
    await this.c.patch('nodes', node, { status: { volumesInUse } }, 'status', 'merge')
    this.used.set(node, volumes)
  }

  async check(): Promise<void> {
    const pods = (await this.c.list('pods')).filter((p) => p.status?.phase !== 'Succeeded')
    const wanted = new Set(pods.map((p) => `${p.spec.volumes[0].persistentVolumeClaim.claimName.slice(2)} ${p.spec.nodeName}`))
    const all = await this.c.list(ATTACHMENTS)
    expect(all.filter((a) => a.metadata.name === 'by-hand')).toHaveLength(1)
    const ours = all.filter((a) => a.metadata.name !== 'by-hand')
    expect(new Set(ours.map(of)).size).toBe(ours.length)
    for (const w of wanted) expect(ours.map(of)).toContain(w)
    for (const a of ours.filter((x) => !wanted.has(of(x))))
      expect([of(a), this.used.get(a.spec.nodeName)!.has(a.spec.source.persistentVolumeName)]).toEqual([of(a), true])
    for (const node of NODES) {
      const told: any[] = (await this.c.get('nodes', node))!.status.volumesAttached ?? []
      const have = ours.filter((a) => a.spec.nodeName === node && a.status?.attached)
      expect([node, told.map((v) => v.name.split('handle-')[1])]).toEqual([
        node,
        have.map((a) => a.spec.source.persistentVolumeName).sort(),
      ])
    }
  }
}

const names = ['pod', 'pod', 'pod', 'unpod', 'unpod', 'attach', 'attach', 'use', 'unuse', 'restart', 'settle', 'trouble']

property('volumes are where their pods are', walk(names), 0, async (c, steps) => {
  const world = new World(c)
  await world.begin()
  await take(c, world.steps, steps)
  await c.settled()
  // What failed often is tried again by now.
  await c.pass(30_000)
  await world.check()
})
