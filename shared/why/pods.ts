// Why a pod does not run, or is not ready: from its end to its beginning, the first thing that holds it back.
import { condition, isReady } from '../meta/conditions.ts'
import type { KObject } from '../meta/object.ts'
import { unscheduled } from './scheduling.ts'
import { claimFinding } from './storage.ts'
import { ago, type Finding, named, sentence, type World } from './world.ts'

type Say = (why: string, todo: string) => Finding

/** Why an image is not there, by what the registry or Docker said. */
const imageFaults: [pattern: RegExp, why: (image: string, pod: KObject, world: World) => readonly [string, string]][] = [
  [
    /InvalidImageName|invalid reference format|couldn't parse image/i,
    (image) => [`${JSON.stringify(image)} is no name of an image`, 'Correct the image in its spec'],
  ],
  [
    /ErrImageNeverPull/i,
    (image) => [
      `${image} is not on its node, and imagePullPolicy is Never`,
      'Load the image there, or let it be pulled (imagePullPolicy: IfNotPresent)',
    ],
  ],
  [
    /no matching manifest for|no match for platform/i,
    (image) => [
      `${image} is not made for the processor of its node`,
      'Build it for that architecture too, or choose nodes by kubernetes.io/arch',
    ],
  ],
  [
    /toomanyrequests|too many requests|rate limit/i,
    () => [
      'the registry gives no more images to this address for now',
      'Pull with an account (imagePullSecrets), or from a mirror (registries.yaml on the node)',
    ],
  ],
  [
    /unauthorized|no basic auth|denied|forbidden|authentication required/i,
    (image, pod, world) => {
      const missing = (pod.spec.imagePullSecrets ?? [])
        .map((s: any) => s.name)
        .filter((n: string) => world.lacks('secrets', n, pod.metadata.namespace))
      if (missing.length)
        return [
          `the registry wants credentials for ${image}, and the Secret ${missing.join(', ')} that it names is not there`,
          'Create it: kubectl create secret docker-registry',
        ]
      return [
        `the registry does not let it have ${image}, or there is no such image`,
        (pod.spec.imagePullSecrets ?? []).length
          ? 'Check the credentials in its imagePullSecrets, and the name of the image'
          : 'Give it credentials (imagePullSecrets), and check the name of the image',
      ]
    },
  ],
  [
    /manifest unknown|not found|does not exist|no such image/i,
    (image) => [`there is no image ${image}`, 'Correct its name or tag, or push it'],
  ],
  [
    /no such host|server misbehaving|Temporary failure in name resolution/i,
    (image) => [`the name of the registry of ${image} cannot be found by its node`, "Correct the registry's name, or the node's DNS"],
  ],
  [
    /x509|certificate/i,
    () => [
      "its node does not trust the registry's certificate",
      "Give the node the registry's CA (/etc/docker/certs.d), or the registry a certificate that is trusted",
    ],
  ],
  [
    /connection refused|i\/o timeout|no route to host|context deadline exceeded|EOF/i,
    () => ['the registry cannot be reached from its node', 'See that the registry runs and that nothing stands between; it is tried again'],
  ],
]

const IMAGE_REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
  'ImageInspectError',
])

function imageFinding(c: any, waiting: any, pod: KObject, world: World, say: Say): Finding {
  const told = world.events(pod, 'Failed').find((e) => /pull|image/i.test(e.message ?? '') && e.message.includes(c.image))
  const text = `${waiting.reason} ${waiting.message ?? ''} ${told?.message ?? ''}`
  const found = imageFaults.find(([pattern]) => pattern.test(text))
  if (found) {
    const [why, todo] = found[1](c.image, pod, world)
    return say(`The image of container ${c.name} cannot be had: ${why}.`, `${todo}.`)
  }
  return say(
    `The image ${c.image} of container ${c.name} cannot be had: ${sentence(told?.message ?? waiting.message ?? waiting.reason)}.`,
    'It is tried again; see that the image and its registry are there.',
  )
}

