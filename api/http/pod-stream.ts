// What log, exec and attach share: the pod, its node and the container that is meant.
import type { KObject } from '../../shared/meta/object.ts'
import { badRequest, notFound } from '../../shared/status/index.ts'
import { decodeBody } from '../registry/codec.ts'
import { subjectOf } from '../registry/validate.ts'
import { type Asked, key } from './resource.ts'

export async function podOf(a: Asked): Promise<KObject> {
  const stored = await a.cluster.store.get(key(a))
  if (!stored) throw notFound(subjectOf(a.r.kind, a.r.name))
  return decodeBody(stored.body, stored.rv)
}

/** The named container, or the default one. Throws 400 with kube-apiserver's words. */
export function containerOf(pod: KObject, asked: string | null): string {
  const lists = [pod.spec.containers, pod.spec.initContainers, pod.spec.ephemeralContainers]
  const names: string[] = lists.flatMap((l: any[] | undefined) => (l ?? []).map((c) => c.name))
  if (asked) {
    if (!names.includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`)
    return asked
  }
  if (pod.spec.containers.length === 1) return pod.spec.containers[0].name
  const byAnnotation = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  if (byAnnotation && names.includes(byAnnotation)) return byAnnotation
  const list = (l: any[]) => `[${l.map((c) => c.name).join(' ')}]`
  const inits = pod.spec.initContainers?.length ? ` or one of the init containers: ${list(pod.spec.initContainers)}` : ''
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}, choose one of: ${list(pod.spec.containers)}${inits}`)
}

export const target = (pod: KObject, container: string) => ({
  namespace: pod.metadata.namespace!,
  pod: pod.metadata.name,
  uid: pod.metadata.uid,
  container,
})
