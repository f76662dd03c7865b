// Why a workload has not what it should have: what its controller says, and then its worst pod.
import { condition, isReady } from '../meta/conditions.ts'
import type { KObject } from '../meta/object.ts'
import { podFinding } from './pods.ts'
import { ago, type Finding, named, sentence, type World } from './world.ts'

/** What kept a controller from making a pod, in its own words. */
function refusedPod(about: string, message: string): Finding {
  const quota = /exceeded quota: ([^,]+), requested: ([^,]+).*?limited: ([^,]+)/.exec(message)
  if (quota)
    return {
      about,
      why: `The quota ${quota[1]} is used up: another pod wants ${quota[2]}, and ${quota[3]} is the limit.`,
      todo: 'Raise the quota, ask for less, or delete what is not needed.',
    }
  const must = /failed quota: ([^:]+): must specify (.*?)(?: for:.*)?$/.exec(message)
  if (must)
    return {
      about,
      why: `The quota ${must[1]} wants its pods to say ${must[2]}.`,
      todo: 'Set requests and limits, or give the namespace a LimitRange with defaults.',
    }
  const security = /violates PodSecurity "([^"]+)": (.*)$/.exec(message)
  if (security)
    return {
      about,
      why: `The namespace allows no such pod (PodSecurity ${security[1]}): ${sentence(security[2])}.`,
      todo: "Change the pod template as it says, or the namespace's pod-security label.",
    }
  const account = /serviceaccounts? "([^"]+)" not found|service account \S*?([^/\s]+) was not found/.exec(message)
  if (account)
    return {
      about,
      why: `Its service account ${account[1] ?? account[2]} is not there.`,
      todo: `Create it: kubectl create serviceaccount ${account[1] ?? account[2]}.`,
    }
  const webhook = /admission webhook "([^"]+)" denied the request(?:: (.*))?/.exec(message)
  if (webhook)
    return {
      about,
      why: `The webhook ${webhook[1]} refuses its pods${webhook[2] ? `: ${sentence(webhook[2])}` : ''}.`,
      todo: 'Change the pod template as it wants.',
    }
  const away = /failed calling webhook "([^"]+)": (.*)$/.exec(message)
  if (away)
    return {
      about,
      why: `The webhook ${away[1]} has to agree to its pods, and cannot be asked: ${sentence(away[2])}.`,
      todo: 'Bring its server back, or set its failurePolicy to Ignore.',
    }
  const range = /(minimum|maximum) (cpu|memory) usage per (Pod|Container) is ([^,]+), but (?:limit|request) is ([^.]+)/.exec(message)
  if (range)
    return {
      about,
      why: `A LimitRange sets the ${range[1]} ${range[2]} per ${range[3]} to ${range[4]}, and its pods say ${range[5]}.`,
      todo: 'Change the resources of the pod template, or the LimitRange.',
    }
  const priority = /no PriorityClass with name (\S+) was found/.exec(message)
  if (priority) return { about, why: `There is no PriorityClass ${priority[1]}.`, todo: 'Create it, or name another.' }
  return { about, why: `No pod can be made for it: ${sentence(message)}.`, todo: 'Correct its pod template.' }
}

const failedCreate = (o: KObject, world: World): string | undefined =>
  world.events(o, 'FailedCreate')[0]?.message?.replace(/^(Error creating( job)?|create .* failed error): /, '')

/** The pod that is worst off: one with a finding, those longest there first. */
function worst(pods: readonly KObject[], world: World): Finding | undefined {
  const oldest = pods.toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))
  for (const p of oldest.filter((x) => !x.metadata.deletionTimestamp)) {
    const found = podFinding(p, world)
    if (found) return found
  }
  return undefined
}

/** Of the owner, what one of its pods is held back by. */
const through = (about: string, many: string, pod: Finding): Finding => ({
  about,
  why: `${many} ${pod.about.replace('/', ' ')}: ${pod.why[0]!.toLowerCase()}${pod.why.slice(1)}`,
  todo: pod.todo,
})

const lacking = (ready: number | undefined, wanted: number): string => `${wanted - (ready ?? 0)} of ${wanted} pods are not ready, as`

