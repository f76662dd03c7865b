// kedge debug: a container beside those of a pod, a copy of the pod that may differ, or a pod in a node's own namespaces.
import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import { strategicPatch } from '../../shared/schema/patch.ts'
import { schemaOf } from '../../shared/schema/types.ts'
import { err, Failure, type Kube, kubeCommand, out } from '../kube/command.ts'
import { UsageError } from '../kube/flags.ts'
import { pairs } from '../kube/generators.ts'
import { fileFlags, locals } from '../kube/objects.ts'
import { pathOf } from '../kube/resources.ts'
import { attachTo } from './attach.ts'

type Where = 'node' | 'copy' | 'ephemeral'

interface Profile {
  /** Of the container that looks. */
  securityContext?: object
  /** A node's pod sees the node's file system at /host … */
  hostRoot?: boolean
  /** … and shares its namespaces. */
  hostNamespaces?: boolean
}

const profiles: Record<string, Profile> = {
  legacy: { hostRoot: true, hostNamespaces: true },
  general: { securityContext: { capabilities: { add: ['SYS_PTRACE'] } }, hostRoot: true, hostNamespaces: true },
  baseline: {},
  restricted: {
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  },
  netadmin: { securityContext: { capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } }, hostNamespaces: true },
  sysadmin: { securityContext: { privileged: true }, hostRoot: true, hostNamespaces: true },
}

const suffix = () => Array.from({ length: 5 }, () => 'bcdfghjklmnpqrstvwxz2456789'[Math.floor(Math.random() * 27)]).join('')
const IMAGE =
  /^(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?$/

/** The container by the flags and the profile. */
function debugContainer(k: Kube, name: string, command: string[], where: Where, custom: object): any {
  const { f } = k
  const { securityContext } = profiles[f.profile]!
  // On a node general needs no tracing rights: it is root of the host's processes already.
  const secure = securityContext && !(where === 'node' && f.profile === 'general')
  const container = {
    name,
    ...(f.image ? { image: f.image } : {}),
    ...(f['image-pull-policy'] ? { imagePullPolicy: f['image-pull-policy'] } : {}),
    ...(f.env.length ? { env: pairs(f.env, 'env').map(([n, value]) => ({ name: n, ...(value ? { value } : {}) })) } : {}),
    ...(command.length ? { [f['arguments-only'] ? 'args' : 'command']: command } : {}),
    resources: {},
    ...(f.stdin ? { stdin: true } : {}),
    ...(f.tty ? { tty: true } : {}),
    terminationMessagePolicy: 'File',
    ...(secure ? { securityContext } : {}),
  }
  return strategicPatch(schemaOf('V1Container'), container, custom)
}

function nameFor(k: Kube, pod: any): string {
  if (k.f.container) return k.f.container
  const taken = new Set([...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])].map((c: any) => c.name))
  let name: string
  do name = `debugger-${suffix()}`
  while (taken.has(name))
  if (!k.f.quiet) out(`Defaulting debug container name to ${name}.\n`)
  return name
}

interface Made {
  pod: any
  container: string
}

async function onNode(k: Kube, node: any, command: string[], custom: object): Promise<Made> {
  const { hostRoot, hostNamespaces } = profiles[k.f.profile]!
  const name = `node-debugger-${node.metadata.name}-${suffix()}`
  const container = debugContainer(k, k.f.container || 'debugger', command, 'node', custom)
  if (!k.f.quiet) out(`Creating debugging pod ${name} with container ${container.name} on node ${node.metadata.name}.\n`)
  const spec = {
    containers: [{ ...container, ...(hostRoot ? { volumeMounts: [{ mountPath: '/host', name: 'host-root' }] } : {}) }],
    ...(hostNamespaces ? { hostIPC: true, hostNetwork: true, hostPID: true } : {}),
    nodeName: node.metadata.name,
    restartPolicy: 'Never',
    tolerations: [{ operator: 'Exists' }],
    ...(hostRoot ? { volumes: [{ hostPath: { path: '/' }, name: 'host-root' }] } : {}),
  }
  const at = `/api/v1/namespaces/${encodeURIComponent(k.namespace)}/pods`
  const pod = await k.client.post(at, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: k.namespace }, spec })
  return { pod, container: container.name }
}

