// How much a pod may receive and send, by the annotations that kubelet knows; the CNI plugin `bandwidth` sees to it.
import { createHash } from 'node:crypto'
import { canonicalQuantity, unitsOf } from '../../shared/meta/quantity.ts'

const INGRESS = 'kubernetes.io/ingress-bandwidth'
const EGRESS = 'kubernetes.io/egress-bandwidth'
/** Bits per second, as upstream. */
const [LEAST, MOST] = [1e3, 1e15]
/** So much of a second may go at once: kubelet lets two gigabits through first, which is as good as no bound for most pods. */
const BURST_S = 0.1
/** A packet as large as drivers put them together has to fit, bits. */
const LEAST_BURST = 1_000_000

/** What the plugin is told of a pod: bits per second, and bits at once. */
export interface Shape {
  ingressRate?: number
  ingressBurst?: number
  egressRate?: number
  egressBurst?: number
}

function rateOf(annotations: Record<string, string>, name: string): number | undefined {
  const text = annotations[name]
  if (text === undefined) return undefined
  if (canonicalQuantity(text) === undefined) throw new Error(`annotation ${name}: ${JSON.stringify(text)} is no quantity`)
  const rate = unitsOf(text)
  if (rate < LEAST) throw new Error(`annotation ${name}: resource is unreasonably small (< 1kbit)`)
  if (rate > MOST) throw new Error(`annotation ${name}: resource is unreasonably large (> 1Pbit)`)
  return rate
}

const burst = (rate: number) => Math.max(LEAST_BURST, Math.round(rate * BURST_S))

/** The bounds of a pod; undefined when it has none. Throws with what is wrong with an annotation. */
export function shapeOf(annotations: Record<string, string> = {}): Shape | undefined {
  const [ingress, egress] = [rateOf(annotations, INGRESS), rateOf(annotations, EGRESS)]
  if (ingress === undefined && egress === undefined) return undefined
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: burst(ingress) }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: burst(egress) }),
  }
}

/** The device through which the plugin sends what leaves the pod of a sandbox: its name follows from the network's and the sandbox's. */
export const shaperOf = (network: string, id: string): string =>
  `bwp${createHash('sha512')
    .update(network + id)
    .digest('hex')}`.slice(0, 15)