/** What a container's configuration lacks, as the kubelet says it. */
function configFinding(c: any, waiting: any, pod: KObject, world: World, say: Say): Finding {
  const message = sentence(waiting.message)
  const missing = /(secret|configmap) "([^"]+)" not found/i.exec(message)
  if (missing) {
    const kind = missing[1]!.toLowerCase() === 'secret' ? 'Secret' : 'ConfigMap'
    return say(
      `Container ${c.name} takes its environment from the ${kind} ${missing[2]}, which is not there.`,
      `Create the ${kind} ${missing[2]} in namespace ${pod.metadata.namespace}, or mark the reference optional.`,
    )
  }
  const key = /couldn't find key (\S+) in (Secret|ConfigMap) \S*?([^/\s]+)$/i.exec(message)
  if (key) {
    const has = Object.keys(
      world.get(key[2]!.toLowerCase() === 'secret' ? 'secrets' : 'configmaps', key[3], pod.metadata.namespace)?.data ?? {},
    )
    return say(
      `Container ${c.name} wants the key ${key[1]} of the ${key[2]} ${key[3]}, which has ${has.length ? `only ${has.join(', ')}` : 'no such key'}.`,
      'Add the key, or correct its name.',
    )
  }
  if (/runAsNonRoot/i.test(message))
    return say(
      `Container ${c.name} must not run as root (runAsNonRoot), and ${/non-numeric/.test(message) ? 'its image names its user by a name, which cannot be checked' : 'its image does'}.`,
      'Set securityContext.runAsUser to a number that is not 0.',
    )
  return say(`Container ${c.name} cannot be made: ${message || waiting.reason}.`, 'Correct its spec.')
}

const SIGNALS: Record<number, string> = {
  134: 'it aborted itself (SIGABRT)',
  139: 'it read or wrote memory that is not its own (SIGSEGV)',
  143: 'it was told to end (SIGTERM)',
}
const probeEvents = (pod: KObject, world: World, kind: string, container: string): KObject | undefined =>
  world
    .events(pod, 'Unhealthy')
    .find(
      (e) =>
        e.message?.startsWith(`${kind} probe`) && (!e.involvedObject.fieldPath || e.involvedObject.fieldPath.includes(`{${container}}`)),
    )
const probeText = (e: KObject): string => sentence(e.message.replace(/^\w+ probe (failed|errored): ?/i, '')) || 'it fails'

/** Why a container ended, by what is known of its last run. */
function crashFinding(c: any, status: any, pod: KObject, world: World, say: Say): Finding {
  const last = status.lastState?.terminated ?? status.state?.terminated ?? {}
  const times = `${status.restartCount ?? 0} restart${status.restartCount === 1 ? '' : 's'}`
  const logs = `kubectl logs ${pod.metadata.name} -c ${c.name}${status.lastState?.terminated ? ' --previous' : ''}${pod.metadata.namespace === 'default' ? '' : ` -n ${pod.metadata.namespace}`}`
  const limit = c.resources?.limits?.memory
  if (last.reason === 'OOMKilled')
    return say(
      `Container ${c.name} was killed for memory${limit ? `: it may have ${limit}` : ''} (${times}).`,
      `Raise its memory limit, or find what it needs so much for: ${logs} shows its last words.`,
    )
  const killed = ['Liveness', 'Startup'].map((kind) => [kind, probeEvents(pod, world, kind, c.name)] as const).find(([, e]) => e)
  if (killed && [0, 137, 143].includes(last.exitCode ?? 0)) {
    const [kind, event] = killed
    return say(
      `Container ${c.name} is killed by its ${kind.toLowerCase()} probe (${times}): ${probeText(event!)}.`,
      kind === 'Startup'
        ? 'Give it more time to start (failureThreshold × periodSeconds), or correct the probe.'
        : 'Correct what the probe asks for, or give it more time (timeoutSeconds, failureThreshold).',
    )
  }
  if (last.exitCode === 127 || /executable file not found|no such file or directory/i.test(last.message ?? ''))
    return say(`The command of container ${c.name} is not in its image (${times}).`, 'Correct command and args, or the image.')
  if (last.exitCode === 126 || /permission denied/i.test(last.message ?? ''))
    return say(
      `The command of container ${c.name} may not be executed (${times}).`,
      'Make the file executable in the image, or run as a user who may.',
    )
  if (last.exitCode === 0)
    return say(
      `Container ${c.name} ends by itself, with success, and is started again (${times}).`,
      'Have its command stay in the foreground, or run it as a Job.',
    )
  const how =
    last.exitCode === 137
      ? 'it was killed (SIGKILL)'
      : (SIGNALS[last.exitCode] ?? (last.exitCode === undefined ? 'it ended' : `it exited with ${last.exitCode}`))
  const words = last.message ? `, saying: ${sentence(last.message).slice(-200)}` : ''
  return say(`Container ${c.name} does not stay up: ${how} (${times})${words}.`, `Read what it said: ${logs}.`)
}

