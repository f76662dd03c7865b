// The clusters of a host, by account: where somebody begins who has not said which one they want.
import { useEffect, useState } from 'preact/hooks'
import { call } from '../client.ts'
import { DataTable } from '../parts/data-table.tsx'
import { Pill } from '../parts/pill.tsx'
import { Problem } from '../parts/problem.tsx'
import { Age } from '../parts/time.tsx'
import { signedOut, takeAlong } from '../session.ts'
import { Mark } from './sign-in.tsx'

interface Listed {
  account: string
  name: string
  state: string
  created?: string
}

async function readClusters(): Promise<Listed[]> {
  const { accounts } = await call('GET', '/v1/whoami')
  const lists = await Promise.all(
    accounts.map(async (a: { name: string }) => {
      const { items } = await call('GET', `/v1/accounts/${encodeURIComponent(a.name)}/clusters`)
      return items.map((c: object) => ({ ...c, account: a.name }))
    }),
  )
  return lists.flat()
}

export function HostPage() {
  const [clusters, setClusters] = useState<Listed[] | undefined>()
  const [error, setError] = useState<Error | undefined>()
  useEffect(() => {
    readClusters().then((all) => {
      takeAlong(all.map((c) => c.name))
      setClusters(all)
    }, setError)
  }, [])
  return (
    <main class="host">
      <header class="page">
        <h1>
          <Mark /> Clusters
        </h1>
        <span class="grow" />
        <button type="button" onClick={() => signedOut('You have signed out.')}>
          Sign out
        </button>
      </header>
      <Problem error={error} />
      {clusters && (
        <DataTable
          short
          label="Clusters"
          columns={[
            { name: 'Name', cell: (c: Listed) => c.name },
            { name: 'Account', cell: (c) => c.account },
            { name: 'State', cell: (c) => <Pill word={c.state} tone={c.state === 'active' ? 'good' : 'busy'} />, value: (c) => c.state },
            { name: 'Age', cell: (c) => <Age time={c.created} />, value: (c) => c.created ?? '' },
          ]}
          rows={clusters}
          keyOf={(c) => c.name}
          href={(c) => (c.state === 'active' ? `/clusters/${c.name}/ui/` : undefined)}
          empty="There is none yet. Make one with: kedge cluster create NAME"
        />
      )}
    </main>
  )
}
