// What configMap, secret, downwardAPI and projected volumes hold: paths and contents. Reads objects through the daemon's references.
import { referencesOf } from '../../shared/kinds/pod-references.ts'
import { ConfigError } from '../plan/expand.ts'
import { type PodAddresses, podField, resourceField } from '../plan/fields.ts'
import type { VolumeFile } from './atomic-writer.ts'
import { commonUser } from './ownership.ts'

export interface ContentSources {
  object(resource: 'secrets' | 'configmaps', name: string): Promise<any>
  /** The volume of a claim in the pod's namespace. Throws ConfigError where there is none. */
  volume(claim: string): Promise<any>
  /** A service-account token for an audience, renewed before it ends. */
  token(audience: string | undefined, seconds: number): Promise<string>
  addresses: PodAddresses
  node: { cpu: string; memory: string }
}

/** An object's keys as bytes. */
export function dataOf(resource: 'secrets' | 'configmaps', o: any): Map<string, Buffer> {
  const out = new Map<string, Buffer>()
  for (const [k, v] of Object.entries<string>(o.data ?? {})) out.set(k, resource === 'secrets' ? Buffer.from(v, 'base64') : Buffer.from(v))
  for (const [k, v] of Object.entries<string>(o.binaryData ?? {})) out.set(k, Buffer.from(v, 'base64'))
  return out
}

async function objectFiles(
  resource: 'secrets' | 'configmaps',
  source: any,
  name: string,
  mode: number,
  sources: ContentSources,
  into: Map<string, VolumeFile>,
) {
  const kind = resource === 'secrets' ? 'secret' : 'configmap'
  const o = await sources.object(resource, name)
  if (!o) {
    if (source.optional) return
    throw new ConfigError(`${kind} ${JSON.stringify(name)} not found`)
  }
  const data = dataOf(resource, o)
  if (!source.items?.length) for (const [k, content] of data) into.set(k, { content, mode })
  for (const item of source.items ?? []) {
    const content = data.get(item.key)
    if (content) into.set(item.path, { content, mode: item.mode ?? mode })
    else if (!source.optional) throw new ConfigError(`references non-existent ${kind} key: ${item.key}`)
  }
}

function downwardFiles(source: any, pod: any, mode: number, sources: ContentSources, into: Map<string, VolumeFile>) {
  for (const item of source.items ?? []) {
    const container =
      item.resourceFieldRef &&
      [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((c: any) => c.name === item.resourceFieldRef.containerName)
    const text = item.fieldRef
      ? podField(pod, item.fieldRef.fieldPath, sources.addresses)
      : resourceField(container ?? {}, item.resourceFieldRef, sources.node)
    into.set(item.path, { content: Buffer.from(text), mode: item.mode ?? mode })
  }
}

export const isContentVolume = (v: any): boolean => !!(v.configMap || v.secret || v.downwardAPI || v.projected)

/** The files of one such volume. Throws ConfigError while something that it needs is missing. */
export async function contentFiles(volume: any, pod: any, sources: ContentSources): Promise<Map<string, VolumeFile>> {
  const out = new Map<string, VolumeFile>()
  if (volume.configMap)
    await objectFiles('configmaps', volume.configMap, volume.configMap.name, volume.configMap.defaultMode ?? 0o644, sources, out)
  if (volume.secret) await objectFiles('secrets', volume.secret, volume.secret.secretName, volume.secret.defaultMode ?? 0o644, sources, out)
  if (volume.downwardAPI) downwardFiles(volume.downwardAPI, pod, volume.downwardAPI.defaultMode ?? 0o644, sources, out)
  const mode = volume.projected?.defaultMode ?? 0o644
  for (const s of volume.projected?.sources ?? []) {
    if (s.configMap) await objectFiles('configmaps', s.configMap, s.configMap.name, mode, sources, out)
    if (s.secret) await objectFiles('secrets', s.secret, s.secret.name, mode, sources, out)
    if (s.downwardAPI) downwardFiles(s.downwardAPI, pod, mode, sources, out)
    if (s.serviceAccountToken) {
      const uid = commonUser(pod)
      // Whose processes they are is known: nobody else needs to read it.
      const isPrivate = uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined
      out.set(s.serviceAccountToken.path, {
        content: Buffer.from(await sources.token(s.serviceAccountToken.audience, s.serviceAccountToken.expirationSeconds ?? 3600)),
        mode: isPrivate ? 0o600 : mode,
        ...(uid === undefined ? {} : { uid }),
      })
    }
  }
  return out
}

export const RUNTIME_CLASSES = 'runtimeclasses.node.k8s.io'

/** Which secrets, config maps and claims a pod refers to, as `resource/namespace/name`. */
export function referencedBy(pod: any): Set<string> {
  const { secrets, configmaps, persistentvolumeclaims } = referencesOf(pod.spec, pod.metadata.name)
  const ofNamespace = Object.entries({ secrets, configmaps, persistentvolumeclaims }).flatMap(([resource, names]) =>
    [...names].map((name) => `${resource}/${pod.metadata.namespace}/${name}`),
  )
  return new Set([...ofNamespace, ...(pod.spec.runtimeClassName ? [`${RUNTIME_CLASSES}//${pod.spec.runtimeClassName}`] : [])])
}
