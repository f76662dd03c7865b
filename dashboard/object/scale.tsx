// How many replicas there are to be, and what comes of it, said while it is typed.
import { useEffect, useState } from 'preact/hooks'
import { consequencesOfScaling, scaleTo } from '../actions.ts'
import type { Kind } from '../kinds.ts'
import { DialogForm } from '../parts/dialog.tsx'

export function Scale({ kind, object: o, close }: { kind: Kind; object: any; close(): void }) {
  const now = o.spec.replicas ?? 1
  const [to, setTo] = useState(now)
  const [consequences, setConsequences] = useState<string[]>([])
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
  return (
    <DialogForm
      title={`Scale ${kind.kind} ${o.metadata.name}`}
      action="Scale"
      danger={to === 0}
      consequences={consequences}
      run={() => scaleTo(kind, o, to)}
      close={close}
    >
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
    </DialogForm>
  )
}
