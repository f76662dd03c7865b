// What the scheduler has done, with kube-scheduler's names: attempts, how long they take, how long pods wait for their nodes, and who waits now.
import type { Family } from '../../shared/exposition.ts'
import { Counter, Histogram } from './instruments.ts'

const ATTEMPT_SECONDS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384]
const SLI_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36, 1310.72, 2621.44, 5242.88,
]

type Result = 'scheduled' | 'unschedulable'

/** Pods without a node, by what they wait for. */
export interface Pending {
  active: number
  unschedulable: number
  gated: number
}

export class Scheduling {
  readonly #pending: () => Pending
  readonly #attempts = new Counter(
    'scheduler_schedule_attempts_total',
    "[STABLE] Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.",
  )
  readonly #durations = new Histogram(
    'scheduler_scheduling_attempt_duration_seconds',
    '[STABLE] Scheduling attempt latency in seconds (scheduling algorithm + binding)',
    ATTEMPT_SECONDS,
  )
  readonly #sli = new Histogram(
    'scheduler_pod_scheduling_sli_duration_seconds',
    '[BETA] E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.',
    SLI_SECONDS,
  )
  readonly #preemptions = new Counter('scheduler_preemption_attempts_total', '[STABLE] Total preemption attempts in the cluster till now')

  constructor(pending: () => Pending) {
    this.#pending = pending
  }

  /** A look placed, or refused, so many pods of a profile, and took so long, ms. */
  looked(profile: string, result: Result, pods: number, ms: number): void {
    if (!pods) return
    this.#attempts.add({ profile, result }, pods)
    for (let i = 0; i < pods; i++) this.#durations.observe({ profile, result }, ms / 1000)
  }
  /** A pod has its node, so many ms after it was made. */
  placed(ms: number): void {
    this.#sli.observe({}, Math.max(0, ms) / 1000)
  }
  preempted(): void {
    this.#preemptions.add({})
  }

  families(): Family[] {
    const samples = Object.entries(this.#pending()).map(([queue, value]) => ({ labels: { queue }, value: value as number }))
    const help =
      "[STABLE] Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to schedule because they are gated."
    return [
      { name: 'scheduler_pending_pods', help, type: 'gauge', samples },
      ...this.#attempts.families(),
      ...this.#durations.families(),
      ...this.#sli.families(),
      ...this.#preemptions.families(),
    ]
  }
}
