// A map of who reaches whom: ingresses, services, workloads; and for one workload, what policies leave open to it and from it. The lists below say in words
// what the lines show.
import { useMemo } from 'preact/hooks'
import { listPath, useObjects } from '../parts/live.ts'
import { LiveMark, Problem } from '../parts/problem.tsx'
import { type Open, OUTSIDE, Policies, reachOf, type Workload } from '../reach.ts'
import { namespace, objectLink, route, setQuery } from '../route.ts'

const WIDTH = 960
const STEP = 52
const BOX = { width: 260, height: 38 }
const COLUMNS = [0, (WIDTH - BOX.width) / 2, WIDTH - BOX.width]
/** More than these are no picture. */
const MOST = 60

const resourceOf: Record<string, string> = {
  Deployment: 'deployments.apps',
  StatefulSet: 'statefulsets.apps',
  DaemonSet: 'daemonsets.apps',
  ReplicaSet: 'replicasets.apps',
  Job: 'jobs.batch',
  Pod: 'pods',
}

interface Box {
  key: string
  column: number
  row: number
  title: string
  detail: string
  href: string
  bad: boolean
}

const openText = (open: Open): string => (open === 'all' ? 'on every port' : open === 'none' ? '' : `on ${open.join(', ')}`)

function Ways({ title, ways }: { title: string; ways: [name: string, open: Open][] }) {
  const open = ways.filter(([, o]) => o !== 'none')
  const shut = ways.filter(([, o]) => o === 'none')
  return (
    <div>
      <h3>{title}</h3>
      <ul>
        {open.map(([name, o]) => (
          <li key={name}>
            {name} <span class="dim">{openText(o)}</span>
          </li>
        ))}
      </ul>
      {shut.length > 0 && <p class="dim">Not: {shut.map(([name]) => name).join(', ')}</p>}
    </div>
  )
}

