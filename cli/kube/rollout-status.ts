// How far a rollout is, in kubectl's words: of deployments, daemon sets and stateful sets.
import { REVISION } from '../../shared/rollout.ts'
import { Failure } from './command.ts'

/** A sentence, and whether it is over. */
interface Progress {
  text: string
  done: boolean
}

/** Throws when the deadline has passed. */
function deploymentStatus(d: any, revision: number): Progress {
  const s = d.status ?? {}
  const { name } = d.metadata
  if (revision) {
    const now = Number(d.metadata.annotations?.[REVISION] ?? 0)
    if (now !== revision) throw new Failure(`desired revision (${revision}) is different from the running revision (${now})`)
  }
  if ((d.metadata.generation ?? 0) > (s.observedGeneration ?? 0))
    return { text: 'Waiting for deployment spec update to be observed...\n', done: false }
  if (s.conditions?.some((c: any) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded'))
    throw new Failure(`deployment ${JSON.stringify(name)} exceeded its progress deadline`)
  const wanted = d.spec.replicas ?? 1
  const [updated, total, available] = [s.updatedReplicas ?? 0, s.replicas ?? 0, s.availableReplicas ?? 0]
  if (updated < wanted)
    return {
      text: `Waiting for deployment ${JSON.stringify(name)} rollout to finish: ${updated} out of ${wanted} new replicas have been updated...\n`,
      done: false,
    }
  if (total > updated)
    return {
      text: `Waiting for deployment ${JSON.stringify(name)} rollout to finish: ${total - updated} old replicas are pending termination...\n`,
      done: false,
    }
  if (available < updated)
    return {
      text: `Waiting for deployment ${JSON.stringify(name)} rollout to finish: ${available} of ${updated} updated replicas are available...\n`,
      done: false,
    }
  return { text: `deployment ${JSON.stringify(name)} successfully rolled out\n`, done: true }
}

function mustRoll(type: string | undefined): void {
  if (type !== 'RollingUpdate') throw new Failure('rollout status is only available for RollingUpdate strategy type')
}

function daemonSetStatus({ metadata, spec, status: s = {} }: any): Progress {
  mustRoll(spec.updateStrategy?.type)
  if ((metadata.generation ?? 0) > (s.observedGeneration ?? 0))
    return { text: 'Waiting for daemon set spec update to be observed...\n', done: false }
  const [wanted, updated, available] = [s.desiredNumberScheduled ?? 0, s.updatedNumberScheduled ?? 0, s.numberAvailable ?? 0]
  const waiting = `Waiting for daemon set ${JSON.stringify(metadata.name)} rollout to finish: `
  if (updated < wanted) return { text: `${waiting}${updated} out of ${wanted} new pods have been updated...\n`, done: false }
  if (available < wanted) return { text: `${waiting}${available} of ${wanted} updated pods are available...\n`, done: false }
  return { text: `daemon set ${JSON.stringify(metadata.name)} successfully rolled out\n`, done: true }
}

function statefulSetStatus({ metadata, spec, status: s = {} }: any): Progress {
  mustRoll(spec.updateStrategy?.type)
  if (!s.observedGeneration || metadata.generation > s.observedGeneration)
    return { text: 'Waiting for statefulset spec update to be observed...\n', done: false }
  const wanted = spec.replicas ?? 1
  const [ready, updated] = [s.readyReplicas ?? 0, s.updatedReplicas ?? 0]
  if (ready < wanted) return { text: `Waiting for ${wanted - ready} pods to be ready...\n`, done: false }
  const { rollingUpdate } = spec.updateStrategy
  if (rollingUpdate) {
    const due = wanted - (rollingUpdate.partition ?? 0)
    if (rollingUpdate.partition !== undefined && updated < due)
      return { text: `Waiting for partitioned roll out to finish: ${updated} out of ${due} new pods have been updated...\n`, done: false }
    return { text: `partitioned roll out complete: ${updated} new pods have been updated...\n`, done: true }
  }
  if (s.updateRevision !== s.currentRevision)
    return { text: `waiting for statefulset rolling update to complete ${updated} pods at revision ${s.updateRevision}...\n`, done: false }
  return { text: `statefulset rolling update complete ${s.currentReplicas ?? 0} pods at revision ${s.currentRevision}...\n`, done: true }
}

/** Of a workload that rolls; of a deployment, only while it is at `revision`, if that is given. */
export function rolloutStatus(o: any, kind: string, revision = 0): Progress {
  if (kind === 'DaemonSet') return daemonSetStatus(o)
  return kind === 'StatefulSet' ? statefulSetStatus(o) : deploymentStatus(o, revision)
}
