// Whom policies mean: whatever comes and goes, in whatever order daemons ask, each ends with the members that a fresh look finds.
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { migrations } from '../../migrations/bundle.ts'
import { fromLabelSelector, matches } from '../../shared/meta/selector.ts'
import type { HubFrame } from '../../shared/session/frames.ts'
import { type PeerGroup, PeerTable } from '../../shared/session/peers.ts'
import { openEmbedded } from '../platform/node/embedded-database.ts'
import { Store } from '../store/store.ts'
import { PeerFeed } from './peers.ts'

interface Pod {
  labels: Record<string, string>
  ip?: string
  phase: string
  hostNetwork?: boolean
  ports?: object[]
}
const GROUPS: PeerGroup[] = [
  { namespace: 'a' },
  { namespace: 'a', podSelector: { matchLabels: { app: 'x' } } },
  { namespaceSelector: {} },
  { namespaceSelector: { matchLabels: { team: 'red' } } },
  {
    namespaceSelector: { matchLabels: { team: 'red' } },
    podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['x'] }] },
  },
]

let store: Store
let feed: PeerFeed<Daemon>
const versions = new Map<string, { rv: number; labels: object; fields: object }>()
const pods = new Map<string, Pod>()
const namespaces = new Map<string, Record<string, string>>()

/** What a daemon makes of the frames. */
class Daemon {
  readonly tables = new Map<number, PeerTable>()
  readonly frames: HubFrame[] = []
  received(f: HubFrame): void {
    this.frames.push(f)
    if (f.t !== 'peers') return
    for (const [id, whole, members, gone] of f.groups) {
      const table = this.tables.get(id) ?? new PeerTable()
      this.tables.set(id, table)
      table.take(whole, members, gone)
    }
  }
  want(ids: number[]): Promise<void> {
    return feed.want(
      this,
      ids.map((id) => [id, GROUPS[id]!, this.tables.get(id)?.hash ?? '']),
    )
  }
}

async function put(resource: string, ns: string, name: string, object: any): Promise<void> {
  const key = `${resource}/${ns}/${name}`
  const old = versions.get(key) as any
  const body = JSON.stringify({ metadata: { name, ...(ns ? { namespace: ns } : {}), labels: object.labels }, ...object.rest })
  const version = { resource, ns, name, uid: key, body, labels: object.labels, fields: {}, by: '{}' }
  const written = old ? await store.update(version, old) : await store.create(version)
  if (!written.ok) throw new Error(written.why)
  versions.set(key, { rv: written.rv, labels: object.labels, fields: {} })
}
async function drop(resource: string, ns: string, name: string): Promise<void> {
  const key = `${resource}/${ns}/${name}`
  const old = versions.get(key) as any
  if (!old) return
  versions.delete(key)
  await store.delete({ resource, ns, name, uid: key, body: '{"metadata":{}}', labels: {}, fields: {}, by: '{}' }, old)
}
async function setPod(ns: string, name: string, pod: Pod): Promise<void> {
  pods.set(`${ns}/${name}`, pod)
  const rest = {
    spec: { containers: [{ ports: pod.ports }], ...(pod.hostNetwork ? { hostNetwork: true } : {}) },
    status: { phase: pod.phase, ...(pod.ip ? { podIP: pod.ip } : {}) },
  }
  await put('pods', ns, name, { labels: pod.labels, rest })
}
async function setNamespace(name: string, labels: Record<string, string>): Promise<void> {
  namespaces.set(name, labels)
  await put('namespaces', '', name, { labels, rest: {} })
}

/** Addresses that are in a group by the definition. */
const members = ({ namespace, namespaceSelector, podSelector }: PeerGroup): string[] =>
  [...pods]
    .filter(([key, pod]) => {
      const ns = key.split('/')[0]!
      if (!pod.ip || pod.hostNetwork || pod.phase === 'Succeeded') return false
      if (namespaceSelector ? !matches(fromLabelSelector(namespaceSelector), namespaces.get(ns)) : ns !== namespace) return false
      return matches(fromLabelSelector(podSelector ?? {}), pod.labels)
    })
    .map(([, pod]) => pod.ip!)
    .sort()
const known = (d: Daemon, id: number) => [...d.tables.get(id)!.values()].map(([ip]) => ip).sort()
const told = () => new Promise((r) => setTimeout(r, 30))