/** Why a pod with a node has no containers yet. */
function preparing(pod: KObject, world: World, say: Say): Finding {
  const ns = pod.metadata.namespace
  for (const v of pod.spec.volumes ?? []) {
    const needs: [resource: string, kind: string, name: string | undefined, optional: boolean][] = [
      ['secrets', 'Secret', v.secret?.secretName, !!v.secret?.optional],
      ['configmaps', 'ConfigMap', v.configMap?.name, !!v.configMap?.optional],
      ...(v.projected?.sources ?? []).flatMap((s: any) => [
        ['secrets', 'Secret', s.secret?.name, !!s.secret?.optional] as [string, string, string | undefined, boolean],
        ['configmaps', 'ConfigMap', s.configMap?.name, !!s.configMap?.optional] as [string, string, string | undefined, boolean],
      ]),
    ]
    for (const [resource, kind, name, optional] of needs)
      if (name && !optional && world.lacks(resource, name, ns))
        return say(
          `Its volume ${v.name} is made of the ${kind} ${name}, which is not there.`,
          `Create the ${kind} ${name} in namespace ${ns}, or mark it optional.`,
        )
    const claim = v.persistentVolumeClaim?.claimName && world.get('persistentvolumeclaims', v.persistentVolumeClaim.claimName, ns)
    const found = claim && claim.status?.phase !== 'Bound' ? claimFinding(claim, world) : undefined
    if (found) return say(`Its volume ${v.name} waits for its claim. ${found.why}`, found.todo)
  }
  const mount = world.events(pod, 'FailedMount', 'FailedAttachVolume')[0]
  if (mount) {
    const driver = /driver name (\S+) not found/.exec(mount.message ?? '')?.[1]
    return driver
      ? say(`Its node has no CSI driver ${driver}.`, `Run the driver's DaemonSet on ${pod.spec.nodeName}.`)
      : say(
          `A volume cannot be made ready on ${pod.spec.nodeName}: ${sentence(mount.message)}.`,
          'Correct the volume, or see that whoever serves it runs; it is tried again.',
        )
  }
  const network = world.events(pod, 'FailedCreatePodSandBox')[0]
  if (network)
    return say(
      `Its sandbox cannot be made on ${pod.spec.nodeName}: ${sentence(network.message)}.`,
      `See kedge node doctor on ${pod.spec.nodeName}.`,
    )
  const pulling = world.events(pod, 'Pulling', 'Pulled')[0]
  if (pulling?.reason === 'Pulling')
    return say(
      `An image is being pulled, for ${ago(world, pulling.lastTimestamp)}: ${sentence(pulling.message)}.`,
      'Wait; large images take their time on a thin line.',
    )
  return say(
    `Its node ${pod.spec.nodeName} has been making it ready for ${ago(world, pod.status?.startTime ?? pod.metadata.creationTimestamp)}.`,
    'Wait a moment; if it stays, see kubectl describe pod.',
  )
}

