// Node IPAM: gives each new node its range of pod addresses, of each family that pods have. One look serves all nodes that wait, so that they do not race for the same one.
import { firstOf, nodeBits, parseCidr, printAddress, rangesIn } from '../../shared/meta/address.ts'
import type { KObject } from '../../shared/meta/object.ts'
import type { Controller, Write } from '../engine/types.ts'

const NAME = 'node-ipam-controller'
const KEY = 'nodes'

interface View {
  waiting: readonly KObject[]
  used: ReadonlySet<string>
  podCidr: string
  /** Those who were told before that there is nothing left. */
  told: ReadonlySet<string>
}

/** Free ranges, from where most likely none was given yet: as many as are taken is a good place to begin. */
export function* freeRanges(podCidr: string, used: ReadonlySet<string>): Generator<string, undefined> {
  const all = parseCidr(podCidr)!
  const bits = nodeBits(all.width)
  const count = 2 ** (bits - all.bits)
  for (let n = 0; n < count; n++) {
    const value = firstOf(all) + (BigInt((used.size + n) % count) << BigInt(all.width - bits))
    const range = `${printAddress({ ...all, value })}/${bits}`
    if (!used.has(range)) yield range
  }
}

function reconcile(_key: string, { waiting, used, podCidr, told }: View) {
  const free = rangesIn(podCidr).map((range) => freeRanges(range, used))
  const writes: Write[] = []
  const without = new Set<string>()
  for (const node of waiting) {
    const ranges = free.map((f) => f.next().value)
    if (ranges.every((r) => r !== undefined)) {
      const spec = { ...node.spec, podCIDR: ranges[0], podCIDRs: ranges }
      writes.push({ verb: 'update', resource: 'nodes', object: { ...node, spec } })
      continue
    }
    const { name, uid } = node.metadata
    without.add(uid)
    if (told.has(uid)) continue
    writes.push({
      verb: 'event',
      about: { resource: 'nodes', object: node },
      type: 'Normal',
      reason: 'CIDRNotAvailable',
      message: `Node ${name} status is now: CIDRNotAvailable`,
      component: 'cidrAllocator',
    })
  }
  return { writes, memory: without }
}

const needs = (node: KObject) => !node.spec?.podCIDR && !node.metadata.deletionTimestamp

export const nodeIpam: Controller<View> = {
  name: NAME,
  all: () => [KEY],
  wakes: { nodes: ({ new: now }) => (!now || needs(now) ? [KEY] : []) },
  view: (_key, reader) => {
    const nodes = reader.list('nodes')
    const waiting = nodes.filter(needs)
    if (!waiting.length) return undefined
    return {
      waiting,
      used: new Set(nodes.flatMap((n) => n.spec?.podCIDRs ?? n.spec?.podCIDR ?? [])),
      podCidr: reader.settings.podCidr,
      told: (reader.memory(NAME, KEY) as Set<string> | undefined) ?? new Set(),
    }
  },
  reconcile,
}
