// Who can do what: who may do one thing, and all that one may do. Without the right to read roles, what one may do oneself.
import { useEffect, useMemo, useState } from 'preact/hooks'
import { call } from '../client.ts'
import { kindOf, kinds } from '../kinds.ts'
import { type DataColumn, DataTable } from '../parts/data-table.tsx'
import { Problem } from '../parts/problem.tsx'
import { may } from '../rights.ts'
import { namespace, route, setQuery } from '../route.ts'
import { type Access, type Grant, grantsOf, isOf, type Subject, subjectText, whoCan } from '../who-can.ts'
import { listAll } from '../world.ts'

const RBAC = 'rbac.authorization.k8s.io'
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'impersonate', 'bind', 'escalate']

async function readAccess(): Promise<Access> {
  const of = (plural: string) => listAll(`${plural}.${RBAC}`, undefined)
  const [clusterRoles, roles, clusterRoleBindings, roleBindings] = await Promise.all(
    ['clusterroles', 'roles', 'clusterrolebindings', 'rolebindings'].map(of),
  )
  return { clusterRoles: clusterRoles!, roles: roles!, clusterRoleBindings: clusterRoleBindings!, roleBindings: roleBindings! }
}

const list = (words: string[] | undefined) => (words ?? []).map((w) => w || 'core').join(', ')

interface Allowed {
  rule: any
  where: string
  by: string
}
const ruleColumns: DataColumn<Allowed>[] = [
  { name: 'Resources', cell: (a) => list(a.rule.resources) || list(a.rule.nonResourceURLs) },
  { name: 'Verbs', cell: (a) => list(a.rule.verbs) },
  { name: 'Groups', cell: (a) => list(a.rule.apiGroups) },
  { name: 'Names', cell: (a) => list(a.rule.resourceNames), minor: true },
  { name: 'Where', cell: (a) => a.where },
  { name: 'By', cell: (a) => a.by },
]

/** What whoever is signed in may do in a namespace. */
function Mine() {
  const ns = namespace.value || 'default'
  const [rules, setRules] = useState<any[] | undefined>()
  const [error, setError] = useState<Error | undefined>()
  useEffect(() => {
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: ns } }
    call('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { body }).then(
      (r) => setRules([...(r.status.resourceRules ?? []), ...(r.status.nonResourceRules ?? [])]),
      setError,
    )
  }, [ns])
  if (error) return <Problem error={error} />
  return (
    <section>
      <h2>What you may do in {ns}</h2>
      <DataTable
        short
        label="Your rights"
        columns={ruleColumns.slice(0, 4)}
        rows={(rules ?? []).map((rule) => ({ rule, where: ns, by: '' }))}
        keyOf={(a) => JSON.stringify(a.rule)}
        empty={rules ? 'Nothing.' : 'Reading…'}
      />
    </section>
  )
}

function Whoever({ grants }: { grants: Grant[] }) {
  const { query } = route.value
  const verb = query.get('verb') ?? 'delete'
  const [resource = '', subresource] = (query.get('on') ?? 'pods').split('/')
  const ns = namespace.value
  const k = kindOf(resource)
  const found = k
    ? whoCan(grants, { verb, group: k.group, resource: k.plural, namespace: ns, ...(subresource ? { subresource } : {}) })
    : []
  const resources = useMemo(
    () =>
      [...kinds.value.values()]
        .flatMap((x) => [x.resource, ...x.subresources.filter((s) => !['status', 'scale'].includes(s)).map((s) => `${x.resource}/${s}`)])
        .toSorted(),
    [kinds.value],
  )
  return (
    <section>
      <h2>Who can</h2>
      <div class="filters">
        <label>
          <span>Do</span>
          <select value={verb} onChange={(e) => setQuery({ verb: e.currentTarget.value })}>
            {VERBS.map((v) => (
              <option key={v}>{v}</option>
            ))}
          </select>
        </label>
        <label>
          <span>To</span>
          <select value={`${resource}${subresource ? `/${subresource}` : ''}`} onChange={(e) => setQuery({ on: e.currentTarget.value })}>
            {resources.map((r) => (
              <option key={r}>{r}</option>
            ))}
          </select>
        </label>
        <span class="dim">{ns ? `in ${ns}` : 'in all namespaces'}</span>
      </div>
      <DataTable
        short={found.length <= 50}
        label="Who can"
        columns={[
          { name: 'Who', cell: (g: Grant) => subjectText(g.subject) },
          { name: 'Role', cell: (g) => g.role },
          { name: 'By', cell: (g) => g.by },
        ]}
        rows={found}
        keyOf={(g) => `${subjectText(g.subject)} ${g.by}`}
        empty="Nobody but administrators (system:masters)."
      />
    </section>
  )
}

function What({ grants }: { grants: Grant[] }) {
  const subjects = useMemo(() => {
    const all = new Map<string, Subject>()
    for (const g of grants) all.set(subjectText(g.subject), g.subject)
    return all
  }, [grants])
  const chosen = route.value.query.get('who') ?? ''
  const subject = subjects.get(chosen)
  const rows = subject
    ? grants
        .filter((g) => isOf(g, subject))
        .flatMap((g) => g.rules.map((rule): Allowed => ({ rule, where: g.namespace || 'everywhere', by: `${g.role}, by ${g.by}` })))
    : []
  return (
    <section>
      <h2>What somebody may do</h2>
      <div class="filters">
        <label>
          <span>Who</span>
          <select value={chosen} onChange={(e) => setQuery({ who: e.currentTarget.value })}>
            <option value="">choose</option>
            {[...subjects.keys()].toSorted().map((s) => (
              <option key={s}>{s}</option>
            ))}
          </select>
        </label>
      </div>
      {subject && (
        <DataTable
          short={rows.length <= 50}
          label="What they may do"
          columns={ruleColumns}
          rows={rows}
          keyOf={(a) => JSON.stringify(a)}
          empty="Nothing."
        />
      )}
    </section>
  )
}

export function AccessPage() {
  const allowed = ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'].every((p) =>
    may({ verb: 'list', resource: `${p}.${RBAC}` }),
  )
  const [grants, setGrants] = useState<Grant[] | undefined>()
  const [error, setError] = useState<Error | undefined>()
  useEffect(() => {
    if (allowed) readAccess().then((a) => setGrants(grantsOf(a)), setError)
  }, [allowed])
  return (
    <>
      <header class="page">
        <h1>Who can do what</h1>
      </header>
      {error && <Problem error={error} />}
      {grants && (
        <>
          <Whoever grants={grants} />
          <What grants={grants} />
        </>
      )}
      <Mine />
    </>
  )
}
