// Why something is not as it should be, in two sentences: what holds it back, and what to do. The terminal and the dashboard say the same words.
import type { KObject } from '../meta/object.ts'
import { deliveryFinding, namespaceFinding, nodeFinding, quotaFinding } from './cluster.ts'
import { ingressFinding, serviceFinding } from './network.ts'
import { podFinding } from './pods.ts'
import { claimFinding, volumeFinding } from './storage.ts'
import {
  autoscalerFinding,
  budgetFinding,
  cronJobFinding,
  daemonSetFinding,
  deploymentFinding,
  jobFinding,
  replicaSetFinding,
  statefulSetFinding,
} from './workloads.ts'
import { type Finding, World } from './world.ts'

const PODS = [
  'pods',
  'nodes',
  'events',
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'secrets',
  'configmaps',
]

interface Subject {
  find(o: KObject, world: World): Finding | undefined
  /** What is read for it. */
  needs: readonly string[]
}

/** By resource: what can be explained. */
export const subjects: Record<string, Subject> = {
  pods: { find: podFinding, needs: PODS },
  'deployments.apps': { find: deploymentFinding, needs: [...PODS, 'replicasets.apps'] },
  'replicasets.apps': { find: (o, w) => replicaSetFinding(o, w), needs: PODS },
  'statefulsets.apps': { find: statefulSetFinding, needs: PODS },
  'daemonsets.apps': { find: daemonSetFinding, needs: PODS },
  'jobs.batch': { find: jobFinding, needs: PODS },
  'cronjobs.batch': { find: cronJobFinding, needs: [...PODS, 'jobs.batch'] },
  'horizontalpodautoscalers.autoscaling': { find: autoscalerFinding, needs: [] },
  'poddisruptionbudgets.policy': { find: budgetFinding, needs: PODS },
  services: { find: serviceFinding, needs: [...PODS, 'endpointslices.discovery.k8s.io', 'networkpolicies.networking.k8s.io'] },
  'ingresses.networking.k8s.io': {
    find: ingressFinding,
    needs: [
      ...PODS,
      'services',
      'endpointslices.discovery.k8s.io',
      'networkpolicies.networking.k8s.io',
      'ingressclasses.networking.k8s.io',
    ],
  },
  persistentvolumeclaims: { find: claimFinding, needs: ['pods', 'events', 'persistentvolumes', 'storageclasses.storage.k8s.io'] },
  persistentvolumes: { find: volumeFinding, needs: [] },
  nodes: { find: nodeFinding, needs: [] },
  namespaces: { find: namespaceFinding, needs: [] },
  resourcequotas: { find: quotaFinding, needs: [] },
  'deploydeliveries.deploy.kedge.dev': { find: deliveryFinding, needs: ['deploydeliveries.deploy.kedge.dev'] },
}

/** Those that are of no namespace. */
const CLUSTER_WIDE = new Set(['nodes', 'persistentvolumes', 'storageclasses.storage.k8s.io', 'ingressclasses.networking.k8s.io'])

/**
 * Reads what is needed to explain an object, by `list` (of a namespace, or of the cluster where that is undefined; rejects where it may not be read), and says
 * what holds it back; undefined where nothing does.
 */
export async function why(
  resource: string,
  o: KObject,
  list: (resource: string, ns: string | undefined) => Promise<KObject[]>,
  now: number,
): Promise<Finding | undefined> {
  const subject = subjects[resource]
  if (!subject) throw new Error(`nothing is known of what holds back ${resource}: ask for ${Object.keys(subjects).join(', ')}`)
  const lists = new Map<string, KObject[]>()
  const needs = new Set([...subject.needs, 'events'])
  await Promise.all(
    [...needs].map(async (r) => {
      // Of pods all of a node's count: what others ask for is what is missing.
      const wide = CLUSTER_WIDE.has(r) || (r === 'pods' && needs.has('nodes')) || !o.metadata.namespace
      const found = await list(r, wide ? undefined : o.metadata.namespace).catch(() =>
        r === 'pods' ? list(r, o.metadata.namespace).catch(() => undefined) : undefined,
      )
      if (found) lists.set(r, found)
    }),
  )
  return subject.find(o, new World(lists, now))
}
