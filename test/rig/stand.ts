// A cluster of test hosts as the end-to-end tests want it: hosts with images, a control plane, every node Ready.
import type { Family } from '../../shared/meta/address.ts'
import { ControlPlane } from './control-plane.ts'
import { fakeTime, type Host, Rig, rigMissing } from './hosts.ts'
import { testImages } from './images.ts'
import { nodesReady } from './ready.ts'

export interface Stand {
  cp: ControlPlane
  hosts: Host[]
  stop(): Promise<void>
}

/** Why there can be no stand here; undefined when there can. Throws under CI, where nothing is skipped. */
export function standMissing(): string | undefined {
  const missing = rigMissing()
  if (missing && process.env.CI === 'true') throw new Error(`end-to-end tests cannot run: ${missing}`)
  if (missing) console.warn(`end-to-end tests are skipped: ${missing}`)
  return missing
}

/** The environment of a process whose clock is off by so many milliseconds. */
function clockOff(ms: number): Record<string, string> {
  const seconds = Math.round(ms / 1000)
  return { ...fakeTime(), FAKETIME: `${seconds < 0 ? '' : '+'}${seconds}` }
}

export interface StandOptions {
  /** Of `kedge serve`. */
  flags?: string[]
  /** How many of the hosts become nodes; the others can later. */
  joining?: number
  /** What the clocks of control plane and daemons say when they start. */
  time?: string
  /** How many of the hosts, the last ones, stand behind a router. */
  far?: number
  /** Nobody reaches those; they dial out. */
  hidden?: true
  /** Of a host's daemon. */
  nodeFlags?: (host: Host) => string[]
  /** The size of the disk that each has, where not all share this machine's. */
  disk?: string
  /** What the clocks of their daemons say can be changed. */
  ownClocks?: true
  /** Of which families addresses are, the cluster's own first; IPv4 alone where absent. */
  families?: Family[]
}

const RANGES: Record<Family, { service: string; pod: string }> = {
  IPv4: { service: '10.96.0.0/16', pod: '10.244.0.0/16' },
  IPv6: { service: 'fd00:10:96::/112', pod: 'fd00:10:244::/56' },
}

export async function startStand(
  count: number,
  { flags = [], joining = count, time, far = 0, hidden, nodeFlags, disk, ownClocks, families }: StandOptions = {},
): Promise<Stand> {
  const rig = await Rig.start(count, { far, ...(hidden ? { hidden } : {}), ...(disk ? { disk } : {}) })
  const images = testImages()
  for (const h of rig.hosts) h.loadImages(images)
  const env = time === undefined ? {} : clockOff(Date.parse(time) - Date.now())
  const ranges = (families ?? []).map((f) => RANGES[f])
  const ranged = families
    ? ['--service-cluster-ip-range', ranges.map((r) => r.service).join(), '--cluster-cidr', ranges.map((r) => r.pod).join()]
    : []
  const cp = await ControlPlane.start(rig.address, [...ranged, ...flags], env)
  try {
    const nodes = rig.hosts.slice(0, joining)
    for (const h of nodes) h.flags = nodeFlags?.(h) ?? []
    if (families) for (const h of nodes) h.addresses = families.map((f) => (f === 'IPv4' ? h.ip : h.ip6))
    if (ownClocks) for (const h of nodes) h.ownClock()
    for (const h of nodes) h.startDaemon(cp.url, cp.joinToken(), env)
    await nodesReady(cp, nodes)
  } catch (cause) {
    await cp.stop()
    rig.stop()
    throw cause
  }
  return {
    cp,
    hosts: rig.hosts,
    stop: async () => {
      await cp.stop()
      rig.stop()
    },
  }
}
