// A cluster's settings where nobody says otherwise, and what its address ranges have to be.
import { addressIn, familyOf, firstOf, nodeBits, parseCidr, rangesIn } from '../shared/meta/address.ts'
import type { Settings } from './registry/context.ts'

export const defaultSettings: Settings = {
  serviceCidr: '10.96.0.0/16',
  podCidr: '10.244.0.0/16',
  nodePorts: [30000, 32767],
  clusterDomain: 'cluster.local',
  issuer: 'https://kubernetes.default.svc',
  anonymous: true,
  maxWatches: 20_000,
  admissionPlugins: [],
}

/** So many nodes are enough for anybody, in bits. */
const MOST_NODES = 16
/** The smallest range of services, in bits that are free. */
const LEAST_SERVICES = 4

/** Where the cluster's DNS is asked: the tenth address, as kubeadm has it. */
export const dnsAddress = ({ serviceCidr }: Pick<Settings, 'serviceCidr'>): string => addressIn(serviceCidr, 10)

function checkedRanges(what: string, text: string): void {
  const ranges = rangesIn(text)
  const families = new Set(ranges.map(familyOf))
  if (!ranges.length || ranges.length > 2 || families.size !== ranges.length)
    throw new Error(`${what}: ${JSON.stringify(text)} has to be one range, or one of IPv4 and one of IPv6`)
  for (const range of ranges) {
    const cidr = parseCidr(range)
    if (!cidr) throw new Error(`${what}: ${JSON.stringify(range)} is no range of addresses`)
    if (firstOf(cidr) !== cidr.value) throw new Error(`${what}: ${range} does not begin where a range of ${cidr.bits} bits does`)
  }
}

/** Throws on ranges that cannot work. */
export function checkRanges({ serviceCidr, podCidr }: Pick<Settings, 'serviceCidr' | 'podCidr'>): void {
  checkedRanges('service range', serviceCidr)
  checkedRanges('pod range', podCidr)
  for (const range of rangesIn(serviceCidr)) {
    if (!rangesIn(podCidr).some((p) => familyOf(p) === familyOf(range)))
      throw new Error(
        `the service range ${range} is of no use without pods that have such addresses: give a pod range of ${familyOf(range)}`,
      )
    const { width, bits } = parseCidr(range)!
    if (width - bits < LEAST_SERVICES) throw new Error(`the service range ${range} is too small`)
  }
  for (const range of rangesIn(podCidr)) {
    const { width, bits } = parseCidr(range)!
    const own = nodeBits(width)
    if (bits > own || own - bits > MOST_NODES)
      throw new Error(`the pod range ${range} has to be of ${own - MOST_NODES} to ${own} bits: each node gets one of ${own} of it`)
  }
}
