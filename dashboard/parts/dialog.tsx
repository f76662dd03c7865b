// Questions before something is done: what it is, what comes of it, and a button that does it. The browser's own dialog keeps the focus inside.
import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { say } from './say.tsx'

export interface Question {
  title: string
  /** What the button says. */
  action: string
  danger?: boolean
  /** What comes of it, in sentences; read when the question is asked. */
  consequences?: () => Promise<string[]>
  body?: ComponentChildren
  /** A word to be typed first, for what cannot be undone and is large. */
  typed?: string
  /** Says what was done. */
  run(): Promise<string | undefined>
}

const asked = signal<Question | undefined>(undefined)
export const ask = (q: Question): void => {
  asked.value = q
}

function Open({ q }: { q: Question }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const [typed, setTyped] = useState('')
  const [consequences, setConsequences] = useState<string[] | undefined>(q.consequences ? undefined : [])
  useEffect(() => {
    dialog.current?.showModal()
    q.consequences?.().then(setConsequences, (cause) => setConsequences([`What comes of it could not be found out: ${cause.message}`]))
  }, [q])
  const close = () => {
    asked.value = undefined
  }
  const run = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError('')
    try {
      const done = await q.run()
      close()
      if (done) say(done)
    } catch (cause) {
      setError((cause as Error).message)
      setBusy(false)
    }
  }
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="dialog-title">
      <form onSubmit={run}>
        <h2 id="dialog-title">{q.title}</h2>
        {q.body}
        {consequences === undefined ? (
          <p class="dim">Looking at what depends on it…</p>
        ) : (
          consequences.length > 0 && (
            <ul class="consequences">
              {consequences.map((c) => (
                <li key={c}>{c}</li>
              ))}
            </ul>
          )
        )}
        {q.typed && (
          <label>
            Type <b>{q.typed}</b> to go on
            <input value={typed} onInput={(e) => setTyped(e.currentTarget.value)} autocomplete="off" />
          </label>
        )}
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <div class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button
            type="submit"
            class={q.danger ? 'danger' : 'primary'}
            disabled={busy || consequences === undefined || (q.typed !== undefined && typed !== q.typed)}
          >
            {q.action}
          </button>
        </div>
      </form>
    </dialog>
  )
}

export const Dialogs = () => (asked.value ? <Open key={asked.value.title} q={asked.value} /> : null)