/** A copy of the pod, without what would bring it traffic or end it. */
async function asCopy(k: Kube, pod: any, command: string[], custom: object): Promise<Made> {
  const { f } = k
  const images: Record<string, string> = Object.fromEntries(f['set-image'].map((p: string) => p.split(/=(.*)/s, 2)))
  const { nodeName, ephemeralContainers: _, ...spec } = structuredClone(pod.spec)
  const copy: any = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: f['copy-to'], namespace: pod.metadata.namespace, labels: pod.metadata.labels, annotations: pod.metadata.annotations },
    spec: {
      ...spec,
      ...(f['same-node'] ? { nodeName } : {}),
      ...(k.given.has('share-processes') ? { shareProcessNamespace: f['share-processes'] } : {}),
    },
  }
  for (const c of copy.spec.containers) c.image = images[c.name] ?? images['*'] ?? c.image
  const known = copy.spec.containers.findIndex((c: any) => c.name === f.container)
  let name = f.container
  if (known >= 0 || f.image || !f['set-image'].length) {
    if (known < 0 && !f.image) throw new Failure('you must specify image when creating new container')
    if (known < 0) name = nameFor(k, copy)
    const made = debugContainer(k, name, command, 'copy', custom)
    if (known < 0) copy.spec.containers.push(made)
    else {
      const { name: _n, resources: _r, terminationMessagePolicy: _t, ...changed } = made
      if (changed.command) delete copy.spec.containers[known].args
      Object.assign(copy.spec.containers[known], changed)
    }
    strip(k, copy)
  }
  if (f.replace)
    await k.client.delete(
      `/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods/${encodeURIComponent(pod.metadata.name)}`,
      {
        gracePeriodSeconds: 0,
      },
    )
  const created = await k.client.post(`/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods`, copy)
  return { pod: created, container: name || copy.spec.containers[0].name }
}

function strip(k: Kube, copy: any): void {
  const { f } = k
  if (f.profile === 'legacy') {
    delete copy.metadata.labels
    return
  }
  if (!f['keep-labels']) delete copy.metadata.labels
  if (!f['keep-annotations']) delete copy.metadata.annotations
  if (!f['keep-init-containers']) delete copy.spec.initContainers
  for (const c of copy.spec.containers)
    for (const probe of ['liveness', 'readiness', 'startup']) if (!f[`keep-${probe}`]) delete c[`${probe}Probe`]
  if (!k.given.has('share-processes')) copy.spec.shareProcessNamespace = true
}

async function inside(k: Kube, pod: any, command: string[], custom: object): Promise<Made> {
  const name = nameFor(k, pod)
  const container = {
    ...debugContainer(k, name, command, 'ephemeral', custom),
    ...(k.f.target ? { targetContainerName: k.f.target } : {}),
  }
  const at = `/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods/${encodeURIComponent(pod.metadata.name)}/ephemeralcontainers`
  const before: any[] = pod.spec.ephemeralContainers ?? []
  const patch = {
    spec: {
      ...(before.length ? { '$setElementOrder/ephemeralContainers': [...before, container].map((c) => ({ name: c.name })) } : {}),
      ephemeralContainers: [container],
    },
  }
  return { pod: await k.client.patch(at, patch, 'application/strategic-merge-patch+json'), container: name }
}

function check(k: Kube, command: string[]): void {
  const { f } = k
  for (const p of f['set-image'])
    if (!p.includes('='))
      throw new UsageError(`invalid argument ${JSON.stringify(p)} for "--set-image" flag: ${p} must be formatted as key=value`)
  if (!f['copy-to']) {
    if (!f.image) throw new Failure('you must specify --image when not using --copy-to.')
    for (const flag of ['replace', 'same-node']) if (f[flag]) throw new Failure(`--${flag} may only be used with --copy-to.`)
    if (f['set-image'].length) throw new Failure('--set-image may only be used with --copy-to.')
  } else {
    if (!f.image && !f['set-image'].length && !command.length)
      throw new Failure('you must specify --image, --set-image or command arguments.')
    if (f.target) throw new Failure('--target is incompatible with --copy-to. Use --share-processes instead.')
  }
  if (f.image && !IMAGE.test(f.image)) throw new Failure(`invalid image name ${JSON.stringify(f.image)}: invalid reference format`)
  if (!['', 'Always', 'IfNotPresent', 'Never'].includes(f['image-pull-policy']))
    throw new Failure(`invalid image pull policy: ${f['image-pull-policy']}`)
  if (f.tty && !f.stdin) throw new Failure('-i/--stdin is required for containers with -t/--tty=true')
  if (!profiles[f.profile]) throw new Failure(`unknown profile: ${f.profile}`)
}

function customOf(k: Kube): object {
  if (!k.f.custom) return {}
  const custom = parseYaml(readFileSync(k.f.custom, 'utf8')) ?? {}
  for (const field of ['name', 'command', 'image', 'lifecycle', 'volumeDevices'])
    if (custom[field] !== undefined)
      throw new Failure('name, command, image, lifecycle and volume devices are not modifiable via custom profile')
  return custom
}

async function targets(k: Kube, words: string[]): Promise<any[]> {
  if (k.f.filename.length)
    return Promise.all(
      (await locals(k.f)).map(async ({ object: o }) =>
        k.client.get(pathOf(await k.resources.find(o.kind), o.metadata.namespace ?? k.namespace, o.metadata.name)),
      ),
    )
  const found: any[] = []
  for (const w of words) {
    const [type, name] = w.includes('/') ? (w.split('/') as [string, string]) : ['pods', w]
    const resource = await k.resources.find(type)
    const object = await k.client.get(pathOf(resource, k.namespace, name))
    const { kind, group, version } = resource
    if (kind !== 'Pod' && kind !== 'Node')
      throw new Failure(`${JSON.stringify(`${group ? `${group}/` : ''}${version}, Kind=${kind}`)} not supported by debug`)
    found.push({ ...object, kind })
  }
  return found
}