/** Why a pod is over without success. */
function failed(pod: KObject, world: World, say: Say): Finding {
  const { reason, message } = pod.status
  const preempted = condition(pod, 'DisruptionTarget')
  if (preempted?.reason === 'PreemptionByScheduler')
    return say(
      `It had to make room for a pod of higher priority: ${sentence(preempted.message)}.`,
      'Give it a higher priority (priorityClassName), or join a machine.',
    )
  switch (reason) {
    case 'Evicted':
      return say(
        `Its node sent it away: ${sentence(message)}.`,
        'Ask for what it uses (requests), limit what it stores, or free the node; whoever owns it makes another.',
      )
    case 'DeadlineExceeded':
      return say(
        `It ran longer than the ${pod.spec.activeDeadlineSeconds} s of activeDeadlineSeconds.`,
        'Give it more time, or find what it waits for.',
      )
    case 'NodeShutdown':
    case 'Terminated':
      return say('Its node was shut down.', 'Whoever owns it makes another; a bare pod has to be made anew.')
    case 'NodeAffinity':
      return say('Its node no longer has the labels that it asks for.', 'Label the node again, or make the pod anew.')
    case 'OutOfcpu':
    case 'OutOfmemory':
    case 'OutOfpods':
      return say(
        `Its node had no room for it when it came: ${sentence(message)}.`,
        'Let the scheduler place it (no nodeName), or free the node.',
      )
  }
  if (reason) return say(`It failed: ${reason}${message ? `, ${sentence(message)}` : ''}.`, 'Correct that and make it anew.')
  const bad = (pod.status.containerStatuses ?? []).find((s: any) => s.state?.terminated?.exitCode)
  const c = bad && pod.spec.containers.find((x: any) => x.name === bad.name)
  if (c) return crashFinding(c, bad, pod, world, say)
  return say('It failed.', 'See kubectl describe pod.')
}

function ending(pod: KObject, world: World, say: Say): Finding {
  const node = world.get('nodes', pod.spec.nodeName)
  if (pod.spec.nodeName && world.knows('nodes') && (!node || !isReady(node)))
    return say(
      `It is being deleted, and its node ${pod.spec.nodeName} ${node ? 'is not Ready' : 'is gone'}: nobody says that its containers have ended.`,
      `Bring the node back; if it is gone for good, kubectl delete pod ${pod.metadata.name} --force --grace-period=0.`,
    )
  const finalizers = pod.metadata.finalizers ?? []
  const until = Date.parse(pod.metadata.deletionTimestamp ?? '')
  if (until > world.now)
    return say(
      `It has been told to end and has ${Math.ceil((until - world.now) / 1000)} s left for it.`,
      'Wait, or shorten terminationGracePeriodSeconds.',
    )
  if (finalizers.length)
    return say(
      `It is being deleted and waits for ${finalizers.join(', ')}.`,
      'See that whoever put that finalizer there runs; who is sure takes it away with kubectl patch.',
    )
  const stuck = world.events(pod, 'FailedKillPod', 'FailedUnMount', 'FailedPreStopHook')[0]
  return say(
    stuck ? `It cannot be ended: ${sentence(stuck.message)}.` : `It should have ended ${ago(world, pod.metadata.deletionTimestamp)} ago.`,
    `See kedge node doctor on ${pod.spec.nodeName ?? 'its node'}; a CSI driver that is away keeps its volumes' pods.`,
  )
}

/** One container that is not as it should be; undefined where it is. */
function containerFinding(c: any, status: any, pod: KObject, world: World, say: Say): Finding | undefined {
  const waiting = status?.state?.waiting
  if (!waiting) return undefined
  if (IMAGE_REASONS.has(waiting.reason)) return imageFinding(c, waiting, pod, world, say)
  if (waiting.reason === 'CreateContainerConfigError') return configFinding(c, waiting, pod, world, say)
  if (['CreateContainerError', 'RunContainerError', 'StartError'].includes(waiting.reason)) {
    const message = sentence(waiting.message)
    if (/executable file not found|no such file or directory/i.test(message))
      return say(`The command of container ${c.name} is not in its image: ${message}.`, 'Correct command and args, or the image.')
    return say(`Container ${c.name} does not start: ${message || waiting.reason}.`, 'Correct its spec.')
  }
  if (waiting.reason === 'CrashLoopBackOff') return crashFinding(c, status, pod, world, say)
  return undefined
}

