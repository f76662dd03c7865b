// Config maps, secrets, roles, bindings, and definitions of kinds.
import { useState } from 'preact/hooks'
import { DataTable } from '../parts/data-table.tsx'
import { Facts, ObjectLink } from '../parts/facts.tsx'
import { say } from '../parts/say.tsx'
import { linkTo, objectLink } from '../route.ts'

const sizeOf = (text: string): string => `${new TextEncoder().encode(text).length} bytes`

export function ConfigPanel({ object: o }: { object: any }) {
  const entries = Object.entries<string>(o.data ?? {})
  const binary = Object.keys(o.binaryData ?? {})
  return (
    <section>
      <h2>Data</h2>
      {!entries.length && !binary.length && <p class="empty">It is empty.</p>}
      {entries.map(([key, value]) => (
        <details key={key} open={entries.length <= 3}>
          <summary>
            {key} <span class="dim">{sizeOf(value)}</span>
          </summary>
          <pre class="value">{value}</pre>
        </details>
      ))}
      {binary.map((key) => (
        <p key={key}>
          {key} <span class="dim">binary</span>
        </p>
      ))}
    </section>
  )
}

function decoded(value: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(atob(value), (c) => c.charCodeAt(0)))
  } catch {
    return undefined
  }
}

function Hidden({ name, value }: { name: string; value: string }) {
  const [shown, setShown] = useState(false)
  const text = decoded(value)
  return (
    <div class="secret">
      <h3>{name}</h3>
      <span class="dim">{sizeOf(text ?? value)}</span>
      <button type="button" aria-expanded={shown} onClick={() => setShown(!shown)}>
        {shown ? 'Hide' : 'Show'}
      </button>
      {text !== undefined && (
        <button
          type="button"
          onClick={() =>
            navigator.clipboard.writeText(text).then(
              () => say(`${name} has been copied.`),
              () => say('The browser does not let it be copied.', true),
            )
          }
        >
          Copy
        </button>
      )}
      {shown && <pre class="value">{text ?? '(not text)'}</pre>}
    </div>
  )
}

export function SecretPanel({ object: o }: { object: any }) {
  const entries = Object.entries<string>(o.data ?? {})
  return (
    <section>
      <Facts facts={[['Type', o.type]]} />
      <h2>Data</h2>
      {entries.length ? entries.map(([k, v]) => <Hidden key={k} name={k} value={v} />) : <p class="empty">It is empty.</p>}
    </section>
  )
}

export function RolePanel({ object: o }: { object: any }) {
  const list = (words: string[] | undefined) => (words ?? []).map((w) => (w === '' ? 'core' : w)).join(', ')
  return (
    <section>
      <h2>What it allows</h2>
      <DataTable
        short
        label="Rules"
        columns={[
          { name: 'Resources', cell: (r: any) => list(r.resources) || list(r.nonResourceURLs) },
          { name: 'Verbs', cell: (r) => list(r.verbs) },
          { name: 'Groups', cell: (r) => list(r.apiGroups) },
          { name: 'Names', cell: (r) => list(r.resourceNames) },
        ]}
        rows={o.rules ?? []}
        keyOf={(r) => JSON.stringify(r)}
        empty="Nothing."
      />
    </section>
  )
}

export function BindingPanel({ object: o }: { object: any }) {
  const role = o.roleRef
  return (
    <>
      <Facts
        facts={[
          [
            'Gives',
            <ObjectLink key="r" apiVersion={`${role.apiGroup}/v1`} kind={role.kind} namespace={o.metadata.namespace} name={role.name} />,
          ],
        ]}
      />
      <section>
        <h2>To whom</h2>
        <DataTable
          short
          label="Subjects"
          columns={[
            { name: 'Name', cell: (s: any) => s.name },
            { name: 'Kind', cell: (s) => s.kind },
            { name: 'Namespace', cell: (s) => s.namespace ?? '' },
          ]}
          rows={o.subjects ?? []}
          keyOf={(s) => JSON.stringify(s)}
          href={(s) => (s.kind === 'ServiceAccount' ? objectLink('serviceaccounts', s.namespace, s.name) : undefined)}
          empty="Nobody."
        />
      </section>
    </>
  )
}

export function CustomKindPanel({ object: o }: { object: any }) {
  const resource = `${o.spec.names.plural}.${o.spec.group}`
  return (
    <Facts
      facts={[
        ['Objects', <a key="o" href={linkTo(resource)}>{`All of ${o.spec.names.kind}`}</a>],
        ['Scope', o.spec.scope],
        [
          'Versions',
          (o.spec.versions ?? []).map((v: any) => `${v.name}${v.storage ? ' (stored)' : ''}${v.served ? '' : ' (not served)'}`).join(', '),
        ],
      ]}
    />
  )
}