export const run = kubeCommand(
  {
    name: 'debug',
    usage: '(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ] [options]',
    about: 'Debug cluster resources using interactive debugging containers.',
    examples: `
  # A shell beside the containers of a pod, with their processes in sight
  kedge debug mypod -it --image=busybox --target=app

  # A copy of the pod with another command
  kedge debug mypod -it --copy-to=my-debugger --container=mycontainer -- sh

  # A shell on a node, its file system under /host
  kedge debug node/mynode -it --image=busybox`,
    flags: {
      ...fileFlags,
      'arguments-only': {
        type: 'bool',
        about: 'If specified, everything after -- will be passed to the new container as Args instead of Command.',
      },
      attach: {
        type: 'bool',
        about:
          "If true, wait for the container to start running, and then attach as if 'kedge attach ...' were called.  Default false, unless '-i/--stdin' is set, in which case the default is true.",
      },
      container: { type: 'string', short: 'c', about: 'Container name to use for debug container.' },
      'copy-to': { type: 'string', about: 'Create a copy of the target Pod with this name.' },
      custom: {
        type: 'string',
        about: 'Path to a JSON or YAML file containing a partial container spec to customize built-in debug profiles.',
      },
      env: { type: 'array', about: 'Environment variables to set in the container.' },
      image: { type: 'string', about: 'Container image to use for debug container.' },
      'image-pull-policy': {
        type: 'string',
        about:
          'The image pull policy for the container. If left empty, this value will not be specified by the client and defaulted by the server.',
      },
      'keep-annotations': {
        type: 'bool',
        about: "If true, keep the original pod annotations.(This flag only works when used with '--copy-to')",
      },
      'keep-init-containers': {
        type: 'bool',
        default: true,
        about: "Run the init containers for the pod. Defaults to true.(This flag only works when used with '--copy-to')",
      },
      'keep-labels': { type: 'bool', about: "If true, keep the original pod labels.(This flag only works when used with '--copy-to')" },
      'keep-liveness': {
        type: 'bool',
        about: "If true, keep the original pod liveness probes.(This flag only works when used with '--copy-to')",
      },
      'keep-readiness': {
        type: 'bool',
        about: "If true, keep the original pod readiness probes.(This flag only works when used with '--copy-to')",
      },
      'keep-startup': {
        type: 'bool',
        about: "If true, keep the original startup probes.(This flag only works when used with '--copy-to')",
      },
      profile: {
        type: 'string',
        default: 'legacy',
        about: 'Options are "legacy", "general", "baseline", "netadmin", "restricted" or "sysadmin".',
      },
      quiet: { type: 'bool', short: 'q', about: 'If true, suppress informational messages.' },
      replace: { type: 'bool', about: "When used with '--copy-to', delete the original Pod." },
      'same-node': { type: 'bool', about: "When used with '--copy-to', schedule the copy of target Pod on the same node." },
      'set-image': {
        type: 'list',
        about:
          "When used with '--copy-to', a list of name=image pairs for changing container images, similar to how 'kedge set image' works.",
      },
      'share-processes': {
        type: 'bool',
        default: true,
        about: "When used with '--copy-to', enable process namespace sharing in the copy.",
      },
      stdin: { type: 'bool', short: 'i', about: 'Keep stdin open on the container(s) in the pod, even if nothing is attached.' },
      target: { type: 'string', about: 'When using an ephemeral container, target processes in this container name.' },
      tty: { type: 'bool', short: 't', about: 'Allocate a TTY for the debugging container.' },
    },
  },
  async (k) => {
    const { f } = k
    const words = k.args.slice(0, k.dash ?? k.args.length)
    const command = k.dash === undefined ? [] : k.args.slice(k.dash)
    if (f.container === undefined) f.container = ''
    check(k, command)
    const custom = customOf(k)
    if (f.target && !f.quiet)
      out(
        `Targeting container ${JSON.stringify(f.target)}. If you don't see processes from this container it may be because the container runtime doesn't support this feature.\n`,
      )
    if (f.profile === 'legacy')
      err(
        '--profile=legacy is deprecated and will be removed in the future. It is recommended to explicitly specify a profile, for example "--profile=general".\n',
      )
    const attach = k.given.has('attach') ? f.attach : f.stdin
    for (const object of await targets(k, words)) {
      const make = object.kind === 'Node' ? onNode : f['copy-to'] ? asCopy : inside
      const { pod, container } = await make(k, object, command, custom)
      if (!attach) continue
      k.namespace = pod.metadata.namespace
      await attachTo(k, pod.metadata.name, {
        container,
        stdin: f.stdin,
        tty: f.tty,
        quiet: f.quiet,
        timeout: Number.POSITIVE_INFINITY,
        started: (p) => {
          const all = [...(p.status?.containerStatuses ?? []), ...(p.status?.ephemeralContainerStatuses ?? [])]
          const { state } = all.find((s: any) => s.name === container) ?? {}
          return state?.running ? 'running' : state?.terminated ? 'ended' : undefined
        },
      })
    }
    return 0
  },
)
