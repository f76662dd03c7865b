// Pod ranges of nodes: claimed by a row in the write's own transaction, so that no two nodes ever share one, however many are made at once.
import { conflict } from '../../shared/status/index.ts'
import { subjectOf } from '../registry/validate.ts'
import type { Admission, Request, Step } from './index.ts'

function claim({ kind, object, old, part }: Request): Admission | undefined {
  if (kind.kind !== 'Node' || part !== 'main') return undefined
  const range: string | undefined = object.spec?.podCIDR
  if (!range || range === old?.spec?.podCIDR) return undefined
  return {
    claims: () => [
      { sql: 'INSERT INTO allocations(kind, value, owner) VALUES (?, ?, ?)', args: ['pod-range', range, object.metadata.uid] },
    ],
    // Whoever chose it looks again and takes the next one.
    reclaim: () => {
      throw conflict(subjectOf(kind, object.metadata.name), `the pod range ${range} belongs to another node`)
    },
  }
}

export const podRange: Step = { name: 'PodRange', create: claim, update: claim }