export function MapPage() {
  const ns = namespace.value
  const pods = useObjects(listPath('pods', ns))
  const services = useObjects(listPath('services', ns))
  const ingresses = useObjects(listPath('ingresses.networking.k8s.io', ns))
  const policies = useObjects(listPath('networkpolicies.networking.k8s.io', ns))
  const namespaces = useObjects(listPath('namespaces', ns))
  const items = [pods, services, ingresses, policies, namespaces].map((l) => l?.items.value ?? [])
  const reach = useMemo(
    () => reachOf({ pods: items[0]!, services: items[1]!, ingresses: items[2]!, policies: items[3]!, namespaces: items[4]! }),
    [items[0], items[1], items[2]],
  )
  const rules = useMemo(() => new Policies(items[3]!, items[4]!), [items[3], items[4]])
  const chosen = reach.workloads.find((w) => w.key === route.value.query.get('workload'))
  const all = !ns
  const named = (w: { namespace: string; name: string }) => (all ? `${w.namespace}/${w.name}` : w.name)

  const boxes: Box[] = []
  const place = (column: number, list: { key: string; title: string; detail: string; href: string; bad: boolean }[]) =>
    list.slice(0, MOST).forEach((b, row) => {
      boxes.push({ ...b, key: `${column} ${b.key}`, column, row })
    })
  place(
    0,
    reach.ingresses.map((i) => ({
      key: i.key,
      title: named(i),
      detail: 'ingress',
      href: objectLink('ingresses.networking.k8s.io', i.namespace, i.name),
      bad: !i.leadsTo.length,
    })),
  )
  place(
    1,
    reach.services.map((s) => ({
      key: s.key,
      title: named(s),
      detail: 'service',
      href: objectLink('services', s.namespace, s.name),
      bad: !s.leadsTo.length && items[1]!.find((x) => `${x.metadata.namespace}/${x.metadata.name}` === s.key)?.spec.selector,
    })),
  )
  place(
    2,
    reach.workloads.map((w) => ({
      key: w.key,
      title: named(w),
      detail: `${w.kind}, ${w.ready} of ${w.pods} ready`,
      href: `#/map?workload=${encodeURIComponent(w.key)}`,
      bad: w.ready < w.pods,
    })),
  )
  const at = new Map(boxes.map((b) => [b.key, b]))
  const lines = [
    ...reach.ingresses.flatMap((i) => i.leadsTo.map((to) => [at.get(`0 ${i.key}`), at.get(`1 ${to}`)] as const)),
    ...reach.services.flatMap((s) => s.leadsTo.map((to) => [at.get(`1 ${s.key}`), at.get(`2 ${to}`)] as const)),
  ].filter((l): l is [Box, Box] => !!l[0] && !!l[1])
  const height = STEP * Math.max(1, ...boxes.map((b) => b.row + 1)) + 10
  const middle = (b: Box) => b.row * STEP + 10 + BOX.height / 2
  const ends: (Workload | typeof OUTSIDE)[] = [OUTSIDE, ...reach.workloads]
  const nameOf = (e: Workload | typeof OUTSIDE) => (e === OUTSIDE ? 'outside the cluster' : `${e.kind} ${named(e)}`)
  const hidden = [reach.ingresses, reach.services, reach.workloads].reduce((n, l) => n + Math.max(0, l.length - MOST), 0)

  return (
    <>
      <header class="page">
        <h1>Map{namespace.value && <span class="dim"> of {namespace.value}</span>}</h1>
        {pods && <LiveMark state={pods.state.value} />}
      </header>
      {pods?.error.value && <Problem error={pods.error.value} />}
      {!pods && <p class="empty">Choose a namespace: you may not list the pods of all.</p>}
      {boxes.length === 0 && pods?.whole.value && <p class="empty">Nothing runs here.</p>}
      {hidden > 0 && <p class="dim">{hidden} more are not drawn: choose a namespace.</p>}
      <div class="map">
        <svg viewBox={`0 0 ${WIDTH} ${height}`} role="group" aria-label="Ingresses, services and workloads">
          {lines.map(([a, b]) => {
            const [x1, y1, x2, y2] = [COLUMNS[a.column]! + BOX.width, middle(a), COLUMNS[b.column]!, middle(b)]
            return <path key={`${a.key} ${b.key}`} class="way" d={`M${x1} ${y1} C${x1 + 50} ${y1} ${x2 - 50} ${y2} ${x2} ${y2}`} />
          })}
          {boxes.map((b) => (
            <a key={b.key} href={b.href} class={`${b.bad ? 'bad' : ''} ${chosen && b.key === `2 ${chosen.key}` ? 'chosen' : ''}`}>
              <title>{`${b.title}, ${b.detail}`}</title>
              <rect x={COLUMNS[b.column]! + 1} y={b.row * STEP + 10} width={BOX.width - 2} height={BOX.height} rx="6" />
              <text x={COLUMNS[b.column]! + 12} y={b.row * STEP + 26}>
                {b.title.length > 32 ? `${b.title.slice(0, 31)}…` : b.title}
              </text>
              <text class="detail" x={COLUMNS[b.column]! + 12} y={b.row * STEP + 41}>
                {b.detail}
              </text>
            </a>
          ))}
        </svg>
      </div>
      <section>
        <div class="filters">
          <label>
            <span>Who reaches</span>
            <select value={chosen?.key ?? ''} onChange={(e) => setQuery({ workload: e.currentTarget.value })}>
              <option value="">choose a workload</option>
              {reach.workloads.map((w) => (
                <option key={w.key} value={w.key}>
                  {w.kind} {named(w)}
                </option>
              ))}
            </select>
          </label>
        </div>
        {chosen && (
          <>
            <p>
              {rules.of(chosen).length
                ? `Network policies hold it: ${rules.of(chosen).join(', ')}.`
                : 'No network policy holds it: it is open to all that may leave where they are.'}{' '}
              <a href={objectLink(resourceOf[chosen.kind] ?? 'pods', chosen.namespace, chosen.name)}>See {chosen.name}</a>
            </p>
            <div class="ways">
              <Ways title="May reach it" ways={ends.filter((e) => e !== chosen).map((e) => [nameOf(e), rules.between(e, chosen)])} />
              <Ways title="It may reach" ways={ends.filter((e) => e !== chosen).map((e) => [nameOf(e), rules.between(chosen, e)])} />
            </div>
          </>
        )}
      </section>
    </>
  )
}
