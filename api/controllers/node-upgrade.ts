// Upgrades of the daemons, one node at a time: a ConfigMap names the version, each Node is told in turn, and the next one waits until the last is Ready
// with it. A failure stops the round: somebody should look before the fault spreads.
import { isReady } from '../../shared/meta/conditions.ts'
import { DESIRED, FAILED, MANAGED, ROUND } from '../../shared/meta/node-annotations.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { kedgeVersionOf } from '../../shared/version.ts'
import type { Controller, Result } from '../engine/types.ts'

interface View {
  version: string
  nodes: readonly KObject[]
}

const versionOf = (n: KObject) => kedgeVersionOf((n as any).status?.nodeInfo?.kubeletVersion)
const wanted = (n: KObject) => n.metadata.annotations?.[DESIRED]
/** To become what it is told to be. */
const hasFailed = (n: KObject) => wanted(n) !== undefined && !!n.metadata.annotations?.[FAILED]?.startsWith(`${wanted(n)}: `)

function reconcile(_key: string, { version, nodes }: View): Result {
  const told = nodes.filter((n) => wanted(n) === version)
  if (told.some(hasFailed)) return { writes: [] }
  // Whoever was told last has to stand first, in whichever round that was.
  const underway = nodes.filter((n) => wanted(n) !== undefined && wanted(n) !== versionOf(n) && !hasFailed(n))
  if (told.some((n) => versionOf(n) !== version || !isReady(n)) || underway.some((n) => !isReady(n))) return { writes: [] }
  const next = (underway.length ? underway : nodes)
    .filter((n) => versionOf(n) !== version && isReady(n))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))[0]
  if (!next) return { writes: [] }
  const annotations = { ...next.metadata.annotations, [DESIRED]: version }
  return {
    writes: [
      { verb: 'update', resource: 'nodes', object: { ...next, metadata: { ...next.metadata, annotations } } },
      {
        verb: 'event',
        about: { resource: 'nodes', object: next },
        type: 'Normal',
        reason: 'UpgradingDaemon',
        message: `The daemon goes from ${versionOf(next)} to ${version}`,
        component: 'node-upgrade-controller',
      },
    ],
  }
}

const KEY = 'nodes'

export const nodeUpgrade: Controller<View> = {
  name: 'node-upgrade-controller',
  all: () => [KEY],
  wakes: {
    nodes: ({ new: now }, reader) => (now && reader.get('configmaps', ROUND.namespace, ROUND.name) ? [KEY] : []),
    configmaps: ({ new: now }) => (now?.metadata.namespace === ROUND.namespace && now.metadata.name === ROUND.name ? [KEY] : []),
  },
  view: (_key, reader) => {
    const version = (reader.get('configmaps', ROUND.namespace, ROUND.name) as any)?.data?.version
    if (!version) return undefined
    return {
      version,
      nodes: reader.list('nodes').filter((n) => n.metadata.annotations?.[MANAGED] === 'true' && !n.metadata.deletionTimestamp),
    }
  },
  reconcile,
}
