// What stands around every page: the menu, the namespace, who is signed in. Entries that lead to what may not be listed are left out.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { base } from './client.ts'
import { kindOf } from './kinds.ts'
import { type Entry, menu } from './navigation.ts'
import { Mark } from './pages/sign-in.tsx'
import { useTable } from './parts/live.ts'
import { Palette } from './parts/palette.tsx'
import { may } from './rights.ts'
import { chooseNamespace, linkTo, namespace, route } from './route.ts'
import { signedOut } from './session.ts'
import { chooseTheme, type Theme, theme } from './theme.ts'

function isOffered({ resource, needs = resource ? [{ verb: 'list', resource }] : [] }: Entry): boolean {
  if (!needs.length) return true
  return needs.some((n) => {
    const k = kindOf(n.resource)
    return !!k && may({ ...n, namespace: k.namespaced ? namespace.value : '' })
  })
}

function Menu() {
  const [here = ''] = route.value.parts
  return (
    <nav aria-label="Menu" class="menu">
      {menu.map(({ title, entries }) => {
        const offered = entries.filter(isOffered)
        if (!offered.length) return null
        return (
          <section key={title}>
            <h2>{title}</h2>
            <ul>
              {offered.map((e) => {
                const at = e.resource ?? e.page!
                return (
                  <li key={at}>
                    <a href={at ? linkTo(at) : '#/'} aria-current={here === at ? 'page' : undefined}>
                      {e.title}
                    </a>
                  </li>
                )
              })}
            </ul>
          </section>
        )
      })}
    </nav>
  )
}

/** Those that may be listed to choose from; else a field to type one into. */
function NamespaceChoice() {
  const listed = may({ verb: 'list', resource: 'namespaces' })
  const live = useTable(listed ? '/api/v1/namespaces' : undefined)
  const chosen = namespace.value
  if (!listed)
    return (
      <label>
        <span>Namespace</span>
        <input defaultValue={chosen} placeholder="all" autocomplete="off" onChange={(e) => chooseNamespace(e.currentTarget.value.trim())} />
      </label>
    )
  const all = (live?.rows.value ?? []).map((r) => r.name).toSorted()
  return (
    <label>
      <span>Namespace</span>
      <select value={chosen} onChange={(e) => chooseNamespace(e.currentTarget.value)}>
        <option value="">all</option>
        {chosen && !all.includes(chosen) && <option value={chosen}>{chosen}</option>}
        {all.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

const shortName = (username: string): string => username.replace(/^system:serviceaccount:/, '').replace(/^.*#/, '')

export function Shell({ user, children }: { user: { username: string; groups: string[] }; children: ComponentChildren }) {
  const drawer = useRef<HTMLDialogElement>(null)
  const main = useRef<HTMLElement>(null)
  const at = route.value.parts.join('/')
  const first = useRef(true)
  useEffect(() => {
    drawer.current?.close()
    // Who follows a link by the keyboard or by ear begins at the new page.
    if (!first.current) main.current?.focus({ preventScroll: true })
    first.current = false
    const [what = 'Overview', , name] = route.value.parts
    document.title = `${name ?? what} · Kedge`
  }, [at])
  const skip = (e: Event) => {
    e.preventDefault()
    main.current?.focus()
  }
  return (
    <div class="shell">
      <a class="skip" href={location.hash} onClick={skip}>
        Skip to the page
      </a>
      <header class="top">
        <button type="button" class="quiet burger" aria-label="Menu" onClick={() => drawer.current?.showModal()}>
          ☰
        </button>
        <a class="brand" href="#/">
          <Mark /> <span>{/^\/clusters\/([^/]+)/.exec(base)?.[1] ?? 'Kedge'}</span>
        </a>
        <NamespaceChoice />
        <span class="grow" />
        <Palette />
        <details class="who">
          <summary title={user.username}>{shortName(user.username)}</summary>
          <div>
            <p>
              Signed in as <b>{user.username}</b>
            </p>
            <p class="dim">{user.groups.join(', ')}</p>
            <label>
              <span>Colours</span>
              <select value={theme.value} onChange={(e) => chooseTheme(e.currentTarget.value as Theme)}>
                <option value="system">as the system</option>
                <option value="light">light</option>
                <option value="dark">dark</option>
              </select>
            </label>
            <button type="button" onClick={() => signedOut('You have signed out.')}>
              Sign out
            </button>
          </div>
        </details>
      </header>
      <div class="side">
        <Menu />
      </div>
      <dialog
        class="drawer"
        ref={drawer}
        aria-label="Menu"
        onClick={(e) => {
          if (e.target === drawer.current || (e.target as HTMLElement).closest('a')) drawer.current?.close()
        }}
      >
        <button type="button" class="quiet" aria-label="Close the menu" onClick={() => drawer.current?.close()}>
          ×
        </button>
        <Menu />
      </dialog>
      <main ref={main} tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}