async function afresh(): Promise<void> {
  feed?.close()
  for (const m of [versions, pods, namespaces]) m.clear()
  const database = openEmbedded(':memory:')
  await database.migrate(migrations)
  // What is read is a moment old when it arrives: meanwhile there are changes.
  const read: typeof database.read = async (s) => {
    const rows = await database.read(s)
    await new Promise((r) => setTimeout(r, 3))
    return rows
  }
  store = new Store({ database: { ...database, read }, clock: { now: () => 0 }, onCommit: (e) => feed.observe(e) })
  feed = new PeerFeed<Daemon>(store, (d, f) => d.received(f))
}
beforeEach(afresh)

describe('one daemon', () => {
  const running = (ip: string, labels: Record<string, string> = {}): Pod => ({ labels, ip, phase: 'Running' })

  test('is told of ports by their names', async () => {
    await setPod('a', 'p', { ...running('10.0.0.1'), ports: [{ name: 'web', containerPort: 80 }, { containerPort: 81 }] })
    const d = new Daemon()
    await d.want([0])
    expect([...d.tables.get(0)!.values()]).toEqual([['10.0.0.1', { 'TCP/web': 80 }]])
  })

  test('that has them all is told so and nothing else', async () => {
    await setPod('a', 'p', running('10.0.0.1'))
    const d = new Daemon()
    await d.want([0])
    await d.want([0])
    expect(d.frames.at(-1)).toEqual({ t: 'peers', groups: [[0, false, [], []]] })
  })

  test('keeps an address that another pod has taken over before the first is forgotten', async () => {
    await setPod('a', 'old', running('10.0.0.1'))
    const d = new Daemon()
    await d.want([0])
    await setPod('a', 'new', running('10.0.0.1'))
    await setPod('a', 'old', { ...running('10.0.0.1'), phase: 'Succeeded' })
    await drop('pods', 'a', 'old')
    await told()
    expect(known(d, 0)).toEqual(['10.0.0.1'])
  })

  test('that has gone while all was read is told nothing', async () => {
    const d = new Daemon()
    const wanted = d.want([0])
    feed.leave(d)
    await wanted
    await setPod('a', 'p', running('10.0.0.1'))
    await told()
    expect(d.frames).toEqual([])
  })
})

const labels = fc.constantFrom<Record<string, string>>({}, { app: 'x' }, { app: 'y' }, { team: 'red' })
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('pod' as const),
      ns: fc.constantFrom('a', 'b'),
      n: fc.nat(1),
      labels,
      ip: fc.nat(2),
      phase: fc.constantFrom('Pending', 'Running', 'Running', 'Succeeded'),
      host: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gone' as const), ns: fc.constantFrom('a', 'b'), n: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('namespace' as const), ns: fc.constantFrom('a', 'b'), labels }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('want' as const), daemon: fc.nat(1), groups: fc.subarray([0, 1, 2, 3, 4]) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), ms: fc.constantFrom(1, 2, 4, 30) }) },
)

test('whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await afresh()
      const both = [new Daemon(), new Daemon()]
      const wanted: number[][] = [[], []]
      const asked: Promise<void>[] = []
      for (const s of steps) {
        if (s.do === 'pod') {
          const ip = s.ip ? `10.${s.ns === 'a' ? 0 : 1}.${s.n}.${s.ip}` : undefined
          await setPod(s.ns, `p${s.n}`, {
            labels: s.labels,
            phase: s.phase,
            ...(ip ? { ip } : {}),
            ...(s.host && s.ip === 2 ? { hostNetwork: true } : {}),
          })
        } else if (s.do === 'gone') {
          pods.delete(`${s.ns}/p${s.n}`)
          await drop('pods', s.ns, `p${s.n}`)
        } else if (s.do === 'namespace') await setNamespace(s.ns, s.labels)
        else if (s.do === 'pause') await new Promise((r) => setTimeout(r, s.ms))
        else {
          wanted[s.daemon] = s.groups
          asked.push(both[s.daemon]!.want(s.groups))
        }
      }
      await Promise.all(asked)
      await told()
      for (const [i, d] of both.entries()) for (const id of wanted[i]!) expect([id, known(d, id)]).toEqual([id, members(GROUPS[id]!)])
    }),
    { numRuns: 100 },
  )
}, 60_000)
