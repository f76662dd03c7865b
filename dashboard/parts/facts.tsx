// Facts about something: names and what they are.
import type { ComponentChildren } from 'preact'
import { kindOfObject } from '../kinds.ts'
import { objectLink } from '../route.ts'

export function Facts({ facts }: { facts: [name: string, value: ComponentChildren][] }) {
  const shown = facts.filter(([, value]) => value !== undefined && value !== '' && value !== null && value !== false)
  if (!shown.length) return null
  return (
    <dl class="facts">
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

export function Labels({ labels }: { labels: Record<string, string> | undefined }) {
  const all = Object.entries(labels ?? {})
  if (!all.length) return null
  return (
    <span class="labels">
      {all.map(([k, v]) => (
        <code key={k}>{v ? `${k}=${v}` : k}</code>
      ))}
    </span>
  )
}

/** A link to an object, where its kind is served here. */
export function ObjectLink({ apiVersion, kind, namespace, name }: { apiVersion: string; kind: string; namespace?: string; name: string }) {
  const k = kindOfObject(apiVersion, kind)
  const text = `${kind} ${name}`
  return k ? <a href={objectLink(k.resource, k.namespaced ? namespace : '', name)}>{text}</a> : <span>{text}</span>
}
