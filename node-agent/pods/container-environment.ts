// What a container's configuration is made of before Docker hears of it: the environment from all its sources, and whether its user is allowed.
import { ConfigError, environment, serviceVariables } from '../plan/expand.ts'
import { type PodAddresses, podField, resourceField } from '../plan/fields.ts'
import type { Runtime } from '../runtime/docker.ts'
import { dataOf } from '../volumes/content.ts'

export interface EnvironmentSources {
  object(resource: 'secrets' | 'configmaps', namespace: string, name: string): Promise<any>
  /** Services of a namespace, and `kubernetes`. */
  services(namespace: string): any[]
  addresses: PodAddresses
  /** The machine's size, for limits that a container does not set. */
  node: { cpu: string; memory: string }
}

/** Variables in their final form. Throws ConfigError when something they refer to is missing. */
export async function containerEnvironment(pod: any, container: any, sources: EnvironmentSources): Promise<Map<string, string>> {
  const { namespace } = pod.metadata
  const names = { configmaps: new Set<string>(), secrets: new Set<string>() }
  for (const e of container.env ?? []) {
    if (e.valueFrom?.configMapKeyRef) names.configmaps.add(e.valueFrom.configMapKeyRef.name)
    if (e.valueFrom?.secretKeyRef) names.secrets.add(e.valueFrom.secretKeyRef.name)
  }
  for (const e of container.envFrom ?? []) {
    if (e.configMapRef) names.configmaps.add(e.configMapRef.name)
    if (e.secretRef) names.secrets.add(e.secretRef.name)
  }
  const read = async (resource: 'configmaps' | 'secrets') => {
    const out = new Map<string, Record<string, string>>()
    for (const n of names[resource]) {
      const o = await sources.object(resource, namespace, n)
      if (o) out.set(n, Object.fromEntries([...dataOf(resource, o)].map(([k, v]) => [k, v.toString()])))
    }
    return out
  }
  const [configMaps, secrets] = [await read('configmaps'), await read('secrets')]
  const all = pod.spec.enableServiceLinks !== false
  const services = serviceVariables(
    sources.services(namespace).filter((s) => all || (s.metadata.namespace === 'default' && s.metadata.name === 'kubernetes')),
  )
  return environment(container, services, {
    configMap: (n) => configMaps.get(n),
    secret: (n) => secrets.get(n),
    field: (p) => podField(pod, p, sources.addresses),
    resource: (ref) => {
      const of = ref.containerName
        ? [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((x: any) => x.name === ref.containerName)
        : container
      return resourceField(of ?? container, ref, sources.node)
    },
  })
}

/** Throws ConfigError when a container that must not run as root would, or might. The image is here by that name. */
export async function checkUser(runtime: Runtime, pod: any, container: any, image: string): Promise<void> {
  const s = { ...pod.spec.securityContext, ...container.securityContext }
  if (!s.runAsNonRoot) return
  if (s.runAsUser === 0) throw new ConfigError("container's runAsUser breaks non-root policy")
  if (s.runAsUser) return
  const user = ((await runtime.docker.getImage(image).inspect()).Config?.User ?? '').split(':')[0]!
  const { name, namespace, uid } = pod.metadata
  if (user === '' || user === '0' || user === 'root')
    throw new ConfigError(
      `container has runAsNonRoot and image will run as root (pod: "${name}_${namespace}(${uid})", container: ${container.name})`,
    )
  if (!/^\d+$/.test(user))
    throw new ConfigError(`container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root`)
}
