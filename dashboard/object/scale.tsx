// How many replicas there are to be, and what comes of it, said while it is typed.
import { useEffect, useRef, useState } from 'preact/hooks'
import { consequencesOfScaling, scaleTo } from '../actions.ts'
import type { Kind } from '../kinds.ts'
import { say } from '../parts/say.tsx'

export function Scale({ kind, object: o, close }: { kind: Kind; object: any; close(): void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const now = o.spec.replicas ?? 1
  const [to, setTo] = useState(now)
  const [consequences, setConsequences] = useState<string[]>([])
  const [error, setError] = useState('')
  useEffect(() => dialog.current?.showModal(), [])
  // Asked for by the number alone.
  useEffect(() => {
    let gone = false
    consequencesOfScaling(kind, o, to).then(
      (c) => !gone && setConsequences(c),
      () => {},
    )
    return () => {
      gone = true
    }
  }, [to])
  const run = async (e: Event) => {
    e.preventDefault()
    try {
      say(await scaleTo(kind, o, to))
      close()
    } catch (cause) {
      setError((cause as Error).message)
    }
  }
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="scale-title">
      <form onSubmit={run}>
        <h2 id="scale-title">
          Scale {kind.kind} {o.metadata.name}
        </h2>
        <label>
          <span>Replicas (now {now})</span>
          <input
            type="number"
            min={0}
            max={100_000}
            value={to}
            required
            onInput={(e) => setTo(Math.max(0, Math.floor(e.currentTarget.valueAsNumber || 0)))}
          />
        </label>
        <ul class="consequences" aria-live="polite">
          {consequences.map((c) => (
            <li key={c}>{c}</li>
          ))}
        </ul>
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <div class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={to === 0 ? 'danger' : 'primary'}>
            Scale
          </button>
        </div>
      </form>
    </dialog>
  )
}