export function replicaSetFinding(set: KObject, world: World, about = named('replicaset', set), count = true): Finding | undefined {
  const wanted: number = set.spec.replicas ?? 1
  const pods = world.owned('pods', set).filter((p) => !p.metadata.deletionTimestamp)
  const said = condition(set, 'ReplicaFailure')
  const refused = said?.status === 'True' ? said.message : pods.length < wanted ? failedCreate(set, world) : undefined
  if (refused) return refusedPod(about, refused)
  if ((set.status?.readyReplicas ?? 0) >= wanted) return undefined
  const found = worst(pods, world)
  return found && (count ? through(about, lacking(set.status?.readyReplicas, wanted), found) : found)
}

export function deploymentFinding(d: KObject, world: World): Finding | undefined {
  const about = named('deployment', d)
  const wanted: number = d.spec.replicas ?? 1
  const s = d.status ?? {}
  if (d.spec.paused && (s.updatedReplicas ?? 0) < wanted)
    return {
      about,
      why: 'Its rollout is paused, so what has changed is not brought about.',
      todo: `Let it go on: kubectl rollout resume deployment/${d.metadata.name}.`,
    }
  if (!wanted) return { about, why: 'It is scaled to none.', todo: `Scale it: kubectl scale deployment/${d.metadata.name} --replicas=1.` }
  if ((s.updatedReplicas ?? 0) >= wanted && (s.availableReplicas ?? 0) >= wanted && (s.replicas ?? 0) <= wanted) return undefined
  const revision = (o: KObject) => Number(o.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0)
  const sets = world.owned('replicasets.apps', d).toSorted((a, b) => revision(b) - revision(a))
  const [newest] = sets
  const found = newest && replicaSetFinding(newest, world, about, false)
  if (found)
    return found.about === about ? found : through(about, lacking(newest.status?.readyReplicas, newest.spec.replicas ?? wanted), found)
  const older = sets
    .slice(1)
    .map((set) => worst(world.owned('pods', set), world))
    .find(Boolean)
  if (older) return through(about, 'A pod of an earlier revision holds it up,', older)
  const leaving = sets
    .slice(1)
    .flatMap((set) => world.owned('pods', set))
    .find((p) => p.metadata.deletionTimestamp)
  if (leaving)
    return {
      about,
      why: `It waits for ${leaving.metadata.name} of an earlier revision to end.`,
      todo: podFinding(leaving, world)?.todo ?? 'Wait.',
    }
  if (s.observedGeneration !== undefined && d.metadata.generation !== undefined && s.observedGeneration < d.metadata.generation)
    return { about, why: 'What has changed has not been looked at yet.', todo: 'Wait a moment.' }
  return {
    about,
    why: `Its rollout goes on: ${s.updatedReplicas ?? 0} of ${wanted} pods are new, ${s.availableReplicas ?? 0} are available.`,
    todo: d.spec.minReadySeconds ? `Wait; a pod counts once it has been ready for ${d.spec.minReadySeconds} s.` : 'Wait.',
  }
}

export function statefulSetFinding(set: KObject, world: World): Finding | undefined {
  const about = named('statefulset', set)
  const wanted: number = set.spec.replicas ?? 1
  const s = set.status ?? {}
  if (!wanted)
    return { about, why: 'It is scaled to none.', todo: `Scale it: kubectl scale statefulset/${set.metadata.name} --replicas=1.` }
  const ordinal = (p: KObject) => Number(/-(\d+)$/.exec(p.metadata.name!)?.[1] ?? 0)
  const pods = world.owned('pods', set).toSorted((a, b) => ordinal(a) - ordinal(b))
  const bad = pods.map((p) => podFinding(p, world)).find(Boolean)
  if (bad && (s.readyReplicas ?? 0) < wanted)
    return through(
      about,
      set.spec.podManagementPolicy === 'Parallel' ? lacking(s.readyReplicas, wanted) : 'It makes one pod after the other, and waits for',
      bad,
    )
  const refused = pods.length < wanted ? failedCreate(set, world) : undefined
  if (refused) return refusedPod(about, refused)
  const isOld = s.updateRevision && s.currentRevision !== s.updateRevision && (s.updatedReplicas ?? 0) < wanted
  if (isOld && set.spec.updateStrategy?.type === 'OnDelete')
    return {
      about,
      why: `Its update waits for somebody to delete its pods: ${wanted - (s.updatedReplicas ?? 0)} of ${wanted} are as before.`,
      todo: 'Delete them one by one, or set updateStrategy to RollingUpdate.',
    }
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition
  if (isOld && partition)
    return {
      about,
      why: `Its update stops at its partition: pods below ${partition} stay as before.`,
      todo: 'Lower spec.updateStrategy.rollingUpdate.partition to go on.',
    }
  if ((s.readyReplicas ?? 0) >= wanted && !isOld) return undefined
  return { about, why: `${s.readyReplicas ?? 0} of ${wanted} pods are ready, and it goes on.`, todo: 'Wait.' }
}

