// Which page is shown: the address after `#/`, so that one file is served wherever the dashboard lives, and every view can be kept and sent.
import { signal } from '@preact/signals'

export interface Route {
  /** `['pods', 'default', 'web-1', 'logs']`. */
  parts: string[]
  query: URLSearchParams
}

/** Reads what follows the `#`. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?')
  const parts = path
    .split('/')
    .filter(Boolean)
    .map((p) => {
      try {
        return decodeURIComponent(p)
      } catch {
        return p
      }
    })
  return { parts, query: new URLSearchParams(query) }
}

export const route = signal<Route>(parseRoute(location.hash))
addEventListener('hashchange', () => {
  route.value = parseRoute(location.hash)
})

const NAMESPACE = 'kedge namespace'
/** The namespace that lists are of; empty for all. */
export const namespace = signal(sessionStorage.getItem(NAMESPACE) ?? '')
export function chooseNamespace(name: string): void {
  namespace.value = name
  sessionStorage.setItem(NAMESPACE, name)
}

export const linkTo = (...parts: string[]): string => `#/${parts.map(encodeURIComponent).join('/')}`
/** The page of one object. */
export const objectLink = (resource: string, ns: string | undefined, name: string, tab?: string): string =>
  linkTo(resource, ns || '-', name, ...(tab ? [tab] : []))
export const go = (to: string): void => {
  location.hash = to
}
/** Changes the query of the address, without a new entry in the history. */
export function setQuery(changes: Record<string, string>): void {
  const { parts, query } = route.value
  const next = new URLSearchParams(query)
  for (const [k, v] of Object.entries(changes)) v ? next.set(k, v) : next.delete(k)
  const text = next.toString()
  history.replaceState(null, '', `${linkTo(...parts)}${text ? `?${text}` : ''}`)
  route.value = { parts, query: next }
}
