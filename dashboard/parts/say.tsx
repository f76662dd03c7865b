// What has just been done, or could not be: said for a moment, and read out.
import { signal } from '@preact/signals'

interface Said {
  id: number
  text: string
  bad: boolean
}

const SHOWN_MS = 8000
const MOST = 4
const said = signal<Said[]>([])
let next = 0

export function say(text: string, bad = false): void {
  const id = next++
  said.value = [...said.value, { id, text, bad }].slice(-MOST)
  setTimeout(() => forget(id), bad ? SHOWN_MS * 2 : SHOWN_MS)
}
const forget = (id: number) => {
  said.value = said.value.filter((s) => s.id !== id)
}

export function Said() {
  return (
    <div class="said" role="status" aria-live="polite">
      {said.value.map((s) => (
        <p key={s.id} class={s.bad ? 'bad' : ''}>
          {s.text}
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => forget(s.id)}>
            ×
          </button>
        </p>
      ))}
    </div>
  )
}
