// One CSI driver on this machine: what its node service is asked (container-storage-interface/spec). Loaded when the first driver registers.
import { decodeMessage } from '../../../shared/schema/protobuf.ts'
import { encodeMessage } from '../../../shared/schema/protobuf-encode.ts'
import { GrpcError, unary } from '../../grpc.ts'
import type { DiskUse } from '../../stats/machine.ts'

const USER_AGENT = 'kubelet/1.36'
/** Kubelet's patience with a driver, and with what should be quick, ms. */
const PATIENCE = 120_000
const QUICK = 10_000
/** Somebody waits for all volumes of the machine. */
const STATS = 2000
/** Capabilities of a node service, by their numbers. */
const STAGE_UNSTAGE = 1
const GET_VOLUME_STATS = 2
const EXPAND_VOLUME = 3
const MOUNT_GROUP = 6

/** Units of what a volume has in use. */
const [BYTES, INODES] = [1, 2]

/** By an access mode of Kubernetes: what a driver is told of it. */
const MODES: Record<string, number> = {
  ReadWriteOnce: 1,
  ReadOnlyMany: 3,
  ReadWriteMany: 5,
  ReadWriteOncePod: 6,
}

export interface DriverInfo {
  nodeId: string
  /** Undefined where there is no bound. */
  maxVolumes?: number
  segments: Record<string, string>
}

export interface Capability {
  /** The volume as it is, without a file system. */
  block: boolean
  fsType: string
  mountFlags: readonly string[]
  accessMode: string
  /** Where the driver itself gives the volume to a group. */
  group?: number
}

type Strings = Record<string, string>

export interface Stage {
  volumeId: string
  at: string
  capability: Capability
  published: Strings
  secrets: Strings
  context: Strings
}
export interface Publish extends Omit<Stage, 'at'> {
  staged?: string
  target: string
  readOnly: boolean
}

export interface Expansion extends Pick<Stage, 'volumeId' | 'capability' | 'secrets'> {
  staged?: string
  target: string
  /** At least. */
  bytes: number
}

/** What a plugin says of itself when it registers. */
export async function pluginInfo(socket: string): Promise<{ type: string; name: string; endpoint: string }> {
  const answer = await ask(socket, 'pluginregistration.Registration/GetInfo', ['pluginregistration.InfoRequest', {}], QUICK)
  const { type = '', name = '', endpoint = '' } = decodeMessage('pluginregistration.PluginInfo', answer)
  return { type, name, endpoint: endpoint || socket }
}

/** Tells a plugin what came of its registration; `fault` is empty when it is well. */
export async function tellRegistered(socket: string, fault: string): Promise<void> {
  const status = { plugin_registered: !fault, error: fault }
  await ask(socket, 'pluginregistration.Registration/NotifyRegistrationStatus', ['pluginregistration.RegistrationStatus', status], QUICK)
}

const ask = (socket: string, method: string, [name, message]: [string, object], timeoutMs: number): Promise<Uint8Array> =>
  unary({ socket }, `/${method}`, encodeMessage(name, message), { timeoutMs, userAgent: USER_AGENT })

const capabilityOf = ({ block, fsType, mountFlags, accessMode, group }: Capability) => ({
  ...(block
    ? { block: {} }
    : { mount: { fs_type: fsType, mount_flags: mountFlags, ...(group === undefined ? {} : { volume_mount_group: String(group) }) } }),
  access_mode: { mode: MODES[accessMode] ?? MODES.ReadWriteOnce },
})

export class CsiDriver {
  readonly name: string
  readonly #socket: string
  #capabilities?: Promise<ReadonlySet<number>>

  constructor(name: string, socket: string) {
    this.name = name
    this.#socket = socket
  }

  /** Rejects with GrpcError, whose message is the driver's own. */
  #call(method: string, message: [string, object], timeoutMs = PATIENCE): Promise<Uint8Array> {
    return ask(this.#socket, `csi.v1.Node/${method}`, message, timeoutMs)
  }

