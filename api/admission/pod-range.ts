// Pod ranges of nodes: claimed by a row in the write's own transaction, so that no two nodes ever share one, however many are made at once.
import type { KObject } from '../../shared/meta/object.ts'
import { conflict } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Admission, Request, Step } from './index.ts'

const rangesOf = (node: KObject | undefined): string[] => node?.spec?.podCIDRs ?? (node?.spec?.podCIDR ? [node.spec.podCIDR] : [])

function claim({ kind, object, old, part }: Request): Admission | undefined {
  if (kind.kind !== 'Node' || part !== 'main') return undefined
  const had = rangesOf(old)
  const ranges = rangesOf(object).filter((r) => !had.includes(r))
  if (!ranges.length) return undefined
  return {
    claims: () =>
      ranges.map((range) => ({
        sql: 'INSERT INTO allocations(kind, value, owner) VALUES (?, ?, ?)',
        args: ['pod-range', range, object.metadata.uid],
      })),
    // Whoever chose it looks again and takes the next one.
    reclaim: (index) => {
      throw conflict(subjectOf(kind, object.metadata.name), `the pod range ${ranges[index]} belongs to another node`)
    },
  }
}

export const podRange: Step = { name: 'PodRange', create: claim, update: claim }
