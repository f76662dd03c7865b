// kedge run: one pod of an image.

import { strategicPatch } from '../../shared/schema/patch.ts'
import { schemaOf } from '../../shared/schema/types.ts'
import { Failure, kubeCommand, out } from '../kube/command.ts'
import { createObject, generatorFlags } from '../kube/create-object.ts'
import { meta, pairs } from '../kube/generators.ts'
import { attachTo } from './attach.ts'

export const run = kubeCommand(
  {
    name: 'run',
    usage:
      'NAME --image=image [--env="key=value"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] -- [COMMAND] [args...] [options]',
    about: 'Create and run a particular image in a pod.',
    flags: {
      ...generatorFlags,
      annotations: { type: 'array', about: 'Annotations to apply to the pod.' },
      attach: { type: 'bool', about: 'If true, wait for the Pod to start running, and then attach to the Pod.' },
      command: {
        type: 'bool',
        about:
          "If true and extra arguments are present, use them as the 'command' field in the container, rather than the 'args' field which is the default.",
      },
      env: { type: 'array', about: 'Environment variables to set in the container.' },
      expose: { type: 'bool', about: 'If true, create a ClusterIP service associated with the pod. Requires `--port`.' },
      image: { type: 'string', about: 'The image for the container to run.' },
      'image-pull-policy': { type: 'string', about: 'The image pull policy for the container.' },
      labels: { type: 'string', short: 'l', about: 'Comma separated labels to apply to the pod.' },
      'leave-stdin-open': {
        type: 'bool',
        about: 'If the pod is started in interactive mode or with stdin, leave stdin open after the first attach completes.',
      },
      overrides: { type: 'string', about: 'An inline JSON override for the generated object.' },
      'override-type': {
        type: 'string',
        default: 'merge',
        about: 'The method used to override the generated object: json, merge, or strategic.',
      },
      'pod-running-timeout': { type: 'duration', default: '1m0s', about: 'The length of time to wait until at least one pod is running' },
      port: { type: 'string', about: 'The port that this container exposes.' },
      privileged: { type: 'bool', about: 'If true, run the container in privileged mode.' },
      quiet: { type: 'bool', short: 'q', about: 'If true, suppress prompt messages.' },
      restart: { type: 'string', default: 'Always', about: 'The restart policy for this Pod.  Legal values [Always, OnFailure, Never].' },
      rm: { type: 'bool', about: 'If true, delete the pod after it exits.' },
      stdin: { type: 'bool', short: 'i', about: 'Keep stdin open on the container in the pod, even if nothing is attached.' },
      tty: { type: 'bool', short: 't', about: 'Allocate a TTY for the container in the pod.' },
    },
  },
  async (k) => {
    const { f } = k
    const [name, ...words] = k.args
    if (!name || k.dash === 0) throw new Failure('NAME is required for run')
    if (!f.image) throw new Failure('required flag(s) "image" not set')
    if (/\s/.test(f.image)) throw new Failure(`Invalid image name ${JSON.stringify(f.image)}: invalid reference format`)
    const attach = f.attach || (f.stdin && !f['dry-run'].match(/client|server/))
    if (f.rm && !attach) throw new Failure('--rm should only be used for attached containers')
    if (f.tty && !f.stdin) throw new Failure('-i/--stdin is required for containers with -t/--tty=true')
    if (!['Always', 'OnFailure', 'Never'].includes(f.restart)) throw new Failure(`invalid restart policy: ${f.restart}`)
    const labels = f.labels ? Object.fromEntries(pairs(f.labels.split(','), 'label')) : { run: name }
    let pod: any = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: meta(name, {
        ...(f.annotations.length ? { annotations: Object.fromEntries(pairs(f.annotations, 'annotation')) } : {}),
        labels,
      }),
      spec: {
        containers: [
          {
            ...(words.length ? (f.command ? { command: words } : { args: words }) : {}),
            ...(f.env.length ? { env: pairs(f.env, 'env').map(([n, value]) => ({ name: n, ...(value ? { value } : {}) })) } : {}),
            image: f.image,
            ...(f['image-pull-policy'] ? { imagePullPolicy: f['image-pull-policy'] } : {}),
            name,
            ...(f.port ? { ports: [{ containerPort: Number(f.port) }] } : {}),
            resources: {},
            ...(f.privileged ? { securityContext: { privileged: true } } : {}),
            ...(f.stdin ? { stdin: true, ...(f['leave-stdin-open'] ? {} : { stdinOnce: true }) } : {}),
            ...(f.tty ? { tty: true } : {}),
          },
        ],
        dnsPolicy: 'ClusterFirst',
        restartPolicy: f.restart,
      },
      status: {},
    }
    if (f.overrides) {
      const patch = JSON.parse(f.overrides)
      pod = strategicPatch(schemaOf('V1Pod'), pod, patch)
    }
    if (f.quiet && attach) k.f.output = ''
    if (!attach) {
      await createObject(k, pod)
      if (f.expose) {
        if (!f.port) throw new Failure('--port must be set when exposing a service')
        await createObject(k, {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: meta(name),
          spec: { ports: [{ port: Number(f.port), protocol: 'TCP', targetPort: Number(f.port) }], selector: labels },
          status: { loadBalancer: {} },
        })
      }
      return 0
    }
    const at = `/api/v1/namespaces/${encodeURIComponent(k.namespace)}/pods`
    await k.client.post(at, { ...pod, metadata: { ...pod.metadata, namespace: k.namespace } })
    try {
      const code = await attachTo(k, name, {
        container: pod.spec.containers[0].name,
        stdin: f.stdin,
        tty: f.tty,
        quiet: f.quiet,
        timeout: f['pod-running-timeout'],
      })
      return code
    } finally {
      if (f.rm) {
        await k.client.delete(`${at}/${encodeURIComponent(name)}`, { propagationPolicy: 'Background' }).catch(() => {})
        if (!f.quiet) out(`pod ${JSON.stringify(name)} deleted\n`)
      }
    }
  },
)
