// The dashboard begins here: who is signed in, the menu, and the page that the address names.
import { signal } from '@preact/signals'
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { base, call } from './client.ts'
import { kindOf, kinds, loadKinds } from './kinds.ts'
import { ListPage } from './pages/list.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { Boundary } from './parts/boundary.tsx'
import { Dialogs } from './parts/dialog.tsx'
import { lazy } from './parts/lazy.tsx'
import { Problem } from './parts/problem.tsx'
import { Said } from './parts/say.tsx'
import { forgetRights } from './rights.ts'
import { chooseNamespace, namespace, parseRoute, route } from './route.ts'
import { doorOf, isSignedIn, returnFromProvider } from './session.ts'
import { Shell } from './shell.tsx'
import { applyTheme } from './theme.ts'

/** Pages of their own, by the first part of the address; fetched when they are shown. */
const pages: Record<string, ReturnType<typeof lazy>> = {
  access: lazy(async () => (await import('./pages/access.tsx')).AccessPage),
  create: lazy(async () => (await import('./pages/create.tsx')).CreatePage),
  kinds: lazy(async () => (await import('./pages/kinds.tsx')).KindsPage),
  logs: lazy(async () => (await import('./pages/logs.tsx')).LogsPage),
  map: lazy(async () => (await import('./pages/map.tsx')).MapPage),
  past: lazy(async () => (await import('./pages/past.tsx')).PastPage),
}
const ObjectPage = lazy(async () => (await import('./pages/object.tsx')).ObjectPage)

const HostPage = lazy(async () => (await import('./pages/host.tsx')).HostPage)

const hosted = signal(false)
const user = signal<{ username: string; groups: string[] } | undefined>(undefined)
const failed = signal<Error | undefined>(undefined)
const RETRY_MS = 3000

async function begin(): Promise<void> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  try {
    // The clusters of a host have paths of their own.
    if (!base && (await doorOf()).hosted) {
      hosted.value = true
      return
    }
    const [me] = await Promise.all([call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body }), loadKinds()])
    const { username = '', groups = [] } = me.status.userInfo
    // A service account begins where it lives.
    const home = /^system:serviceaccount:([^:]+):/.exec(username)?.[1]
    if (home && !namespace.value) chooseNamespace(home)
    user.value = { username, groups }
    failed.value = undefined
  } catch (cause) {
    failed.value = cause as Error
    if (isSignedIn()) setTimeout(() => void begin(), RETRY_MS)
  }
}

/** A definition may have come since the page was loaded: it is looked for once more. */
function UnknownKind({ resource }: { resource: string }) {
  const [looked, setLooked] = useState(false)
  useEffect(() => {
    void loadKinds()
      .catch(() => {})
      .then(() => setLooked(true))
  }, [])
  return looked ? <Problem error={new Error(`This cluster serves no ${resource}.`)} /> : null
}

function Page() {
  const [first = '', ns, name, tab] = route.value.parts
  if (!first) return <OverviewPage />
  const Own = pages[first]
  if (Own) return <Own />
  const kind = kindOf(first)
  if (!kind) return <UnknownKind key={first} resource={first} />
  if (name === undefined) return <ListPage key={first} kind={kind} />
  return <ObjectPage key={`${first}/${ns}/${name}`} {...{ kind, namespace: ns === '-' ? '' : ns!, name, tab: tab ?? '' }} />
}

function App() {
  const here = isSignedIn()
  useEffect(() => {
    user.value = undefined
    forgetRights()
    if (here) void begin()
  }, [here])
  if (!here) return <SignInPage />
  if (hosted.value) return <HostPage />
  if (!user.value || !kinds.value.size)
    return (
      <main class="wait">
        <Problem error={failed.value} />
      </main>
    )
  return (
    <>
      <Shell user={user.value}>
        <Boundary key={route.value.parts.slice(0, 3).join('/')}>
          <Page />
        </Boundary>
      </Shell>
      <Dialogs />
      <Said />
    </>
  )
}

applyTheme()
void returnFromProvider().finally(() => {
  // The address may have been taken up again.
  route.value = parseRoute(location.hash)
  render(<App />, document.getElementById('app')!)
})
