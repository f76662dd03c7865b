// Nodes without machines, many in one process: each joins, holds a session of the real protocol, and says of its pods at once that they run.
// Arguments: URL CA-FILE FOLDER TOKEN FIRST COUNT. Prints `ready` when all sessions are open.
import path from 'node:path'
import { parseArgs } from 'node:util'
import { quietLog } from '../../node-agent/log.ts'
import { type Api, createApi } from '../../node-agent/session/api.ts'
import { openIdentity } from '../../node-agent/session/identity.ts'
import { Session } from '../../node-agent/session/session.ts'
import { isReady } from '../../shared/meta/conditions.ts'
import { timeString } from '../../shared/meta/object.ts'
import { RouteTable } from '../../shared/session/routes.ts'

const [url, caFile, folder, token, first, count] = parseArgs({ allowPositionals: true }).positionals as [
  string,
  string,
  string,
  string,
  string,
  string,
]
const FIRST_DELAY = 200
const MAX_DELAY = 5000
/** How many join at a time. */
const TOGETHER = 16
const capacity = { cpu: '64', memory: '256Gi', pods: '250', 'ephemeral-storage': '100Gi' }

async function report(api: Api, name: string): Promise<void> {
  await api
    .call('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'kubernetes.io/hostname': name } } })
    .catch(() => {})
  const now = timeString(Date.now())
  const conditions = [
    { type: 'Ready', status: 'True', reason: 'KubeletReady', message: '', lastTransitionTime: now, lastHeartbeatTime: now },
  ]
  const status = { capacity, allocatable: capacity, conditions, addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] }
  await api.call('PATCH', `/api/v1/nodes/${name}/status`, { status }, 'application/merge-patch+json')
}

/** The status of a pod whose containers run and are ready. */
function running(pod: any): object {
  const now = timeString(Date.now())
  const yes = (type: string) => ({ type, status: 'True', lastTransitionTime: now })
  return {
    phase: 'Running',
    startTime: now,
    podIP: '10.244.0.2',
    podIPs: [{ ip: '10.244.0.2' }],
    hostIP: '127.0.0.1',
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(yes),
    containerStatuses: pod.spec.containers.map((c: any) => ({
      name: c.name,
      image: c.image,
      imageID: '',
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now } },
    })),
  }
}

async function node(name: string): Promise<void> {
  const identity = await openIdentity({ data: path.join(folder, name), server: url, token, caFile, name, log: quietLog })
  const api = createApi(identity)
  const telling = new Set<string>()
  const gone = new Set<string>()
  const opened = Promise.withResolvers<void>()
  const session = new Session(
    identity,
    quietLog,
    () => {},
    () => {},
  )
  /** As the daemon: asked again until it is done, or there is nothing left to do it to. */
  const persistently = async (...call: Parameters<Api['call']>) => {
    for (let delay = FIRST_DELAY; ; delay = Math.min(delay * 2, MAX_DELAY)) {
      const code = await api.call(...call).then(
        () => 200,
        (e) => e.code as number,
      )
      if ([200, 404, 409].includes(code)) return
      await new Promise((r) => setTimeout(r, delay))
    }
  }
  const seen = async (pod: any) => {
    const at = `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`
    const { uid } = pod.metadata
    if (pod.metadata.deletionTimestamp) {
      if (gone.has(uid)) return
      gone.add(uid)
      await persistently('DELETE', at, { gracePeriodSeconds: 0, preconditions: { uid } })
    } else if (!telling.has(uid) && !isReady(pod)) {
      // New, or somebody thought that this node was lost.
      telling.add(uid)
      await persistently('PATCH', `${at}/status`, { status: running(pod) }, 'application/merge-patch+json')
      telling.delete(uid)
    }
  }
  session.subscribe({
    resource: 'pods',
    onEvent: (type, pod) => {
      if (type !== 'DELETED') void seen(pod)
    },
    onReplace: () => {},
    onSynced: () => {},
  })
  // What a daemon listens to besides; here nobody acts on it.
  const nothing = { onEvent: () => {}, onReplace: () => {}, onSynced: () => {} }
  for (const resource of ['services', 'endpointslices.discovery.k8s.io', 'persistentvolumes', 'logcounters.observe.kedge.dev'])
    session.subscribe({ resource, ...nothing })
  // As a daemon: it writes its Node when that does not say what is so.
  let own: any
  let reporting = false
  const told = async () => {
    if (own && isReady(own)) return opened.resolve()
    if (reporting) return
    reporting = true
    for (
      let delay = FIRST_DELAY;
      !(await report(api, name).then(
        () => true,
        () => false,
      ));
      delay = Math.min(delay * 2, MAX_DELAY)
    )
      await new Promise((r) => setTimeout(r, delay))
    reporting = false
  }
  session.subscribe({
    resource: 'nodes',
    name,
    onEvent: (_, node) => {
      own = node
      void told()
    },
    onReplace: () => {},
    onSynced: () => void told(),
  })
  session.followRoutes(new RouteTable(), () => {})
  session.start()
  await opened.promise
}

const names = Array.from({ length: Number(count) }, (_, i) => `sim-${Number(first) + i}`)
await Promise.all(
  Array.from({ length: TOGETHER }, async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) await node(name)
  }),
)
console.log('ready')
