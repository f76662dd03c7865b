// A pod's volumes on disk: set up before its containers start, refreshed while it runs, taken away with it. Every step may be done twice.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { claimOf } from '../../shared/kinds/pod-claims.ts'
import { LOCAL_PROVISIONER, PROVISIONED_BY } from '../../shared/meta/node-annotations.ts'
import { unitsOf } from '../../shared/meta/quantity.ts'
import { exec } from '../network/commands.ts'
import { ConfigError } from '../plan/expand.ts'
import { writeAtomically } from './atomic-writer.ts'
import { type ContentSources, contentFiles, isContentVolume } from './content.ts'
import { localFolder } from './local-volumes.ts'

/** Where a volume lies on this host, by its name. */
export type VolumePaths = Map<string, string>

const isMounted = (at: string) =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((l) => l.split(' ')[1] === at)

function hostPath({ path: at, type }: { path: string; type?: string }): string {
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
  return at
}

/** Where a persistent volume lies on this host. */
function persistent({ metadata, spec }: any): string {
  if (spec.hostPath) return hostPath(spec.hostPath)
  if (spec.local && metadata.annotations?.[PROVISIONED_BY] === LOCAL_PROVISIONER) return localFolder(spec.local.path)
  if (spec.local) return hostPath({ path: spec.local.path, type: existsSync(spec.local.path) ? '' : 'Directory' })
  const source = Object.keys(spec).find(
    (k) => typeof spec[k] === 'object' && !['capacity', 'accessModes', 'claimRef', 'nodeAffinity'].includes(k),
  )
  throw new ConfigError(`persistent volume ${metadata.name}: volumes of type ${source} are not supported on this node`)
}

async function emptyDir(at: string, v: any, fsGroup: number | undefined): Promise<void> {
  mkdirSync(at, { recursive: true })
  if (v.emptyDir.medium === 'Memory' && !isMounted(at))
    await exec(
      'mount',
      '-t',
      'tmpfs',
      '-o',
      `mode=0777${v.emptyDir.sizeLimit ? `,size=${unitsOf(v.emptyDir.sizeLimit)}` : ''}`,
      'tmpfs',
      at,
    )
  if (fsGroup !== undefined) chownSync(at, 0, fsGroup)
  chmodSync(at, fsGroup !== undefined ? 0o2777 : 0o777)
}

export const podFolder = (data: string, uid: string): string => path.join(data, 'pods', uid)

/** Sets up or refreshes every volume; throws ConfigError with what is missing. */
export async function setUpVolumes(data: string, pod: any, sources: ContentSources): Promise<VolumePaths> {
  const out: VolumePaths = new Map()
  for (const v of pod.spec.volumes ?? []) {
    const at = path.join(podFolder(data, pod.metadata.uid), 'volumes', v.name)
    const claim = claimOf(pod.metadata.name, v)
    if (v.hostPath) out.set(v.name, hostPath(v.hostPath))
    else if (claim !== undefined) out.set(v.name, persistent(await sources.volume(claim)))
    else if (isContentVolume(v)) {
      writeAtomically(at, await contentFiles(v, pod, sources))
      out.set(v.name, at)
    } else if (v.emptyDir) {
      if (!existsSync(at) || v.emptyDir.medium === 'Memory') await emptyDir(at, v, pod.spec.securityContext?.fsGroup)
      out.set(v.name, at)
    } else
      throw new ConfigError(
        `volume ${v.name}: volumes of type ${Object.keys(v).filter((k) => k !== 'name')[0]} are not supported on this node`,
      )
  }
  return out
}

/** Refreshes the volumes whose contents can change; missing objects leave what is there. */
export async function refreshVolumes(data: string, pod: any, sources: ContentSources): Promise<void> {
  for (const v of pod.spec.volumes ?? [])
    if (isContentVolume(v))
      writeAtomically(path.join(podFolder(data, pod.metadata.uid), 'volumes', v.name), await contentFiles(v, pod, sources))
}

/** Nothing of the pod stays on disk. */
export async function removeVolumes(data: string, uid: string): Promise<void> {
  const folder = podFolder(data, uid)
  if (!existsSync(folder)) return
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((l) => l.split(' ')[1] ?? '')
    .filter((m) => m.startsWith(`${folder}/`))
  for (const m of mounts.reverse()) await exec('umount', m).catch(() => exec('umount', '-l', m))
  rmSync(folder, { recursive: true, force: true })
}