export function daemonSetFinding(set: KObject, world: World): Finding | undefined {
  const about = named('daemonset', set)
  const s = set.status ?? {}
  const wanted: number = s.desiredNumberScheduled ?? 0
  if (!wanted) {
    const labels = Object.entries(set.spec.template?.spec?.nodeSelector ?? {}).map(([k, v]) => `${k}=${v}`)
    return {
      about,
      why: labels.length ? `No node has the label ${labels.join(',')} that it asks for.` : 'No node is one that it runs on.',
      todo: labels.length ? `Label the nodes: kubectl label node NODE ${labels.join(' ')}.` : 'See its node affinity and tolerations.',
    }
  }
  const found = worst(world.owned('pods', set), world)
  if (found && (s.numberReady ?? 0) < wanted) return through(about, lacking(s.numberReady, wanted), found)
  const refused = (s.currentNumberScheduled ?? 0) < wanted ? failedCreate(set, world) : undefined
  if (refused) return refusedPod(about, refused)
  if ((s.numberReady ?? 0) >= wanted && (s.updatedNumberScheduled ?? wanted) >= wanted) return undefined
  if (set.spec.updateStrategy?.type === 'OnDelete')
    return {
      about,
      why: 'Its update waits for somebody to delete its pods.',
      todo: 'Delete them one by one, or set updateStrategy to RollingUpdate.',
    }
  return { about, why: `${s.updatedNumberScheduled ?? 0} of ${wanted} pods are new, and it goes on.`, todo: 'Wait.' }
}

export function jobFinding(job: KObject, world: World): Finding | undefined {
  const about = named('job', job)
  if (condition(job, 'Complete')?.status === 'True') return undefined
  const failed = condition(job, 'Failed') ?? condition(job, 'FailureTarget')
  const pods = world.owned('pods', job)
  if (failed?.status === 'True') {
    const last = pods
      .filter((p) => p.status?.phase === 'Failed')
      .map((p) => podFinding(p, world))
      .find(Boolean)
    const why =
      failed.reason === 'BackoffLimitExceeded'
        ? `It was given up after ${(job.spec.backoffLimit ?? 6) + 1} attempts`
        : failed.reason === 'DeadlineExceeded'
          ? `It took longer than the ${job.spec.activeDeadlineSeconds} s that it has`
          : `It failed: ${sentence(failed.message) || failed.reason}`
    return last
      ? { about, why: `${why}; ${last.about.replace('/', ' ')}: ${last.why[0]!.toLowerCase()}${last.why.slice(1)}`, todo: last.todo }
      : { about, why: `${why}.`, todo: 'See what its pods said (kubectl logs job/NAME), and create it anew.' }
  }
  if (job.spec.suspend)
    return { about, why: 'It is suspended.', todo: `Let it run: kubectl patch job ${job.metadata.name} -p '{"spec":{"suspend":false}}'.` }
  const refused = !pods.some((p) => !p.metadata.deletionTimestamp) ? failedCreate(job, world) : undefined
  if (refused) return refusedPod(about, refused)
  const found = worst(
    pods.filter((p) => p.status?.phase !== 'Failed'),
    world,
  )
  if (found) return through(about, 'It waits for', found)
  const s = job.status ?? {}
  return {
    about,
    why: `It runs: ${s.succeeded ?? 0} of ${job.spec.completions ?? 1} are done, ${s.active ?? 0} at work${s.failed ? `, ${s.failed} failed` : ''}.`,
    todo: 'Wait.',
  }
}

