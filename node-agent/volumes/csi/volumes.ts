// Volumes of CSI drivers, as kubelet handles them: brought to this machine once, shown to each pod, and taken away in the opposite order. What was made is
// written down beside it, in kubelet's files, before it is made.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { claimOf } from '../../../shared/kinds/pod-claims.ts'
import { attachmentName, sha256Hex } from '../../../shared/meta/attachments.ts'
import { nanoOf, unitsOf } from '../../../shared/meta/quantity.ts'
import { ConfigError } from '../../plan/expand.ts'
import type { Api } from '../../session/api.ts'
import { remoteDisk } from '../remote-disk.ts'
import { blockDevice, type Made, type Wanted } from '../types.ts'
import type { Capability, CsiDriver } from './driver.ts'
import { type CsiDrivers, KUBELET } from './drivers.ts'

const NOTE = 'vol_data.json'
const FOLDER = 'kubernetes.io~csi'
/** Conditions of a claim that are over when its volume has grown. */
const RESIZING = new Set(['Resizing', 'FileSystemResizePending', 'ControllerResizeError', 'NodeResizeError'])

/** What is remembered of a volume that was made here. */
interface Note {
  driverName: string
  volumeHandle: string
  /** Only for this pod, and not brought to the machine before. */
  volumeLifecycleMode: 'Persistent' | 'Ephemeral'
}

const podFolder = (uid: string) => path.join(KUBELET, 'pods', uid, 'volumes', FOLDER)
const stagingFolder = ({ driverName, volumeHandle }: Note) =>
  path.join(KUBELET, 'plugins/kubernetes.io/csi', driverName, sha256Hex(volumeHandle))
const writeNote = (folder: string, note: Note) => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, NOTE), JSON.stringify(note))
}
const noteOf = (folder: string): Note | undefined => {
  try {
    return JSON.parse(readFileSync(path.join(folder, NOTE), 'utf8'))
  } catch {
    return undefined
  }
}
const foldersIn = (at: string): string[] => (existsSync(at) ? readdirSync(at).map((name) => path.join(at, name)) : [])

/** Folders that nothing may be in any more: what a driver has left mounted, or full, is never removed with them. The place of a device is a file. */
function removeEmpty(...folders: string[]): void {
  for (const folder of folders) if (existsSync(folder)) (statSync(folder).isDirectory() ? rmdirSync : unlinkSync)(folder)
}

export class CsiVolumes {
  readonly #drivers: CsiDrivers
  readonly #api: Api
  readonly #node: string

  constructor(drivers: CsiDrivers, api: Api, node: string) {
    this.#api = api
    this.#drivers = drivers
    this.#node = node
  }

