// Flows of UDP that go where nobody is any more: the kernel keeps sending what a client sends to the endpoint that it had, as long as the client goes on.
import type { Family } from '../../shared/meta/address.ts'
import type { Log } from '../log.ts'
import { exec } from './commands.ts'
import type { Elements } from './service-rules.ts'

/** What comes to this front; and of that what goes to this target, or what goes nowhere yet. */
export interface Flow {
  address?: string
  port: string
  /** As the table has it: `address . port`. */
  target?: string
}

/** Beyond this all flows of a front are forgotten, whoever they go to. */
const MOST_OF_A_FRONT = 16
const MOST = 256

/** Of keys `[address .] udp . port [. index]`: the front alone. */
function frontOf(key: string): string | undefined {
  // Nearly all of a large table is TCP: it is passed over without being taken apart.
  if (!key.includes('udp')) return undefined
  const parts = key.split(' . ')
  return parts.slice(0, parts.indexOf('udp') + 2).join(' . ')
}

/** By front: where its flows may go. */
function targetsOf(elements: Elements): Map<string, Set<string>> {
  const out = new Map<string, Set<string>>()
  for (const [map, all] of elements) {
    if (!/endpoints$|^host-.*ports$/.test(map) || map.startsWith('no-')) continue
    for (const [key, value] of all) {
      const front = frontOf(key)
      if (front) out.set(front, (out.get(front) ?? new Set()).add(value))
    }
  }
  return out
}

/** Which flows have to be forgotten when one state of the table follows the other. */
export function staleFlows(from: Elements, to: Elements): Flow[] {
  const [before, after] = [targetsOf(from), targetsOf(to)]
  const flowOf = (front: string, target?: string): Flow => {
    const parts = front.split(' . ')
    return { ...(parts.length === 3 ? { address: parts[0] } : {}), port: parts.at(-1)!, ...(target ? { target } : {}) }
  }
  const flows: Flow[] = []
  for (const [front, targets] of before) {
    const gone = [...targets].filter((t) => !after.get(front)?.has(t))
    flows.push(...(gone.length > MOST_OF_A_FRONT ? [flowOf(front)] : gone.map((t) => flowOf(front, t))))
  }
  // Who asked while nobody was there is still sent nowhere.
  for (const front of after.keys()) if (!before.has(front)) flows.push(flowOf(front))
  return flows
}

const argumentsOf = ({ address, port, target }: Flow): string[] => [
  ...(address ? ['--orig-dst', address] : []),
  '--orig-port-dst',
  port,
  ...(target ? ['--reply-src', target.split(' . ')[0]!, '--reply-port-src', target.split(' . ')[1]!] : []),
]

/** Has the kernel forget flows: what is sent next goes by the table as it is. The table does not wait for it. */
export class FlowCleaner {
  readonly #log: Log
  /** All of a family. */
  readonly #all: readonly string[]
  /** By their text: the arguments of what is still to be done. */
  #waiting = new Map<string, string[]>()
  #running = false
  #missing = false

  constructor(family: Family, log: Log) {
    this.#all = ['-D', '-f', family.toLowerCase(), '-p', 'udp']
    this.#log = log
  }

  forget(flows: Flow[]): void {
    if (this.#missing) return
    for (const args of flows.map((f) => [...this.#all, ...argumentsOf(f)])) this.#waiting.set(args.join(' '), args)
    // Of so many, all flows are forgotten at once: those that were right are found anew.
    if (this.#waiting.size > MOST) this.#waiting = new Map([['', [...this.#all]]])
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    for (let next = this.#waiting.entries().next().value; next; next = this.#waiting.entries().next().value) {
      this.#waiting.delete(next[0])
      await this.#delete(next[1])
    }
    this.#running = false
  }

  async #delete(args: string[]): Promise<void> {
    try {
      await exec('conntrack', ...args)
    } catch (cause) {
      const { message } = cause as Error
      // It fails when there was nothing to forget.
      if (/ 0 flow entries have been deleted/.test(message)) return
      if (!/ENOENT/.test(message)) return this.#log.warn('a flow could not be forgotten', { cause: message })
      this.#missing = true
      this.#waiting.clear()
      this.#log.warn('conntrack is not installed: clients of UDP services stay with endpoints that are gone')
    }
  }
}
