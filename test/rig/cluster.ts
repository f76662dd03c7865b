// A control plane without a server around it, for suites that ask the app directly: real database, real admission, no engine.

import { bootstrap, type Cluster, createCluster } from '../../api/cluster.ts'
import { createLocalHub, type LocalHub } from '../../api/hub/local-hub.ts'
import { outboundFor } from '../../api/platform/node/outbound.ts'
import { systemRandom } from '../../api/platform/node/ports.ts'
import type { Database } from '../../api/ports/database.ts'
import type { Log } from '../../api/ports/log.ts'
import type { Settings } from '../../api/registry/context.ts'
import { defaultSettings } from '../../api/settings.ts'
import { createSeal } from '../../api/store/seal.ts'

const sealKey = new Uint8Array(32).fill(7)

export interface TestCluster {
  cluster: Cluster
  hub: LocalHub
}

const quiet = { info: () => {}, warn: () => {}, error: (message: string, cause: unknown) => console.error(message, cause) }

/** Tokens: `admin` (system:masters), `alice` (group devs), `bob`. */
export async function testCluster(
  database: Database,
  now: () => number = Date.now,
  maxAge = Number.POSITIVE_INFINITY,
  log: Log = quiet,
  settings: Partial<Settings> = {},
): Promise<TestCluster> {
  let hub: LocalHub | undefined
  const cluster: Cluster = createCluster({
    database,
    clock: { now },
    random: systemRandom,
    log,
    settings: { ...defaultSettings, ...settings, caCertificate: 'test' },
    seal: await createSeal(sealKey),
    sealKey,
    statics: new Map([
      ['admin', { username: 'admin', groups: ['system:masters'] }],
      ['alice', { username: 'alice', groups: ['devs'] }],
      ['bob', { username: 'bob', groups: [] }],
    ]),
    maxAge,
    onCommit: (e) => {
      cluster.observe(e)
      hub?.publish(e)
    },
    outbound: () => outboundFor(true),
    hub: () => ({
      publish: (e) => hub!.publish(e),
      watch: (r) => hub!.watch(r),
      open: (n, r) => hub!.open(n, r),
      reach: (c) => hub!.reach(c),
      connected: () => hub!.connected(),
    }),
  })
  await bootstrap(cluster)
  hub = await createLocalHub(cluster.store, cluster.env, cluster.authorizer, { now }, log, { changed: () => {} })
  return { cluster, hub }
}
