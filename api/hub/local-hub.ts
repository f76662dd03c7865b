// The Hub port inside one process: Node's server, or a cluster's Durable Object.
import type { Family } from '../../shared/exposition.ts'
import { StatusError } from '../../shared/status/index.ts'
import type { Authorizer } from '../auth/authorizer.ts'
import type { Clock } from '../ports/clock.ts'
import type { Hub } from '../ports/hub.ts'
import type { Log } from '../ports/log.ts'
import type { Environment } from '../registry/context.ts'
import type { Store } from '../store/store.ts'
import { FanOut } from './fan-out.ts'
import { reach } from './reach.ts'
import { type SessionEvents, Sessions } from './sessions.ts'

export interface LocalHub extends Hub {
  fanOut: FanOut
  sessions: Sessions
  /** Who listens, for metrics. */
  families(): Family[]
  /** What operators may look into, by name. */
  views: Record<string, () => unknown>
  close(): void
}

/** Starts at the log's head, so nothing from before is told again. */
export async function createLocalHub(
  store: Store,
  { kinds, rules }: Pick<Environment, 'kinds' | 'rules'>,
  authorizer: Authorizer,
  clock: Clock,
  log: Log,
  events: SessionEvents,
  maxWatches = Number.POSITIVE_INFINITY,
): Promise<LocalHub> {
  const { rv } = await store.head()
  await Promise.all([kinds.load(), rules.load()])
  // Every event passes here from now on.
  kinds.live = rules.live = true
  const fanOut = new FanOut(store, kinds, clock, log, rv)
  const sessions = new Sessions(store, kinds, fanOut, authorizer, log, events)
  return {
    fanOut,
    sessions,
    publish: (e) => fanOut.publish(e),
    watch: (r) => {
      if (fanOut.watcherCount >= maxWatches)
        throw new StatusError(429, 'TooManyRequests', 'too many watches are open, please try again later', { retryAfterSeconds: 5 })
      return fanOut.watch(r)
    },
    open: async (node, r) => sessions.open(node, r),
    reach: (call) => reach(sessions, call),
    connected: () => sessions.connected(),
    families: () => [
      {
        name: 'apiserver_longrunning_requests',
        help: '[STABLE] Gauge of all active long-running apiserver requests broken out by verb and resource.',
        type: 'gauge',
        samples: fanOut.watchers.map(([resource, value]) => ({ labels: { component: 'apiserver', resource, verb: 'WATCH' }, value })),
      },
      {
        name: 'kedge_node_sessions',
        help: 'Nodes whose daemons are connected.',
        type: 'gauge',
        samples: [{ value: sessions.connected().length }],
      },
      { name: 'kedge_hub_version', help: 'The newest version that was told.', type: 'gauge', samples: [{ value: fanOut.head }] },
    ],
    views: { sessions: () => sessions.view(), watches: () => ({ head: fanOut.head, byResource: Object.fromEntries(fanOut.watchers) }) },
    close: () => {
      fanOut.close()
      sessions.close()
    },
  }
}
