// What one pod has been granted of what it asks for, and bringing its containers there.
import { asGranted, type Bounds, decide, type Granted, grantedOf, promised, type ResizePending, type Room } from '../plan/resize.ts'
import type { Observed, Runtime } from '../runtime/docker.ts'

export class Resizing {
  #granted: Granted
  #pending?: ResizePending
  #fault?: string

  constructor(pod: any) {
    this.#granted = grantedOf(pod)
  }

  /** Whether it waits for room. */
  get isWaiting(): boolean {
    return this.#pending?.reason === 'Deferred'
  }
  promised(pod: any): { cpu: number; memory: number } {
    return promised(pod, this.#granted)
  }
  /** The pod with what it was granted in place of what it asks for. */
  asGranted(pod: any): any {
    return asGranted(pod, this.#granted)
  }
  /** For the pod's status. */
  get state(): { granted: Granted; pending?: ResizePending; resizeFault?: string } {
    return {
      granted: this.#granted,
      ...(this.#pending ? { pending: this.#pending } : {}),
      ...(this.#fault ? { resizeFault: this.#fault } : {}),
    }
  }

  decide(pod: any, room: () => Room): void {
    const { granted, pending } = decide(pod, this.#granted, room)
    this.#granted = granted
    this.#pending = pending
  }
  /** All have what they were granted. */
  settled(): void {
    this.#fault = undefined
  }
  /** False when the runtime refused; the status then says why. */
  async apply(runtime: Runtime, o: Observed, bounds: Bounds): Promise<boolean> {
    try {
      await runtime.resize(o.id, bounds)
      this.#fault = undefined
    } catch (cause) {
      this.#fault = (cause as Error).message
    }
    return !this.#fault
  }
}