/** Undefined where a pod does what it should. */
export function podFinding(pod: KObject, world: World): Finding | undefined {
  const say: Say = (why, todo) => ({ about: named('pod', pod), why, todo })
  const { spec, status = {} } = pod
  if (pod.metadata.deletionTimestamp) return ending(pod, world, say)
  if (status.phase === 'Succeeded') return undefined
  if (status.phase === 'Failed') return failed(pod, world, say)
  if (!spec.nodeName) return unscheduled(pod, world)
  const node = world.get('nodes', spec.nodeName)
  if (world.lacks('nodes', spec.nodeName))
    return say(`Its node ${spec.nodeName} is gone.`, 'It is deleted soon, and whoever owns it makes another.')
  if (node && !isReady(node))
    return say(
      `Its node ${spec.nodeName} is not Ready: ${sentence(condition(node, 'Ready')?.message)}.`,
      `See kedge why node/${spec.nodeName}.`,
    )
  const resize = condition(pod, 'PodResizePending')
  for (const [list, statuses] of [
    ['initContainers', 'initContainerStatuses'],
    ['containers', 'containerStatuses'],
  ] as const)
    for (const c of spec[list] ?? []) {
      const s = status[statuses]?.find((x: any) => x.name === c.name)
      const found = containerFinding(c, s, pod, world, say)
      if (found) return found
      if (list !== 'initContainers' || c.restartPolicy === 'Always') continue
      if (s?.state?.running)
        return say(
          `Its init container ${c.name} has run for ${ago(world, s.state.running.startedAt)}, and the others wait for it.`,
          `See what it waits for: kubectl logs ${pod.metadata.name} -c ${c.name}.`,
        )
      if (s?.state?.terminated?.exitCode) return crashFinding(c, s, pod, world, say)
    }
  const all: any[] = status.containerStatuses ?? []
  if (!all.some((s) => s.state?.running || s.state?.terminated)) return preparing(pod, world, say)
  if (isReady(pod)) {
    if (resize)
      return say(
        `It runs, but its new resources are not granted: ${sentence(resize.message)}.`,
        'Free room on its node, or let another pod with the new size take its place.',
      )
    return undefined
  }
  for (const c of spec.containers) {
    const s = all.find((x) => x.name === c.name)
    if (!s || s.ready) continue
    if (s.state?.terminated) return crashFinding(c, s, pod, world, say)
    if (s.started === false) {
      const event = probeEvents(pod, world, 'Startup', c.name)
      return say(
        `Container ${c.name} has not started yet, as its startup probe says${event ? `: ${probeText(event)}` : ''}.`,
        'Give it time, or correct the probe.',
      )
    }
    const event = probeEvents(pod, world, 'Readiness', c.name)
    if (c.readinessProbe)
      return say(
        `Container ${c.name} runs and is not ready${event ? `: its readiness probe says ${probeText(event)}` : ': its readiness probe has not succeeded yet'}.`,
        `See what it says of itself: kubectl logs ${pod.metadata.name} -c ${c.name}; or correct the probe.`,
      )
  }
  const gate = (spec.readinessGates ?? []).find((g: any) => condition(pod, g.conditionType)?.status !== 'True')
  if (gate) return say(`Its readiness gate ${gate.conditionType} is not open.`, 'See that whoever sets that condition runs.')
  return say(`It is not ready: ${sentence(condition(pod, 'Ready')?.message)}.`, 'Wait a moment; if it stays, see kubectl describe pod.')
}
