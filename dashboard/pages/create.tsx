// New objects from YAML, several at once: tried on the server first, then made, or changed where they are there already (server-side apply).
import { useEffect, useState } from 'preact/hooks'
import { ApiError, call } from '../client.ts'
import { kindOf, kindOfObject, pathOf } from '../kinds.ts'
import { troublesOf } from '../object/yaml.tsx'
import type { Trouble } from '../parts/code-editor.tsx'
import { lazy } from '../parts/lazy.tsx'
import { say } from '../parts/say.tsx'
import { namespace, objectLink, route, setQuery } from '../route.ts'
import { bare, starters } from '../starters.ts'

const Editor = lazy(async () => (await import('../parts/code-editor.tsx')).CodeEditor)

interface Outcome {
  what: string
  result: string
  bad: boolean
  href?: string
}

function textFor(resource: string): string {
  const ns = namespace.value || 'default'
  const k = kindOf(resource)
  const starter = starters[resource]
  if (starter) return starter.text(ns)
  return k
    ? bare(k.group ? `${k.group}/${k.version}` : k.version, k.kind, k.namespaced ? ns : undefined)
    : starters['deployments.apps']!.text(ns)
}

async function applyOne(o: any, dry: boolean): Promise<{ created: boolean; object: any; href: string }> {
  const k = o?.kind && o?.apiVersion ? kindOfObject(o.apiVersion, o.kind) : undefined
  if (!k) throw new Error(`This cluster serves no ${o?.kind ?? 'object without a kind'} of ${o?.apiVersion ?? 'no apiVersion'}.`)
  const { name, generateName, namespace: given } = o.metadata ?? {}
  const ns = k.namespaced ? (given ?? (namespace.value || 'default')) : ''
  const query = { fieldManager: 'kedge-ui', fieldValidation: 'Strict', ...(dry ? { dryRun: 'All' } : {}) }
  if (!name && generateName) {
    const object = await call('POST', pathOf(k, ns), { query, body: o })
    return { created: true, object, href: objectLink(k.resource, ns, object.metadata.name) }
  }
  if (!name) throw new Error(`The ${o.kind} has no name.`)
  const there = await call('GET', pathOf(k, ns, name)).then(
    () => true,
    (cause) => {
      if (cause.code === 404 || cause.code === 403) return false
      throw cause
    },
  )
  const object = there
    ? await call('PATCH', pathOf(k, ns, name), { query: { ...query, force: 'false' }, body: o, type: 'application/apply-patch+yaml' })
    : await call('POST', pathOf(k, ns), { query, body: o })
  return { created: !there, object, href: objectLink(k.resource, ns, object.metadata.name) }
}

export function CreatePage() {
  const resource = route.value.query.get('kind') ?? 'deployments.apps'
  const [start, setStart] = useState(() => textFor(resource))
  const [text, setText] = useState(start)
  const [outcomes, setOutcomes] = useState<Outcome[]>([])
  const [troubles, setTroubles] = useState<Trouble[]>([])
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    const next = textFor(resource)
    setStart(next)
    setText(next)
    setOutcomes([])
    setTroubles([])
  }, [resource])
  const run = async (dry: boolean) => {
    setBusy(true)
    const out: Outcome[] = []
    const found: Trouble[] = []
    try {
      const { parseAllDocuments } = await import('yaml')
      const documents = parseAllDocuments(text)
      for (const [i, d] of [...documents].entries()) {
        if ('errors' in d && d.errors.length) throw new Error(`This is no YAML: ${d.errors[0]!.message}`)
        const o = d.toJS()
        if (o === null || o === undefined) continue
        const what = `${o.kind ?? '?'} ${o.metadata?.name ?? o.metadata?.generateName ?? ''}`
        try {
          const { created, href } = await applyOne(o, dry)
          out.push({ what, bad: false, result: `${dry ? 'would be ' : ''}${created ? 'created' : 'changed'}`, ...(dry ? {} : { href }) })
        } catch (cause) {
          out.push({ what, bad: true, result: (cause as Error).message })
          found.push(...troublesOf(cause, i))
          // The later ones may need it.
          if (!(cause instanceof ApiError) || !dry) break
        }
      }
    } catch (cause) {
      out.push({ what: 'The text', bad: true, result: (cause as Error).message })
    }
    setOutcomes(out)
    setTroubles(found)
    setBusy(false)
    if (!dry && out.length && out.every((o) => !o.bad)) say(out.map((o) => `${o.what} ${o.result}`).join(', '))
  }
  return (
    <>
      <header class="page">
        <h1>Create</h1>
        <label>
          <span>Begin with</span>
          <select value={resource} onChange={(e) => setQuery({ kind: e.currentTarget.value })}>
            {!starters[resource] && <option value={resource}>{kindOf(resource)?.kind ?? resource}</option>}
            {Object.entries(starters)
              .filter(([r]) => kindOf(r))
              .map(([r, s]) => (
                <option key={r} value={r}>
                  {s.title}
                </option>
              ))}
          </select>
        </label>
      </header>
      <section class="yaml">
        <Editor value={start} label="Objects as YAML" troubles={troubles} onChange={setText} />
        {outcomes.length > 0 && (
          <ul class="outcomes" role="status">
            {outcomes.map((o) => (
              <li key={o.what} class={o.bad ? 'error' : ''}>
                {o.href ? <a href={o.href}>{o.what}</a> : o.what}: {o.result}
              </li>
            ))}
          </ul>
        )}
        <div class="buttons">
          <button type="button" disabled={busy} onClick={() => void run(true)}>
            Try it
          </button>
          <button type="button" class="primary" disabled={busy} onClick={() => void run(false)}>
            Create
          </button>
        </div>
      </section>
    </>
  )
}
