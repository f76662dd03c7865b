// kedge drain: no new pods on a node, and those that are there go elsewhere.

import { mergePatchOf } from '../kube/change.ts'
import { err, Failure, type Kube, kubeCommand, out, Plain } from '../kube/command.ts'
import { nodesOf, setSchedulable } from '../kube/nodes.ts'
import { dryRunOf, dryRunSuffix } from '../kube/write.ts'
import { gone } from './delete.ts'

const MIRROR = 'kubernetes.io/config.mirror'
const RETRY = 5000

interface Verdict {
  pod: any
  go: boolean
  fault?: string
  warning?: string
}

function judge(k: Kube, pod: any): Verdict {
  const { f } = k
  const owner = pod.metadata.ownerReferences?.find((r: any) => r.controller)
  const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
  if (pod.metadata.annotations?.[MIRROR]) return { pod, go: false }
  if (owner?.kind === 'DaemonSet' && !ended)
    return f['ignore-daemonsets']
      ? { pod, go: false, warning: 'ignoring DaemonSet-managed Pods' }
      : { pod, go: false, fault: 'cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)' }
  if (!ended && pod.spec.volumes?.some((v: any) => v.emptyDir) && !f['delete-emptydir-data'])
    return { pod, go: false, fault: 'cannot delete Pods with local storage (use --delete-emptydir-data to override)' }
  if (!owner && !ended)
    return f.force
      ? { pod, go: true, warning: 'deleting Pods that declare no controller' }
      : { pod, go: false, fault: 'cannot delete Pods that declare no controller (use --force to override)' }
  return { pod, go: true }
}

/** Reasons with the pods that they are about. */
const grouped = (list: Verdict[], field: 'fault' | 'warning'): string => {
  const by = new Map<string, string[]>()
  for (const v of list)
    if (v[field]) by.set(v[field]!, [...(by.get(v[field]!) ?? []), `${v.pod.metadata.namespace}/${v.pod.metadata.name}`])
  return [...by].map(([why, pods]) => `${why}: ${pods.join(', ')}`).join('; ')
}

async function evict(k: Kube, pod: any, evictions: boolean, end: number): Promise<void> {
  const at = `/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods/${encodeURIComponent(pod.metadata.name)}`
  const grace = k.f['grace-period'] >= 0 ? { gracePeriodSeconds: k.f['grace-period'] } : {}
  for (;;)
    try {
      if (evictions)
        await k.client.post(`${at}/eviction`, {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace },
          deleteOptions: grace,
        })
      else await k.client.delete(at, grace)
      return
    } catch (cause) {
      const { code, message } = cause as { code?: number; message: string }
      if (code === 404) return
      // A budget says not yet.
      if (code !== 429 || Date.now() > end)
        throw new Failure(
          `error when evicting pods/${JSON.stringify(pod.metadata.name)} -n ${JSON.stringify(pod.metadata.namespace)}: ${message}`,
        )
      err(
        `error when evicting pods/${JSON.stringify(pod.metadata.name)} -n ${JSON.stringify(pod.metadata.namespace)} (will retry after 5s): ${message}\n`,
      )
      await new Promise((r) => setTimeout(r, RETRY))
    }
}

export const run = kubeCommand(
  {
    name: 'drain',
    usage: 'NODE [options]',
    about: 'Drain node in preparation for maintenance.',
    flags: {
      'chunk-size': { type: 'int', default: 500, about: 'Return large lists in chunks rather than all at once.' },
      'delete-emptydir-data': {
        type: 'bool',
        about: 'Continue even if there are pods using emptyDir (local data that will be deleted when the node is drained).',
      },
      'disable-eviction': { type: 'bool', about: 'Force drain to use delete, even if eviction is supported.' },
      'dry-run': { type: 'string', default: 'none', alone: 'unchanged', about: 'Must be "none", "server", or "client".' },
      force: { type: 'bool', about: 'Continue even if there are pods that do not declare a controller.' },
      'grace-period': { type: 'int', default: -1, about: 'Period of time in seconds given to each pod to terminate gracefully.' },
      'ignore-daemonsets': { type: 'bool', about: 'Ignore DaemonSet-managed pods.' },
      'pod-selector': { type: 'string', about: 'Label selector to filter pods on the node' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      'skip-wait-for-delete-timeout': { type: 'int', about: 'If pod DeletionTimestamp older than N seconds, skip waiting for the pod.' },
      timeout: { type: 'duration', default: '0s', about: 'The length of time to wait before giving up, zero means infinite' },
    },
  },
  async (k) => {
    const names = await nodesOf(k)
    const pods = await k.resources.find('pods')
    // As kubectl has it: a server without budgets has nothing to ask.
    const budgets = (await k.resources.all()).some((r) => r.group === 'policy')
    const evictions = budgets && pods.subresources.includes('eviction') && !k.f['disable-eviction']
    const end = k.f.timeout ? Date.now() + k.f.timeout : Number.POSITIVE_INFINITY
    const dry = dryRunOf(k) !== 'none'
    for (const name of names) {
      const at = `/api/v1/nodes/${encodeURIComponent(name)}`
      const node = await k.client.get(at)
      const after = structuredClone(node)
      const said = setSchedulable(after, false)
      if (!dry && !said.startsWith('already')) await k.client.patch(at, mergePatchOf(node, after))
      out(`node/${name} ${said}${dryRunSuffix(k)}\n`)
    }
    for (const name of names) {
      const q = new URLSearchParams({
        fieldSelector: `spec.nodeName=${name}`,
        ...(k.f['pod-selector'] ? { labelSelector: k.f['pod-selector'] } : {}),
      })
      const verdicts: Verdict[] = (await k.client.get(`/api/v1/pods?${q}`)).items.map((p: any) => judge(k, p))
      const faults = grouped(verdicts, 'fault')
      if (faults) {
        err(`error: unable to drain node ${JSON.stringify(name)} due to error: ${faults}, continuing command...\n`)
        err(`There are pending nodes to be drained:\n ${name}\n`)
        throw new Plain(faults)
      }
      const warnings = grouped(verdicts, 'warning')
      if (warnings) err(`Warning: ${warnings}\n`)
      const leaving = verdicts.filter((v) => v.go).map((v) => v.pod)
      for (const p of leaving)
        out(`${evictions ? 'evicting' : 'deleting'} pod ${p.metadata.namespace}/${p.metadata.name}${dryRunSuffix(k)}\n`)
      if (!dry)
        await Promise.all(
          leaving.map(async (p) => {
            await evict(k, p, evictions, end)
            await gone(
              k,
              { resource: pods, name: p.metadata.name, namespace: p.metadata.namespace, uid: p.metadata.uid },
              Number.isFinite(end) ? Math.max(1, end - Date.now()) : 0,
            )
            out(`pod/${p.metadata.name} evicted\n`)
          }),
        )
      out(`node/${name} drained${dryRunSuffix(k)}\n`)
    }
    return 0
  },
)
