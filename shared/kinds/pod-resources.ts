// What a pod asks for and may use at most, all containers together: thousandths of a processor, and whole units of everything else.
import { milliOf, quantityText, unitsOf } from '../meta/quantity.ts'

export type Amounts = Record<string, number>

const isCpu = (name: string): boolean => name === 'cpu' || name.endsWith('.cpu')
const isBytes = (name: string): boolean => /(^|\.|\/)(memory|storage|ephemeral-storage)$|hugepages-/.test(name)

export const amountOf = (name: string, text: string | undefined): number => (isCpu(name) ? milliOf(text) : unitsOf(text))
export const amountText = (name: string, amount: number): string =>
  quantityText(BigInt(amount) * (isCpu(name) ? 1_000_000n : 1_000_000_000n), isBytes(name))

export function amounts(list: Record<string, string> | undefined): Amounts {
  const out: Amounts = {}
  for (const k in list) out[k] = amountOf(k, list[k])
  return out
}

export function addTo(into: Amounts, from: Amounts): void {
  for (const k in from) into[k] = (into[k] ?? 0) + from[k]!
}

/** Containers and sidecars together, or what the greatest init container needs beside the sidecars before it; the overhead on top. */
export function podAmounts(spec: any, list: 'requests' | 'limits'): Amounts {
  const total: Amounts = {}
  for (const c of spec.containers ?? []) addTo(total, amounts(c.resources?.[list]))
  if (spec.initContainers?.length) {
    const sidecars: Amounts = {}
    const peak: Amounts = {}
    for (const c of spec.initContainers) {
      const own = amounts(c.resources?.[list])
      if (c.restartPolicy === 'Always') {
        addTo(total, own)
        addTo(sidecars, own)
      }
      const besides = c.restartPolicy === 'Always' ? {} : own
      for (const k of [...Object.keys(besides), ...Object.keys(sidecars)])
        peak[k] = Math.max(peak[k] ?? 0, (besides[k] ?? 0) + (sidecars[k] ?? 0))
    }
    for (const k in peak) total[k] = Math.max(total[k] ?? 0, peak[k]!)
  }
  if (spec.resources) Object.assign(total, amounts(spec.resources[list]))
  const overhead = amounts(spec.overhead)
  // A limit that is not there stays so.
  for (const k in overhead) if (list === 'requests' || total[k] !== undefined) total[k] = (total[k] ?? 0) + overhead[k]!
  return total
}
