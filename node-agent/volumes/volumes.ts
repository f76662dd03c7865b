// A pod's volumes on disk: set up before its containers start, refreshed while it runs, taken away with it. Every step may be done twice.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { claimOf } from '../../shared/kinds/pod-claims.ts'
import { ConfigError, expand } from '../plan/expand.ts'
import type { HostDevice } from '../runtime/container-options.ts'
import type { Runtime } from '../runtime/docker.ts'
import { type DiskUse, fileSystem } from '../stats/machine.ts'
import { isContentVolume } from './content.ts'
import type { CsiVolumes } from './csi/volumes.ts'
import { unmountBelow } from './mounts.ts'
import { giveToGroup } from './ownership.ts'
import { mountPart } from './sub-path.ts'
import { type Made, ofBlockVolume, ofPersistentVolume, ofPod, setUpContent, type VolumeSources, type Wanted } from './types.ts'

/** Where a volume lies on this host, and whether nobody may write to it. */
export interface VolumePlace {
  path: string
  readOnly: boolean
  block?: true
  usage?: Made['usage']
}
/** By the volume's name. */
export type VolumePlaces = ReadonlyMap<string, VolumePlace>

/** What a volume has in use, as kubelet's summary tells it. */
export interface VolumeUse extends DiskUse {
  name: string
  pvcRef?: { name: string; namespace: string }
}

export const podFolder = (data: string, uid: string): string => path.join(data, 'pods', uid)
const volumeFolder = (data: string, pod: any, name: string) => path.join(podFolder(data, pod.metadata.uid), 'volumes', name)

/** What describes a volume, besides its type. */
const ABOUT = new Set(['name', 'capacity', 'accessModes', 'claimRef', 'nodeAffinity'])
/** The type that an object has a part for. */
const typeOf = (o: any): string => Object.keys(o).find((k) => !ABOUT.has(k) && typeof o[k] === 'object' && o[k] !== null) ?? 'unknown'

export class PodVolumes {
  readonly #data: string
  readonly #runtime: Runtime
  readonly #csi: CsiVolumes
  /** Of the pods that have them. */
  readonly #places = new Map<string, VolumePlaces>()

  constructor(data: string, runtime: Runtime, csi: CsiVolumes) {
    this.#data = data
    this.#runtime = runtime
    this.#csi = csi
  }

  /** Sets up or refreshes every volume. Throws ConfigError with what is missing, and ImageError. */
  async setUp(pod: any, sources: VolumeSources): Promise<VolumePlaces> {
    const out = new Map<string, VolumePlace>()
    for (const v of pod.spec.volumes ?? []) out.set(v.name, await this.#setUpOne(pod, v, sources))
    this.#places.set(pod.metadata.uid, out)
    return out
  }

  async #setUpOne(pod: any, v: any, sources: VolumeSources): Promise<VolumePlace> {
    const claim = claimOf(pod.metadata.name, v)
    const persistent = claim === undefined ? undefined : await sources.volume(claim)
    const type = typeOf(persistent?.spec ?? v)
    const source = (persistent?.spec ?? v)[type]
    const isBlock = persistent?.spec.volumeMode === 'Block'
    const setUp = (isBlock ? ofBlockVolume : persistent ? ofPersistentVolume : ofPod)[type]
    if (!setUp) {
      const what = persistent ? `persistent volume ${persistent.metadata.name}` : `volume ${v.name}`
      throw new ConfigError(`${what}: ${isBlock ? 'block devices' : 'volumes'} of type ${type} are not supported on this node`)
    }
    const wanted: Wanted = {
      pod,
      source,
      volume: v,
      persistent,
      at: volumeFolder(this.#data, pod, v.name),
      readOnly: !!(v.persistentVolumeClaim?.readOnly || source.readOnly),
      sources,
      runtime: this.#runtime,
      csi: this.#csi,
    }
    const { path, readOnly = wanted.readOnly, ownership, usage } = await setUp(wanted)
    if (ownership) this.#give(wanted, path, readOnly)
    return { path, readOnly, ...(isBlock ? { block: true } : {}), ...(usage ? { usage } : {}) }
  }

  /** To the pod's group, once: afterwards its containers may have changed what they please. */
  #give({ at, pod }: Wanted, place: string, readOnly: boolean): void {
    const { fsGroup, fsGroupChangePolicy: policy } = pod.spec.securityContext ?? {}
    // No volume has a name with a dot.
    const given = `${at}.given`
    if (fsGroup === undefined || readOnly || existsSync(given)) return
    giveToGroup(place, fsGroup, { policy })
    mkdirSync(path.dirname(given), { recursive: true })
    writeFileSync(given, '')
  }

  /** Refreshes the volumes whose contents can change; missing objects leave what is there. */
  async refresh(pod: any, sources: VolumeSources): Promise<void> {
    for (const v of pod.spec.volumes ?? [])
      if (isContentVolume(v)) await setUpContent(pod, v, volumeFolder(this.#data, pod, v.name), sources)
  }

  /** What a container's mounts come from, in their order. Throws ConfigError for a part that leads out of its volume. */
  async mountsOf(pod: any, container: any, places: VolumePlaces, env: ReadonlyMap<string, string>): Promise<VolumePlace[]> {
    const parts = path.join(podFolder(this.#data, pod.metadata.uid), 'volume-subpaths')
    const out: VolumePlace[] = []
    for (const [i, m] of (container.volumeMounts ?? []).entries()) {
      const place = places.get(m.name)!
      if (place.block) throw new ConfigError(`volume ${m.name} has volumeMode Block, but is specified in volumeMounts`)
      const sub = m.subPathExpr ? expand(m.subPathExpr, env) : m.subPath
      const at = path.join(parts, m.name, container.name, String(i))
      if (sub) await mountPart(place.path, sub, at)
      out.push(sub ? { ...place, path: at } : place)
    }
    return out
  }

  /** The block devices among a container's volumes. Throws ConfigError for what is none. */
  devicesOf(container: any, places: VolumePlaces): HostDevice[] {
    return (container.volumeDevices ?? []).map(({ name, devicePath }: any) => {
      const { path, readOnly, block } = places.get(name)!
      if (!block) throw new ConfigError(`volume ${name} has volumeMode Filesystem, but is specified in volumeDevices`)
      return { path, at: devicePath, readOnly }
    })
  }

  /** Bytes and inodes of a pod's volumes, or of its claims alone; of the host's own folders nothing is said. */
  async usageOf(pod: any, claimsAlone = false): Promise<VolumeUse[]> {
    const out: VolumeUse[] = []
    for (const v of pod.spec.volumes ?? []) {
      const claim = claimOf(pod.metadata.name, v)
      if (claimsAlone && claim === undefined) continue
      const place = this.#places.get(pod.metadata.uid)?.get(v.name)
      if (!place || v.hostPath || place.block) continue
      const use = place.usage ? await place.usage().catch(() => undefined) : fileSystem(place.path)
      if (!use) continue
      const pvcRef = claim === undefined ? {} : { pvcRef: { name: claim, namespace: pod.metadata.namespace } }
      out.push({ name: v.name, ...use, ...pvcRef })
    }
    return out
  }

  /** Nothing of the pod stays on disk. */
  async remove(uid: string): Promise<void> {
    this.#places.delete(uid)
    await this.#csi.tearDown(uid)
    const folder = podFolder(this.#data, uid)
    if (!existsSync(folder)) return
    await unmountBelow(folder)
    rmSync(folder, { recursive: true, force: true })
  }
}
