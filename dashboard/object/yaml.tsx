// An object as YAML: read, changed, tried on the server and then saved, with what would change shown before it does.
import { useEffect, useMemo, useState } from 'preact/hooks'
import { jsonDiff, type Operation } from '../../shared/schema/diff.ts'
import { ApiError, call } from '../client.ts'
import { type Kind, pathOf } from '../kinds.ts'
import type { Trouble } from '../parts/code-editor.tsx'
import { lazy } from '../parts/lazy.tsx'
import { say } from '../parts/say.tsx'
import { may } from '../rights.ts'
import { Changes } from './rollout.tsx'

const Editor = lazy(async () => (await import('../parts/code-editor.tsx')).CodeEditor)
const yamlOf = async () => await import('yaml')

const shown = (o: any): any => {
  const { managedFields: _, ...metadata } = o.metadata
  return { ...o, metadata }
}
const compared = (o: any): any => {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = o.metadata
  return { ...o, metadata }
}

/** What the server found wrong, by field. */
export const troublesOf = (cause: unknown, document = 0): Trouble[] =>
  cause instanceof ApiError
    ? (cause.status?.details?.causes ?? []).map((c: any) => ({ document, field: c.field ?? '', message: c.message ?? '' }))
    : []

/** Asks for it to be written. Throws what the server says. */
async function write(k: Kind, o: any, text: string, dry: boolean): Promise<any> {
  const { parse } = await yamlOf()
  let body: any
  try {
    body = parse(text)
  } catch (cause) {
    throw new Error(`This is no YAML: ${(cause as Error).message}`)
  }
  const { name, namespace } = body?.metadata ?? {}
  if (name !== o.metadata.name || (namespace ?? '') !== (o.metadata.namespace ?? ''))
    throw new Error('An object keeps its name and namespace: make another one under Create.')
  const query = { fieldManager: 'kedge-ui', fieldValidation: 'Strict', ...(dry ? { dryRun: 'All' } : {}) }
  return call('PUT', pathOf(k, namespace, name), { query, body })
}

export function YamlTab({ kind: k, object: o }: { kind: Kind; object: any }) {
  const { namespace, name, resourceVersion } = o.metadata
  const [base, setBase] = useState(o)
  const [text, setText] = useState<string | undefined>()
  const [start, setStart] = useState<string | undefined>()
  const [changes, setChanges] = useState<Operation[] | undefined>()
  const [error, setError] = useState('')
  const [troubles, setTroubles] = useState<Trouble[]>([])
  const [busy, setBusy] = useState(false)
  const allowed = k.verbs.includes('update') && may({ verb: 'update', resource: k.resource, namespace, name })
  const begin = useMemo(
    () => async (from: any) => {
      const { stringify } = await yamlOf()
      const yaml = stringify(shown(from), { lineWidth: 0 })
      setBase(from)
      setStart(yaml)
      setText(yaml)
      setChanges(undefined)
      setTroubles([])
      setError('')
    },
    [],
  )
  // What is being edited is not exchanged under the hands.
  useEffect(() => {
    if (start === undefined || text === start) void begin(o)
  }, [resourceVersion])
  if (start === undefined || text === undefined) return <p class="dim">Reading…</p>
  const newer = base.metadata.resourceVersion !== resourceVersion

  const attempt = async (dry: boolean) => {
    setBusy(true)
    setError('')
    setTroubles([])
    try {
      const made = await write(k, o, text, dry)
      if (dry) setChanges(jsonDiff(compared(base), compared({ ...made, apiVersion: base.apiVersion, kind: base.kind })))
      else {
        say(`${k.kind} ${name} has been saved.`)
        await begin({ apiVersion: o.apiVersion, kind: o.kind, ...made })
      }
    } catch (cause) {
      setChanges(undefined)
      setError(
        (cause as ApiError).code === 409
          ? 'Somebody else has changed it meanwhile: read it anew, and change it again.'
          : (cause as Error).message,
      )
      setTroubles(troublesOf(cause))
    }
    setBusy(false)
  }
  return (
    <section class="yaml">
      {newer && text !== start && (
        <p class="note">
          It has changed since you began.{' '}
          <button type="button" onClick={() => void begin(o)}>
            Read it anew
          </button>
        </p>
      )}
      <Editor
        value={start}
        label={`${k.kind} ${name} as YAML`}
        readOnly={!allowed}
        troubles={troubles}
        onChange={(t) => {
          setText(t)
          setChanges(undefined)
        }}
      />
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {changes && (
        <div class="preview" role="status">
          <h2>What would change</h2>
          <Changes from={compared(base)} changes={changes} />
        </div>
      )}
      {allowed ? (
        <div class="buttons">
          <button type="button" disabled={text === start} onClick={() => void begin(o)}>
            Undo
          </button>
          <button type="button" disabled={busy || text === start} onClick={() => void attempt(true)}>
            Try it
          </button>
          <button
            type="button"
            class="primary"
            disabled={busy || text === start || !changes}
            title={changes ? '' : 'Try it first'}
            onClick={() => void attempt(false)}
          >
            Save
          </button>
        </div>
      ) : (
        <p class="dim">You may read it, and not change it.</p>
      )}
    </section>
  )
}
