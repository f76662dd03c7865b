// Which pod a word means: its name, or a workload whose first running pod it is.
import { printSelector } from '../../shared/meta/selector.ts'
import { Failure, type Kube } from './command.ts'
import type { Flags } from './flags.ts'
import { fileFlags } from './objects.ts'
import { pathOf } from './resources.ts'

/** Those of exec and attach. */
export const streamFlags: Flags = {
  ...fileFlags,
  container: { type: 'string', short: 'c', about: 'Container name.' },
  'pod-running-timeout': {
    type: 'duration',
    default: '1m0s',
    about: 'The length of time to wait until at least one pod is running',
  },
  quiet: { type: 'bool', short: 'q', about: 'Only print output from the remote session' },
  stdin: { type: 'bool', short: 'i', about: 'Pass stdin to the container' },
  tty: { type: 'bool', short: 't', about: 'Stdin is a TTY' },
}

/** Running ones first, then those that are ready, then the newest. */
const better = (a: any, b: any): number => {
  const ready = (p: any) => p.status?.conditions?.some((c: any) => c.type === 'Ready' && c.status === 'True')
  const rank = (p: any) => [
    p.spec.nodeName ? 0 : 1,
    { Running: 0, Pending: 1, Unknown: 2 }[p.status?.phase as string] ?? 3,
    ready(p) ? 0 : 1,
  ]
  const [x, y] = [rank(a), rank(b)]
  for (const i of [0, 1, 2]) if (x[i] !== y[i]) return x[i]! - y[i]!
  return a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1
}

/** All pods of `TYPE/NAME`, or the pod itself. */
export async function podsOf(k: Kube, word: string): Promise<any[]> {
  const [type, name] = word.includes('/') ? (word.split('/') as [string, string]) : ['pods', word]
  const resource = await k.resources.find(type)
  const object = await k.client.get(pathOf(resource, k.namespace, name))
  if (resource.kind === 'Pod') return [object]
  const selector =
    resource.kind === 'Service' || resource.kind === 'ReplicationController' ? { matchLabels: object.spec.selector } : object.spec?.selector
  if (!selector) throw new Failure(`cannot get the logs from ${resource.group}/${resource.version}, Kind=${resource.kind}`)
  const list = await k.client.get(
    `/api/v1/namespaces/${encodeURIComponent(k.namespace)}/pods?labelSelector=${encodeURIComponent(printSelector(selector))}`,
  )
  if (!list.items.length) throw new Failure('timed out waiting for the condition')
  return list.items.map((i: any) => ({ apiVersion: 'v1', kind: 'Pod', ...i })).sort(better)
}

/** The container that is meant: named, by annotation, or the first. */
export function containerOf(pod: any, wanted: string, say: (text: string) => void = () => {}): string {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])]
  // Whether there is such a one is the server's to say.
  if (wanted) return wanted
  const annotated = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container']
  if (annotated && all.some((c) => c.name === annotated)) return annotated
  const [first] = pod.spec.containers
  if (all.length > 1)
    say(
      `Defaulted container ${JSON.stringify(first.name)} out of: ${[...pod.spec.containers.map((c: any) => c.name), ...(pod.spec.initContainers ?? []).map((c: any) => `${c.name} (init)`), ...(pod.spec.ephemeralContainers ?? []).map((c: any) => `${c.name} (ephem)`)].join(', ')}\n`,
    )
  return first.name
}
