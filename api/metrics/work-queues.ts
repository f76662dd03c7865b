// The queues of controllers, with client-go's names: how much waits, for how long, and how long the work takes.
import type { Family } from '../../shared/exposition.ts'
import { Counter, Histogram } from './instruments.ts'

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60]

export class WorkQueues {
  readonly #now: () => { name: string; depth: number; active: number }[]
  readonly #adds = new Counter('workqueue_adds_total', '[ALPHA] Total number of adds handled by workqueue')
  readonly #retries = new Counter('workqueue_retries_total', '[ALPHA] Total number of retries handled by workqueue')
  readonly #waits = new Histogram(
    'workqueue_queue_duration_seconds',
    '[ALPHA] How long in seconds an item stays in workqueue before being requested.',
    SECONDS,
  )
  readonly #works = new Histogram(
    'workqueue_work_duration_seconds',
    '[ALPHA] How long in seconds processing an item from workqueue takes.',
    SECONDS,
  )

  /** `now` tells what is in them. */
  constructor(now: () => { name: string; depth: number; active: number }[]) {
    this.#now = now
  }

  wait(name: string): void {
    this.#adds.add({ name })
  }
  /** A key has come up after so many ms. */
  waited(name: string, ms: number): void {
    this.#waits.observe({ name }, ms / 1000)
  }
  worked(name: string, ms: number): void {
    this.#works.observe({ name }, ms / 1000)
  }
  again(name: string): void {
    this.#retries.add({ name })
  }

  families(): Family[] {
    const all = this.#now()
    const gauge = (name: string, help: string, value: (q: (typeof all)[number]) => number): Family => ({
      name,
      help,
      type: 'gauge',
      samples: all.map((q) => ({ labels: { name: q.name }, value: value(q) })),
    })
    return [
      gauge('workqueue_depth', '[ALPHA] Current depth of workqueue', (q) => q.depth),
      gauge('kedge_workqueue_active', 'Keys that are being worked on', (q) => q.active),
      ...this.#adds.families(),
      ...this.#retries.families(),
      ...this.#waits.families(),
      ...this.#works.families(),
    ]
  }
}
