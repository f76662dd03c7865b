// The machine goes down: its pods end in good order before it does, those that others depend on last. systemd stops this daemon before Docker and the
// network, and waits for it.
import { type ExecFileException, execFile } from 'node:child_process'
import type { Leave, Refusal } from './pods/leaving.ts'
import { isCritical } from './pressure/ranking.ts'

/** How long pods have, s: all of them together, and of it those that are critical. None where `all` is 0. */
export interface ShutdownGrace {
  all: number
  critical: number
}

interface Leaving {
  readonly pod: any
  leave(why: Leave): Promise<void>
}

const PROBLEM = 'node is shutting down'
/** Beyond their grace, for what ends a container that does not, and for telling of it; ms. */
const MARGIN = 5000

const TRIES = 5
const AGAIN = 100

/**
 * Whether systemd takes the machine down: to end, or to begin anew. Whoever asks while systemd still goes through the daemon's processes is ended with
 * them, and is sent again: the first to get an answer asked after that.
 */
export async function isMachineStopping(): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    const { state, cause } = await new Promise<{ state: string; cause: ExecFileException | null }>((resolve) =>
      execFile('systemctl', ['is-system-running'], { timeout: 5000 }, (cause, stdout) => resolve({ state: String(stdout).trim(), cause })),
    )
    if (state || cause?.code === 'ENOENT') return state === 'stopping'
    await new Promise((r) => setTimeout(r, AGAIN))
  }
  return false
}

/** Who ends when, and with how much time: everybody, then the critical. Nobody waits for an empty round. */
export function rounds<P extends { pod: any }>(pods: readonly P[], { all, critical }: ShutdownGrace): { grace: number; pods: P[] }[] {
  const last = Math.min(critical, all)
  return [
    { grace: all - last, pods: pods.filter((p) => !isCritical(p.pod)) },
    { grace: last, pods: pods.filter((p) => isCritical(p.pod)) },
  ].filter((r) => r.pods.length > 0)
}

export class NodeShutdown {
  readonly #grace: ShutdownGrace
  #begun = false

  constructor(grace: ShutdownGrace) {
    this.#grace = grace
  }

  /** What is wrong with the node. */
  get problem(): string | undefined {
    return this.#begun ? PROBLEM : undefined
  }
  refusal(): Refusal | undefined {
    return this.#begun ? { reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' } : undefined
  }

  /** From now on no pod starts here. How long the others have, s; 0 where nobody waits for them. */
  begin(): number {
    this.#begun = this.#grace.all > 0
    return this.#grace.all
  }

  /** Ends the pods; resolves when they have ended, or their time is over. */
  async end(pods: readonly Leaving[]): Promise<void> {
    for (const round of rounds(pods, this.#grace)) {
      const why = { reason: 'Terminated', message: 'Pod was terminated in response to imminent node shutdown.', grace: round.grace }
      let timer: ReturnType<typeof setTimeout> | undefined
      const over = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, round.grace * 1000 + MARGIN)
      })
      await Promise.race([over, Promise.all(round.pods.map((p) => p.leave(why)))])
      clearTimeout(timer)
    }
  }
}