export function cronJobFinding(cron: KObject, world: World): Finding | undefined {
  const about = named('cronjob', cron)
  if (cron.spec.suspend)
    return {
      about,
      why: 'It is suspended.',
      todo: `Let it run: kubectl patch cronjob ${cron.metadata.name} -p '{"spec":{"suspend":false}}'.`,
    }
  const missed = world.events(cron, 'TooManyMissedTimes', 'MissSchedule')[0]
  if (missed)
    return {
      about,
      why: `It missed its times: ${sentence(missed.message)}.`,
      todo: 'Set startingDeadlineSeconds, or correct its schedule.',
    }
  const jobs = world.owned('jobs.batch', cron)
  const active = jobs.find((j) => !j.status?.completionTime && condition(j, 'Failed')?.status !== 'True')
  if (active && cron.spec.concurrencyPolicy === 'Forbid') {
    const found = jobFinding(active, world)
    return {
      about,
      why: `Its job ${active.metadata.name} has not ended, for ${ago(world, active.status?.startTime ?? active.metadata.creationTimestamp)}, and no other may run beside it${found ? `: ${found.why[0]!.toLowerCase()}${found.why.slice(1, -1)}` : ''}.`,
      todo: found?.todo ?? 'Wait for it, delete it, or set activeDeadlineSeconds.',
    }
  }
  const newest = jobs.toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1))[0]
  const found = newest && condition(newest, 'Failed')?.status === 'True' ? jobFinding(newest, world) : undefined
  return (
    found && { ...found, about, why: `Its last job ${newest!.metadata.name} failed: ${found.why[0]!.toLowerCase()}${found.why.slice(1)}` }
  )
}

export function autoscalerFinding(h: KObject): Finding | undefined {
  const about = named('horizontalpodautoscaler', h)
  const able = condition(h, 'AbleToScale')
  const { kind, name } = h.spec.scaleTargetRef ?? {}
  if (able?.status === 'False')
    return {
      about,
      why:
        able.reason === 'FailedGetScale'
          ? `What it is to scale, ${kind} ${name}, is not there or has no scale.`
          : `It cannot scale: ${sentence(able.message)}.`,
      todo: 'Correct spec.scaleTargetRef.',
    }
  const active = condition(h, 'ScalingActive')
  if (active?.status === 'False') {
    const missing = /missing request for (\S+)/.exec(active.message ?? '')?.[1]
    if (missing)
      return {
        about,
        why: `It goes by a share of the ${missing} that pods ask for, and they ask for none.`,
        todo: `Set resources.requests.${missing} in the pod template.`,
      }
    if (active.reason === 'ScalingDisabled')
      return { about, why: `${kind} ${name} is scaled to none, which it leaves alone.`, todo: 'Scale it to one by hand.' }
    return {
      about,
      why: `It has nothing to go by: ${sentence(active.message)}.`,
      todo: 'See that its pods run and their metrics are there (kubectl top pod).',
    }
  }
  const limited = condition(h, 'ScalingLimited')
  if (limited?.status === 'True' && limited.reason === 'TooManyReplicas')
    return {
      about,
      why: `It would like more than the ${h.spec.maxReplicas} replicas that it may have.`,
      todo: 'Raise maxReplicas, or see why there is so much to do.',
    }
  return undefined
}

export function budgetFinding(b: KObject, world: World): Finding | undefined {
  const about = named('poddisruptionbudget', b)
  const s = b.status ?? {}
  if (s.disruptionsAllowed > 0) return undefined
  const found = worst(
    world.selected(b.metadata.namespace, b.spec.selector).filter((p) => !isReady(p)),
    world,
  )
  if (found)
    return through(
      about,
      `It lets no pod go: ${s.currentHealthy ?? 0} of the ${s.desiredHealthy ?? 0} that have to be healthy are, as`,
      found,
    )
  if (!s.expectedPods) return { about, why: 'It means no pod.', todo: 'Correct its selector.' }
  return {
    about,
    why: `It lets no pod go: all ${s.desiredHealthy} of ${s.expectedPods} have to stay.`,
    todo: 'Run one more replica, or allow one to be missing (maxUnavailable: 1).',
  }
}
