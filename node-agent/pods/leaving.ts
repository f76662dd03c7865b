// Why a pod may not be on this node: said by a machine that runs short or goes down, and written down by the pod's worker.

/** Of a pod that may not start here: what its status and an event say. */
export interface Refusal {
  reason: string
  message: string
}

/** Of one that has to go before its time; its containers have no more than `grace` to end, s. */
export interface Leave extends Refusal {
  grace: number
}

/** The reason of a node that is short of something. */
export const EVICTED = 'Evicted'
