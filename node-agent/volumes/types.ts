// The types of volumes that a node has, by their names in the API, each with what makes it there.
import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { LOCAL_PROVISIONER, PROVISIONED_BY } from '../../shared/meta/node-annotations.ts'
import { unitsOf } from '../../shared/meta/quantity.ts'
import { exec } from '../network/commands.ts'
import { ConfigError } from '../plan/expand.ts'
import type { Runtime } from '../runtime/docker.ts'
import type { Referenced } from '../session/objects.ts'
import { type DiskUse, fileSystem } from '../stats/machine.ts'
import { writeAtomically } from './atomic-writer.ts'
import { type ContentSources, contentFiles } from './content.ts'
import type { CsiVolumes } from './csi/volumes.ts'
import { folderSize } from './folder-size.ts'
import { mountImage } from './image-volume.ts'
import { localFolder } from './local-volumes.ts'
import { isMounted } from './mounts.ts'
import { mountNfs } from './nfs.ts'
import { remoteDisk } from './remote-disk.ts'

export interface VolumeSources extends ContentSources {
  /** An object that a volume turns out to need, held from then on; undefined where there is none. */
  get(resource: Referenced, namespace: string, name: string): Promise<any>
  /** Has an image here, and says by which name. Throws ImageError. */
  image(reference: string, policy: string | undefined): Promise<string>
}

export interface Wanted {
  pod: any
  /** The volume of the pod's spec. */
  volume: any
  /** What its type says: in the pod's volume, or in the persistent volume. */
  source: any
  persistent?: any
  /** The pod's own folder for it, which may not be there yet. */
  at: string
  readOnly: boolean
  sources: VolumeSources
  runtime: Runtime
  csi: CsiVolumes
}

export interface Made {
  path: string
  /** Whatever the pod asks for. */
  readOnly?: boolean
  /** Whether the pod's group is to have it. */
  ownership?: true
  /** What it has in use, where its file system is not asked for it: because it shares it with others, or because it may not answer. */
  usage?: () => Promise<DiskUse | undefined>
}

/** Of a folder that was made on a disk that it shares with others. */
const counted = (at: string): Pick<Made, 'usage'> => ({
  usage: async () => {
    const disk = fileSystem(at)
    return disk && { ...disk, usedBytes: await folderSize(at, false), inodesUsed: await folderSize(at, true) }
  },
})

export type SetUp = (w: Wanted) => Made | Promise<Made>

function hostPath({ source: { path: at, type } }: Wanted): Made {
  const there = existsSync(at)
  const fail = (what: string): never => {
    throw new ConfigError(`hostPath type check failed: ${at} is not ${what}`)
  }
  switch (type) {
    case 'DirectoryOrCreate':
      if (!there) mkdirSync(at, { recursive: true, mode: 0o755 })
      break
    case 'FileOrCreate':
      if (!there) writeFileSync(at, '', { mode: 0o644 })
      break
    case 'Directory':
      if (!there || !statSync(at).isDirectory()) fail('a directory')
      break
    case 'File':
      if (!there || !statSync(at).isFile()) fail('a file')
      break
    case 'Socket':
      if (!there || !statSync(at).isSocket()) fail('a socket')
      break
    case 'CharDevice':
      if (!there || !statSync(at).isCharacterDevice()) fail('a character device')
      break
    case 'BlockDevice':
      if (!there || !statSync(at).isBlockDevice()) fail('a block device')
      break
    default:
      // Docker would make a directory in its place: kubelet's runtime did too.
      if (!there) mkdirSync(at, { recursive: true })
  }
  return { path: at }
}

function local({ source, persistent }: Wanted): Made {
  const { path } = source
  if (persistent.metadata.annotations?.[PROVISIONED_BY] === LOCAL_PROVISIONER)
    return { path: localFolder(path), ownership: true, ...counted(localFolder(path)) }
  if (!existsSync(path)) throw new ConfigError(`local volume: path ${JSON.stringify(path)} does not exist`)
  return { path, ownership: true }
}

/** A device of the machine, as the driver or the owner names it. Throws ConfigError where there is none. */
export function blockDevice(at: string): string {
  if (!existsSync(at)) throw new ConfigError(`block device ${JSON.stringify(at)} does not exist`)
  if (!statSync(at).isBlockDevice()) throw new ConfigError(`${JSON.stringify(at)} is not a block device`)
  return realpathSync(at)
}
const localDevice: SetUp = ({ source }) => ({ path: blockDevice(source.path) })

async function emptyDir({ pod, source, at }: Wanted): Promise<Made> {
  const group: number | undefined = pod.spec.securityContext?.fsGroup
  const mode = group === undefined ? 0o777 : 0o2777
  const isNew = !existsSync(at)
  mkdirSync(at, { recursive: true })
  if (source.medium === 'Memory') {
    const options = [`mode=${mode.toString(8)}`, `gid=${group ?? 0}`, ...(source.sizeLimit ? [`size=${unitsOf(source.sizeLimit)}`] : [])]
    // A machine that was switched off has forgotten it.
    if (!isMounted(at)) await exec('mount', '-t', 'tmpfs', '-o', options.join(','), 'tmpfs', at)
  } else if (isNew) {
    chownSync(at, 0, group ?? 0)
    chmodSync(at, mode)
  }
  return { path: at, ...(source.medium === 'Memory' ? {} : counted(at)) }
}

/** Config maps and the like: files that change all at once. */
export async function setUpContent(pod: any, volume: any, at: string, sources: ContentSources): Promise<void> {
  writeAtomically(at, await contentFiles(volume, pod, sources), pod.spec.securityContext?.fsGroup)
}
async function content({ pod, volume, at, sources }: Wanted): Promise<Made> {
  await setUpContent(pod, volume, at, sources)
  return { path: at, ...counted(at) }
}

async function image({ source, at, sources, runtime }: Wanted): Promise<Made> {
  await mountImage(runtime, await sources.image(source.reference, source.pullPolicy), at)
  return { path: at, readOnly: true }
}

async function nfs({ source, persistent, at, readOnly }: Wanted): Promise<Made> {
  await mountNfs(source, at, persistent?.spec.mountOptions ?? [], readOnly)
  return { path: at, usage: () => remoteDisk(at) }
}

const csi: SetUp = (w) => w.csi.setUp(w)

/** What a pod's spec has. */
export const ofPod: Record<string, SetUp> = {
  hostPath,
  emptyDir,
  configMap: content,
  secret: content,
  downwardAPI: content,
  projected: content,
  image,
  nfs,
  csi,
}

/** What a persistent volume is. */
export const ofPersistentVolume: Record<string, SetUp> = { hostPath, local, nfs, csi }
/** What a persistent volume of the mode Block is. */
export const ofBlockVolume: Record<string, SetUp> = { local: localDevice, csi }