  async info(): Promise<DriverInfo> {
    const answer = decodeMessage('csi.NodeGetInfoResponse', await this.#call('NodeGetInfo', ['csi.Empty', {}], QUICK))
    if (!answer.node_id) throw new GrpcError('the driver names no node')
    const most: number | undefined = answer.max_volumes_per_node
    return { nodeId: answer.node_id, segments: answer.accessible_topology?.segments ?? {}, ...(most ? { maxVolumes: most } : {}) }
  }

  async #can(what: number): Promise<boolean> {
    this.#capabilities ??= (async () => {
      const answer = decodeMessage('csi.NodeGetCapabilitiesResponse', await this.#call('NodeGetCapabilities', ['csi.Empty', {}], QUICK))
      return new Set<number>((answer.capabilities ?? []).map((c: any) => c.rpc?.type))
    })().catch((cause) => {
      this.#capabilities = undefined
      throw cause
    })
    return (await this.#capabilities).has(what)
  }
  /** Whether a volume is brought to the machine once, before it is shown to each pod. */
  stages = () => this.#can(STAGE_UNSTAGE)
  /** Whether it gives volumes to a pod's group by itself. */
  givesToGroup = () => this.#can(MOUNT_GROUP)

  /** Whether a volume that has grown needs the machine's help to be as large as it says. */
  expands = () => this.#can(EXPAND_VOLUME)

  async stage(s: Stage): Promise<void> {
    await this.#call('NodeStageVolume', [
      'csi.NodeStageVolumeRequest',
      {
        volume_id: s.volumeId,
        publish_context: s.published,
        staging_target_path: s.at,
        volume_capability: capabilityOf(s.capability),
        secrets: s.secrets,
        volume_context: s.context,
      },
    ])
  }
  async unstage(volumeId: string, at: string): Promise<void> {
    await this.#call('NodeUnstageVolume', ['csi.NodeUnstageVolumeRequest', { volume_id: volumeId, staging_target_path: at }])
  }
  async publish(p: Publish): Promise<void> {
    await this.#call('NodePublishVolume', [
      'csi.NodePublishVolumeRequest',
      {
        volume_id: p.volumeId,
        publish_context: p.published,
        ...(p.staged ? { staging_target_path: p.staged } : {}),
        target_path: p.target,
        volume_capability: capabilityOf(p.capability),
        readonly: p.readOnly,
        secrets: p.secrets,
        volume_context: p.context,
      },
    ])
  }
  async unpublish(volumeId: string, target: string): Promise<void> {
    await this.#call('NodeUnpublishVolume', ['csi.NodeUnpublishVolumeRequest', { volume_id: volumeId, target_path: target }])
  }

  async expand(e: Expansion): Promise<void> {
    await this.#call('NodeExpandVolume', [
      'csi.NodeExpandVolumeRequest',
      {
        volume_id: e.volumeId,
        volume_path: e.target,
        capacity_range: { required_bytes: e.bytes },
        ...(e.staged ? { staging_target_path: e.staged } : {}),
        volume_capability: capabilityOf(e.capability),
        secrets: e.secrets,
      },
    ])
  }

  /** What the driver says that a volume has in use; undefined where it leaves that to the file system. */
  async usage(volumeId: string, target: string, staged: string | undefined): Promise<DiskUse | undefined> {
    if (!(await this.#can(GET_VOLUME_STATS))) return undefined
    const request = { volume_id: volumeId, volume_path: target, ...(staged ? { staging_target_path: staged } : {}) }
    const answer = decodeMessage(
      'csi.NodeGetVolumeStatsResponse',
      await this.#call('NodeGetVolumeStats', ['csi.NodeGetVolumeStatsRequest', request], STATS),
    )
    const out: DiskUse = { availableBytes: 0, capacityBytes: 0, usedBytes: 0, inodesFree: 0, inodes: 0, inodesUsed: 0 }
    for (const { available = 0, total = 0, used = 0, unit } of answer.usage ?? []) {
      if (unit === BYTES) Object.assign(out, { availableBytes: available, capacityBytes: total, usedBytes: used })
      if (unit === INODES) Object.assign(out, { inodesFree: available, inodes: total, inodesUsed: used })
    }
    return out
  }
}
