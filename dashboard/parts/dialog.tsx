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

interface FormProps {
  title: string
  action: string
  danger?: boolean | undefined
  /** Undefined while they are found out. */
  consequences: string[] | undefined
  /** Whether what is needed has been given. */
  ready?: boolean
  children?: ComponentChildren
  /** Says what was done. Rejects with what is said where it could not be. */
  run(): Promise<string | undefined>
  close(): void
}

/** A dialog that does something, or is cancelled. */
export function DialogForm({ title, action, danger, consequences, ready = true, children, run, close }: FormProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  useEffect(() => dialog.current?.showModal(), [])
  const submit = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError('')
    try {
      const done = await run()
      close()
      if (done) say(done)
    } catch (cause) {
      setError((cause as Error).message)
      setBusy(false)
    }
  }
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="dialog-title">
      <form onSubmit={submit}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        <div aria-live="polite">
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
        </div>
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <div class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={danger ? 'danger' : 'primary'} disabled={busy || consequences === undefined || !ready}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  )
}

function Open({ q }: { q: Question }) {
  const [typed, setTyped] = useState('')
  const [consequences, setConsequences] = useState<string[] | undefined>(q.consequences ? undefined : [])
  useEffect(() => {
    q.consequences?.().then(setConsequences, (cause) => setConsequences([`What comes of it could not be found out: ${cause.message}`]))
  }, [q])
  const close = () => {
    asked.value = undefined
  }
  return (
    <DialogForm
      title={q.title}
      action={q.action}
      danger={q.danger}
      consequences={consequences}
      ready={q.typed === undefined || typed === q.typed}
      run={q.run}
      close={close}
    >
      {q.body}
      {q.typed && (
        <label>
          Type <b>{q.typed}</b> to go on
          <input value={typed} onInput={(e) => setTyped(e.currentTarget.value)} autocomplete="off" />
        </label>
      )}
    </DialogForm>
  )
}

export const Dialogs = () => (asked.value ? <Open key={asked.value.title} q={asked.value} /> : null)
