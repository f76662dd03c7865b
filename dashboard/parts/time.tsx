// How long ago something was, kept true while it is shown.
import { signal } from '@preact/signals'
import { humanDuration } from '../../shared/meta/duration.ts'

const now = signal(Date.now())
setInterval(() => {
  if (document.visibilityState === 'visible') now.value = Date.now()
}, 1000)
addEventListener('visibilitychange', () => {
  now.value = Date.now()
})

export function Age({ time }: { time: string | undefined }) {
  if (!time) return <span class="dim">never</span>
  const at = Date.parse(time)
  return (
    <time dateTime={time} title={new Date(at).toLocaleString()}>
      {humanDuration(Math.max(0, now.value - at))}
    </time>
  )
}
