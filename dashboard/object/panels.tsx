// What is shown of a kind besides what all objects have: a panel on its first view, and views of its own.
import type { ComponentType } from 'preact'
import { lazy } from '../parts/lazy.tsx'
import { may } from '../rights.ts'
import { BindingPanel, ConfigPanel, CustomKindPanel, RolePanel, SecretPanel } from './config.tsx'
import { DeliveryPanel, HookPanel } from './hook.tsx'
import { NodePanel } from './node.tsx'
import { PodPanel } from './pod.tsx'
import { Rollout } from './rollout.tsx'
import { IngressPanel, PolicyPanel, ServicePanel } from './service.tsx'
import { ClaimPanel } from './storage.tsx'
import { CronJobPanel, WorkloadPanel } from './workload.tsx'

type Part = ComponentType<{ object: any }>

interface Tab {
  name: string
  part: Part
  allowed?(o: any): boolean
}

const Logs = lazy<{ object: any }>(async () => (await import('./pod-logs.tsx')).PodLogs)
const Shell = lazy<{ object: any }>(async () => (await import('./shell.tsx')).PodShell)

const onPod = (verb: string, subresource: string) => (o: any) =>
  may({ verb, resource: 'pods', subresource, namespace: o.metadata.namespace, name: o.metadata.name })
const rollout: Tab = { name: 'Rollout', part: Rollout }

export const panels: Record<string, { panel?: Part; tabs?: Tab[] }> = {
  pods: {
    panel: PodPanel,
    tabs: [
      { name: 'Logs', part: Logs, allowed: onPod('get', 'log') },
      { name: 'Shell', part: Shell, allowed: (o) => onPod('create', 'exec')(o) || onPod('get', 'exec')(o) },
    ],
  },
  'deployments.apps': { panel: WorkloadPanel, tabs: [rollout] },
  'statefulsets.apps': { panel: WorkloadPanel, tabs: [rollout] },
  'daemonsets.apps': { panel: WorkloadPanel, tabs: [rollout] },
  'replicasets.apps': { panel: WorkloadPanel },
  'jobs.batch': { panel: WorkloadPanel },
  'cronjobs.batch': { panel: CronJobPanel },
  services: { panel: ServicePanel },
  'ingresses.networking.k8s.io': { panel: IngressPanel },
  'networkpolicies.networking.k8s.io': { panel: PolicyPanel },
  nodes: { panel: NodePanel },
  persistentvolumeclaims: { panel: ClaimPanel },
  configmaps: { panel: ConfigPanel },
  secrets: { panel: SecretPanel },
  'roles.rbac.authorization.k8s.io': { panel: RolePanel },
  'clusterroles.rbac.authorization.k8s.io': { panel: RolePanel },
  'rolebindings.rbac.authorization.k8s.io': { panel: BindingPanel },
  'clusterrolebindings.rbac.authorization.k8s.io': { panel: BindingPanel },
  'deployhooks.deploy.kedge.dev': { panel: HookPanel },
  'deploydeliveries.deploy.kedge.dev': { panel: DeliveryPanel },
  'customresourcedefinitions.apiextensions.k8s.io': { panel: CustomKindPanel },
}
