// Going somewhere by typing: Ctrl-K or ⌘K, then a part of a kind's or a page's name, or KIND/NAME.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { kinds } from '../kinds.ts'
import { menu } from '../navigation.ts'
import { go, linkTo, namespace, objectLink } from '../route.ts'

interface Place {
  title: string
  detail: string
  to: string
}

const MOST = 12

function placesFor(text: string): Place[] {
  const wanted = text.trim().toLowerCase()
  const out: Place[] = []
  const named = /^([a-z.]+)[/ ]([a-z0-9][a-z0-9.-]*)$/.exec(wanted)
  for (const k of kinds.value.values()) {
    const words = [k.plural, k.singular, ...k.shortNames]
    if (named && words.includes(named[1]!))
      out.unshift({
        title: `${k.kind} ${named[2]}`,
        detail: k.namespaced ? namespace.value || 'default' : '',
        to: objectLink(k.resource, k.namespaced ? namespace.value || 'default' : '', named[2]!),
      })
    else if (words.some((w) => w.includes(wanted)) && k.verbs.includes('list'))
      out.push({ title: k.kind, detail: k.group || 'core', to: linkTo(k.resource) })
  }
  for (const e of menu.flatMap((m) => m.entries))
    if (e.page !== undefined && e.title.toLowerCase().includes(wanted))
      out.push({ title: e.title, detail: 'page', to: e.page ? linkTo(e.page) : '#/' })
  const weight = (p: Place) => (p.title.toLowerCase() === wanted ? 0 : p.title.toLowerCase().startsWith(wanted) ? 1 : 2)
  return out.toSorted((a, b) => weight(a) - weight(b)).slice(0, MOST)
}

export function Palette() {
  const dialog = useRef<HTMLDialogElement>(null)
  const field = useRef<HTMLInputElement>(null)
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const places = useMemo(() => placesFor(text), [text, kinds.value])
  const open = () => {
    setText('')
    setAt(0)
    dialog.current?.showModal()
    field.current?.focus()
  }
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key.toLowerCase() !== 'k' || !(e.ctrlKey || e.metaKey)) return
      e.preventDefault()
      open()
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
  const choose = (p: Place | undefined) => {
    if (!p) return
    dialog.current?.close()
    go(p.to)
  }
  return (
    <>
      <button type="button" class="quiet jump" onClick={open}>
        Go to… <kbd>Ctrl K</kbd>
      </button>
      <dialog ref={dialog} class="palette" aria-label="Go to">
        <input
          ref={field}
          value={text}
          role="combobox"
          aria-label="Where to"
          aria-expanded="true"
          aria-controls="places"
          aria-activedescendant={places[at] ? `place-${at}` : undefined}
          placeholder="pods, deploy/web, map…"
          autocomplete="off"
          onInput={(e) => {
            setText(e.currentTarget.value)
            setAt(0)
          }}
          onKeyDown={(e) => {
            const by = { ArrowDown: 1, ArrowUp: -1 }[e.key]
            if (by) {
              e.preventDefault()
              setAt((at + by + places.length) % Math.max(1, places.length))
            } else if (e.key === 'Enter') choose(places[at])
          }}
        />
        <ul id="places" role="listbox" aria-label="Places">
          {places.map((p, i) => (
            <li key={p.to} id={`place-${i}`} role="option" aria-selected={i === at} onClick={() => choose(p)}>
              {p.title} <span class="dim">{p.detail}</span>
            </li>
          ))}
        </ul>
      </dialog>
    </>
  )
}
