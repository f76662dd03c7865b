// One object: what it is, what holds it back, what it says and what can be done to it. What is of one kind alone is in object/.
import { useEffect, useState } from 'preact/hooks'
import { actionsOf } from '../actions.ts'
import { call } from '../client.ts'
import { type Kind, pathOf } from '../kinds.ts'
import { panels } from '../object/panels.tsx'
import { Scale } from '../object/scale.tsx'
import { Conditions, EventsOf, Summary, Why } from '../object/summary.tsx'
import { YamlTab } from '../object/yaml.tsx'
import { useObjects } from '../parts/live.ts'
import { LiveMark, Problem } from '../parts/problem.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { linkTo, objectLink } from '../route.ts'
import { plural } from './list.tsx'

interface Props {
  kind: Kind
  namespace: string
  name: string
  tab: string
}

/** What may be read and not watched, as it is now. */
function useOnce(path: string | undefined): any {
  const [object, setObject] = useState<any>()
  useEffect(() => {
    if (path) call('GET', path).then(setObject, () => {})
  }, [path])
  return object
}

export function ObjectPage({ kind: k, namespace, name, tab }: Props) {
  const watched = k.verbs.includes('watch')
  const live = useObjects(pathOf(k, namespace), { fieldSelector: `metadata.name=${name}` })!
  const [scaling, setScaling] = useState(false)
  const once = useOnce(live.error.value?.code === 403 ? pathOf(k, namespace, name) : undefined)
  const o = live.items.value[0] ?? once
  const heading = (
    <p class="crumbs">
      <a href={linkTo(k.resource)}>{plural(k)}</a>
      {namespace && <> / {namespace}</>}
    </p>
  )
  if (!o) {
    const error = live.error.value
    const gone = live.whole.value && new Error(`There is no ${k.kind} ${name}${namespace ? ` in ${namespace}` : ''}, or not any more.`)
    return (
      <>
        <header class="page">
          {heading}
          <h1>{name}</h1>
        </header>
        {error || gone ? <Problem error={error ?? (gone || undefined)} /> : <p class="dim">Reading…</p>}
      </>
    )
  }
  const { panel: Panel, tabs = [] } = panels[k.resource] ?? {}
  const offered = tabs.filter((t) => !t.allowed || t.allowed(o))
  const own = offered.find((t) => t.name.toLowerCase() === tab)
  const all = ['Summary', ...offered.map((t) => t.name), 'YAML']
  return (
    <>
      <header class="page">
        {heading}
        <h1>
          {name} {o.metadata.deletionTimestamp && <span class="pill busy">being deleted</span>}
        </h1>
        {watched && <LiveMark state={live.state.value} />}
        <span class="grow" />
        <div class="buttons">
          {actionsOf(k, o, () => setScaling(true)).map((a) => (
            <button key={a.name} type="button" class={a.danger ? 'danger' : ''} onClick={a.run}>
              {a.name}
            </button>
          ))}
        </div>
      </header>
      <Tabs
        label={`${k.kind} ${name}`}
        tabs={all.map((t) => ({ title: t, href: objectLink(k.resource, namespace, name, t === 'Summary' ? undefined : t.toLowerCase()) }))}
        current={own?.name ?? (tab === 'yaml' ? 'YAML' : 'Summary')}
      />
      {scaling && <Scale kind={k} object={o} close={() => setScaling(false)} />}
      {own ? (
        <own.part object={o} />
      ) : tab === 'yaml' ? (
        <YamlTab kind={k} object={o} />
      ) : (
        <>
          <Why kind={k} object={o} />
          <Summary object={o} />
          {Panel && <Panel object={o} />}
          <Conditions conditions={o.status?.conditions} />
          <EventsOf object={o} />
        </>
      )}
    </>
  )
}
