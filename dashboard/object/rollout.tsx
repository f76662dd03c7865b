// The story of a workload's rollouts: its revisions, what changed from one to the next, and the way back.
import { type Revision, revisionsOf, rollbackPatch } from '../../shared/rollout.ts'
import { jsonDiff, type Operation } from '../../shared/schema/diff.ts'
import { call } from '../client.ts'
import { kindOf, pathOf } from '../kinds.ts'
import { ask } from '../parts/dialog.tsx'
import { useObjects } from '../parts/live.ts'
import { Problem } from '../parts/problem.tsx'
import { Age } from '../parts/time.tsx'
import { may } from '../rights.ts'
import { objectLink } from '../route.ts'

const RESOURCES: Record<string, string> = {
  Deployment: 'deployments.apps',
  StatefulSet: 'statefulsets.apps',
  DaemonSet: 'daemonsets.apps',
}

const short = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
const valueAt = (o: unknown, path: string): unknown =>
  path
    .split('/')
    .slice(1)
    .reduce<any>((v, p) => v?.[p.replaceAll('~1', '/').replaceAll('~0', '~')], o)

/** What changed, a line each: where, from what, to what. */
export function Changes({ from, changes }: { from: unknown; changes: Operation[] }) {
  if (!changes.length) return <p class="dim">Nothing.</p>
  return (
    <ul class="changes">
      {changes.map((c) => {
        const before = c.op === 'add' ? undefined : valueAt(from, c.path)
        return (
          <li key={c.path}>
            <code>{c.path.slice(1).replaceAll('/', '.').replaceAll('~1', '/')}</code>
            {before !== undefined && <del>{short(before)}</del>}
            {c.op !== 'remove' && <ins>{short(c.value)}</ins>}
          </li>
        )
      })}
    </ul>
  )
}

export function Rollout({ object: o }: { object: any }) {
  const { namespace, name } = o.metadata
  const resource = RESOURCES[o.kind]!
  const keeper = kindOf(o.kind === 'Deployment' ? 'replicasets.apps' : 'controllerrevisions.apps')!
  const live = useObjects(pathOf(keeper, namespace))!
  const all = revisionsOf(o, live.items.value)
  const current = all.at(-1)
  const allowed = may({ verb: 'patch', resource, namespace, name })
  const rollBack = (to: Revision) =>
    ask({
      title: `Roll ${o.kind} ${name} back to revision ${to.revision}?`,
      action: 'Roll back',
      consequences: async () => [
        `Its pods are replaced by ones of revision ${to.revision}, as its update strategy says; it becomes the newest revision.`,
        ...(o.spec.paused ? ['The rollout is paused: resume it first.'] : []),
      ],
      body: <Changes from={current!.template} changes={jsonDiff(current!.template, to.template)} />,
      run: async () => {
        if (o.spec.paused) throw new Error('The rollout is paused: resume it, then roll back.')
        const { type, patch } = rollbackPatch(o, to)
        await call('PATCH', pathOf(kindOf(resource)!, namespace, name), { body: patch, type })
        return `${o.kind} ${name} goes back to revision ${to.revision}.`
      },
    })
  if (live.error.value && !all.length) return <Problem error={live.error.value} />
  if (!all.length) return <p class="empty">{live.whole.value ? 'There are no revisions.' : 'Reading…'}</p>
  return (
    <ol class="story">
      {all.toReversed().map((r, i) => {
        const before = all[all.length - i - 2]
        const { replicas, readyReplicas = 0 } = r.object.status ?? {}
        return (
          <li key={r.revision}>
            <h2>
              Revision {r.revision} {r === current && <span class="pill good">current</span>}
              <span class="dim">
                {' '}
                <Age time={r.made} /> ago
              </span>
            </h2>
            {r.cause && <p>{r.cause}</p>}
            {o.kind === 'Deployment' && (
              <p>
                <a href={objectLink('replicasets.apps', namespace, r.object.metadata.name)}>{r.object.metadata.name}</a>: {readyReplicas} of{' '}
                {replicas ?? 0} pods ready
              </p>
            )}
            {before ? (
              <>
                <h3>Changed since revision {before.revision}</h3>
                <Changes from={before.template} changes={jsonDiff(before.template, r.template)} />
              </>
            ) : (
              <p class="dim">The oldest that is kept.</p>
            )}
            {allowed && r !== current && (
              <button type="button" onClick={() => rollBack(r)}>
                Roll back to revision {r.revision}
              </button>
            )}
          </li>
        )
      })}
    </ol>
  )
}
