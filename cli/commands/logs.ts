// kedge logs: of a pod, a workload or a selection, with prefixes, since, tail and following.
import { err, Failure, kubeCommand, out } from '../kube/command.ts'
import { containerOf, podsOf } from '../kube/pods.ts'

export const run = kubeCommand(
  {
    name: 'logs',
    usage: '[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER] [options]',
    about: 'Print the logs for a container in a pod or specified resource.',
    flags: {
      'all-containers': { type: 'bool', about: "Get all containers' logs in the pod(s)." },
      'all-pods': { type: 'bool', about: 'Get logs from all pod(s). Sets prefix to true.' },
      container: { type: 'string', short: 'c', about: 'Print the logs of this container' },
      follow: { type: 'bool', short: 'f', about: 'Specify if the logs should be streamed.' },
      'ignore-errors': { type: 'bool', about: 'If watching / following pod logs, allow for any errors that occur to be non-fatal' },
      'insecure-skip-tls-verify-backend': {
        type: 'bool',
        about: 'Skip verifying the identity of the kubelet that logs are requested from.',
      },
      'limit-bytes': { type: 'int', about: 'Maximum bytes of logs to return. Defaults to no limit.' },
      'max-log-requests': {
        type: 'int',
        default: 5,
        about: 'Specify maximum number of concurrent logs to follow when using by a selector. Defaults to 5.',
      },
      'pod-running-timeout': { type: 'duration', default: '20s', about: 'The length of time to wait until at least one pod is running' },
      prefix: { type: 'bool', about: 'Prefix each log line with the log source (pod name and container name)' },
      previous: {
        type: 'bool',
        short: 'p',
        about: 'If true, print the logs for the previous instance of the container in a pod if it exists.',
      },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      since: { type: 'duration', default: '0s', about: 'Only return logs newer than a relative duration like 5s, 2m, or 3h.' },
      'since-time': { type: 'string', about: 'Only return logs after a specific date (RFC3339).' },
      tail: {
        type: 'int',
        default: -1,
        about:
          'Lines of recent log file to display. Defaults to -1 with no selector, showing all log lines otherwise 10, if a selector is provided.',
      },
      timestamps: { type: 'bool', about: 'Include timestamps on each line in the log output' },
    },
  },
  async (k) => {
    const { f } = k
    const [word, second] = k.args
    if (!word && !f.selector)
      throw new Failure(
        "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kedge logs -h' for help and examples",
      )
    if (k.args.length > 2)
      throw new Failure(
        "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\nSee 'kedge logs -h' for help and examples",
      )
    if (word && f.selector) throw new Failure('only a selector (-l) or a POD name is allowed')
    if (f.since && f['since-time']) throw new Failure('at most one of `sinceTime` or `sinceSeconds` may be specified')
    if (k.given.has('tail') && f.tail < -1) throw new Failure('--tail must be greater than or equal to -1')
    const wanted = f.container || second || ''
    if (f['all-containers'] && wanted) throw new Failure('--all-containers=true should not be specified with container name')
    let pods: any[]
    if (f.selector) {
      pods = (
        await k.client.get(`/api/v1/namespaces/${encodeURIComponent(k.namespace)}/pods?labelSelector=${encodeURIComponent(f.selector)}`)
      ).items
      if (!pods.length) {
        err(`No resources found in ${k.namespace} namespace.\n`)
        return 0
      }
    } else {
      pods = await podsOf(k, word!).catch((cause) => {
        if (cause.code === 404 && !word!.includes('/'))
          throw new Failure(
            `error from server (NotFound): pods ${JSON.stringify(word)} not found in namespace ${JSON.stringify(k.namespace)}`,
          )
        throw cause
      })
      for (const p of pods)
        if (
          wanted &&
          ![...p.spec.containers, ...(p.spec.initContainers ?? []), ...(p.spec.ephemeralContainers ?? [])].some(
            (c: any) => c.name === wanted,
          )
        )
          throw new Failure(`container ${wanted} is not valid for pod ${p.metadata.name}`)
      if (!f['all-pods'] && pods.length > 1) {
        err(`Found ${pods.length} pods, using pod/${pods[0].metadata.name}\n`)
        pods = pods.slice(0, 1)
      }
    }
    const tail = f.selector && !k.given.has('tail') ? 10 : f.tail
    const sources = pods.flatMap((p) => {
      const names = f['all-containers']
        ? [...(p.spec.initContainers ?? []), ...p.spec.containers, ...(p.spec.ephemeralContainers ?? [])].map((c: any) => c.name)
        : [containerOf(p, wanted, err)]
      return names.map((container) => ({ pod: p, container }))
    })
    if (f.follow && sources.length > f['max-log-requests'])
      throw new Failure(
        `you are attempting to follow ${sources.length} log streams, but maximum allowed concurrency is ${f['max-log-requests']}, use --max-log-requests to increase the limit`,
      )
    const print = async ({ pod, container }: { pod: any; container: string }) => {
      const q = new URLSearchParams({
        container,
        ...(f.follow ? { follow: 'true' } : {}),
        ...(f.previous ? { previous: 'true' } : {}),
        ...(f.timestamps ? { timestamps: 'true' } : {}),
        ...(tail >= 0 ? { tailLines: String(tail) } : {}),
        ...(f.since ? { sinceSeconds: String(Math.ceil(f.since / 1000)) } : {}),
        ...(f['since-time'] ? { sinceTime: f['since-time'] } : {}),
        ...(f['limit-bytes'] ? { limitBytes: String(f['limit-bytes']) } : {}),
      })
      const prefix = f.prefix || f['all-pods'] ? `[pod/${pod.metadata.name}/${container}] ` : ''
      const body = await k.client.stream(
        `/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods/${encodeURIComponent(pod.metadata.name)}/log?${q}`,
      )
      let rest = ''
      for await (const part of body) {
        if (!prefix && sources.length === 1) {
          process.stdout.write(part as Buffer)
          continue
        }
        const lines = (rest + (part as Buffer).toString()).split('\n')
        rest = lines.pop()!
        for (const l of lines) out(`${prefix}${l}\n`)
      }
      if (rest) out(`${prefix}${rest}\n`)
    }
    const guarded = (s: (typeof sources)[number]) =>
      print(s).catch((cause) => {
        if (!f['ignore-errors']) throw cause
        err(`error: ${cause.message}\n`)
      })
    if (f.follow) await Promise.all(sources.map(guarded))
    else for (const s of sources) await guarded(s)
    return 0
  },
)