  #driver(name: string): CsiDriver {
    const found = this.#drivers.get(name)
    if (!found) throw new ConfigError(`driver name ${name} not found in the list of registered CSI drivers`)
    return found
  }

  /** Throws ConfigError while the driver, its attachment or a secret is not there, and with the driver's words. */
  async setUp(w: Wanted): Promise<Made> {
    const { pod, source, persistent, volume } = w
    const driver = this.#driver(source.driver)
    const about = (await w.sources.get('csidrivers.storage.k8s.io', '', source.driver))?.spec ?? {}
    const { namespace, uid } = pod.metadata
    const note: Note = persistent
      ? { driverName: source.driver, volumeHandle: source.volumeHandle, volumeLifecycleMode: 'Persistent' }
      : { driverName: source.driver, volumeHandle: `csi-${sha256Hex(`${uid}${volume.name}`)}`, volumeLifecycleMode: 'Ephemeral' }
    const { volumeHandle: volumeId } = note
    if (!persistent && !about.volumeLifecycleModes?.includes('Ephemeral'))
      throw new ConfigError(`volume mode "Ephemeral" not supported by driver ${source.driver}`)
    const secretsOf = (ref: any) => this.#secrets(w, ref && { namespace, ...ref })
    const published = persistent && about.attachRequired !== false ? await this.#attached(w) : {}
    const block = persistent?.spec.volumeMode === 'Block'
    const fsGroup: number | undefined = block ? undefined : pod.spec.securityContext?.fsGroup
    const byDriver = fsGroup !== undefined && (await driver.givesToGroup())
    const capability: Capability = {
      block,
      fsType: source.fsType ?? '',
      mountFlags: persistent?.spec.mountOptions ?? [],
      accessMode: persistent?.spec.accessModes?.[0] ?? 'ReadWriteOnce',
      ...(byDriver ? { group: fsGroup } : {}),
    }
    const common = { volumeId, capability, published, context: source.volumeAttributes ?? {} }
    const folder = path.join(podFolder(uid), persistent?.metadata.name ?? volume.name)
    const target = path.join(folder, 'mount')
    let staged: string | undefined
    try {
      if (persistent && (await driver.stages())) {
        staged = path.join(stagingFolder(note), 'globalmount')
        writeNote(stagingFolder(note), note)
        mkdirSync(staged, { recursive: true })
        await driver.stage({ ...common, at: staged, secrets: await secretsOf(source.nodeStageSecretRef) })
      }
      writeNote(folder, note)
      await driver.publish({
        ...common,
        ...(staged ? { staged } : {}),
        target,
        readOnly: w.readOnly,
        secrets: await secretsOf(source.nodePublishSecretRef),
        context: { ...common.context, ...(about.podInfoOnMount ? podInfo(pod, !persistent) : {}) },
      })
      if (persistent && !w.readOnly) {
        await this.#expand(w, async (bytes) => {
          if (!(await driver.expands())) return
          const secrets = await secretsOf(source.nodeExpandSecretRef)
          await driver.expand({ volumeId, capability, target, bytes, secrets, ...(staged ? { staged } : {}) })
        })
      }
    } catch (cause) {
      if (cause instanceof ConfigError) throw cause
      throw new ConfigError(`rpc error from driver ${source.driver}: ${(cause as Error).message}`)
    }
    if (block) return { path: blockDevice(target) }
    const usage = async () => {
      const told = await this.#drivers.get(source.driver)?.usage(volumeId, target, staged)
      return told ?? remoteDisk(target)
    }
    const policy = about.fsGroupPolicy ?? 'ReadWriteOnceWithFSType'
    const isGroups =
      policy === 'File' || (policy === 'ReadWriteOnceWithFSType' && !!source.fsType && capability.accessMode === 'ReadWriteOnce')
    return { path: target, usage, ...(isGroups && !byDriver ? { ownership: true } : {}) }
  }

  /** Of a volume that is larger than its claim knows: somebody else has enlarged it, and what lies on it is `grown` here before the claim says so. */
  async #expand({ persistent, pod, volume, sources }: Wanted, grow: (bytes: number) => Promise<void>): Promise<void> {
    const { namespace } = pod.metadata
    const name = claimOf(pod.metadata.name, volume)!
    const claim = await sources.get('persistentvolumeclaims', namespace, name)
    const { storage } = persistent.spec.capacity
    const { capacity, conditions, allocatedResourceStatuses: told } = claim?.status ?? {}
    if (!capacity || nanoOf(capacity.storage) >= nanoOf(storage)) return
    await grow(unitsOf(storage))
    const others = (conditions ?? []).filter((c: any) => !RESIZING.has(c.type))
    const status = {
      capacity: { ...capacity, storage },
      conditions: others.length ? others : null,
      ...(told ? { allocatedResourceStatuses: { storage: null } } : {}),
    }
    const at = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}/status`
    await this.#api.call('PATCH', at, { status }, 'application/merge-patch+json')
  }

  /** What the attacher says of it, once it is attached. */
  async #attached({ source, sources }: Wanted): Promise<Record<string, string>> {
    const name = attachmentName(source.volumeHandle, source.driver, this.#node)
    const { status } = (await sources.get('volumeattachments.storage.k8s.io', '', name)) ?? {}
    if (status?.attached) return status.attachmentMetadata ?? {}
    throw new ConfigError(status?.attachError?.message ?? `volume attachment is being waited for: ${name}`)
  }

  async #secrets({ sources }: Wanted, ref: { namespace: string; name: string } | undefined): Promise<Record<string, string>> {
    if (!ref) return {}
    const found = await sources.get('secrets', ref.namespace, ref.name)
    if (!found) throw new ConfigError(`secret ${JSON.stringify(ref.name)} not found`)
    return Object.fromEntries(Object.entries<string>(found.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]))
  }

  /** Takes away what a pod has. Throws while a driver is not there: nobody else knows how. */
  async tearDown(uid: string): Promise<void> {
    for (const folder of foldersIn(podFolder(uid))) {
      const note = noteOf(folder)
      if (note) await this.#driver(note.driverName).unpublish(note.volumeHandle, path.join(folder, 'mount'))
      removeEmpty(path.join(folder, 'mount'))
      rmSync(path.join(folder, NOTE), { force: true })
      removeEmpty(folder)
      if (note?.volumeLifecycleMode === 'Persistent') await this.#unstage(note)
    }
    const own = path.join(KUBELET, 'pods', uid)
    removeEmpty(podFolder(uid), path.join(own, 'volumes'), own)
  }

  /** With the last pod that has it. */
  async #unstage(note: Note): Promise<void> {
    const at = stagingFolder(note)
    if (!existsSync(at)) return
    const isSame = (n: Note | undefined) => n?.driverName === note.driverName && n.volumeHandle === note.volumeHandle
    const pods = foldersIn(path.join(KUBELET, 'pods')).map((p) => podFolder(path.basename(p)))
    if (pods.some((p) => foldersIn(p).some((f) => isSame(noteOf(f))))) return
    await this.#driver(note.driverName).unstage(note.volumeHandle, path.join(at, 'globalmount'))
    removeEmpty(path.join(at, 'globalmount'))
    rmSync(path.join(at, NOTE), { force: true })
    removeEmpty(at)
  }
}

const podInfo = ({ metadata, spec }: any, isEphemeral: boolean) => ({
  'csi.storage.k8s.io/pod.name': metadata.name,
  'csi.storage.k8s.io/pod.namespace': metadata.namespace,
  'csi.storage.k8s.io/pod.uid': metadata.uid,
  'csi.storage.k8s.io/serviceAccount.name': spec.serviceAccountName ?? 'default',
  'csi.storage.k8s.io/ephemeral': String(isEphemeral),
})
