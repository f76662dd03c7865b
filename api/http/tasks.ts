// All that controllers may ask for beyond writes.
import { acmeTasks } from '../acme/tasks.ts'
import type { Cluster } from '../cluster.ts'
import { deployTasks } from '../deploy/tasks.ts'
import { apiServiceTasks } from './aggregation.ts'
import { autoscalingTasks } from './autoscaling.ts'
import type { Call } from './call.ts'
import { tokenTasks } from './token-secrets.ts'

export const engineTasks = (cluster: Cluster, call: Call) => ({
  ...apiServiceTasks(cluster),
  ...deployTasks(cluster, call),
  ...autoscalingTasks(cluster, call),
  ...tokenTasks(cluster),
  ...acmeTasks(cluster),
})
