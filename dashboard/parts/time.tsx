// How long ago something was, kept true while it is shown.
import { signal } from '@preact/signals'

const now = signal(Date.now())
setInterval(() => {
  if (document.visibilityState === 'visible') now.value = Date.now()
}, 1000)
addEventListener('visibilitychange', () => {
  now.value = Date.now()
})

/** Seconds as kubectl writes ages: `12s`, `5m10s`, `3h`, `2d4h`. */
function ageText(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  if (s < 120) return `${s}s`
  const m = Math.floor(s / 60)
  if (m < 10) return s % 60 ? `${m}m${s % 60}s` : `${m}m`
  if (m < 180) return `${m}m`
  const h = Math.floor(m / 60)
  if (h < 8) return m % 60 ? `${h}h${m % 60}m` : `${h}h`
  if (h < 48) return `${h}h`
  const d = Math.floor(h / 24)
  return d < 8 && h % 24 ? `${d}d${h % 24}h` : `${d}d`
}

export function Age({ time }: { time: string | undefined }) {
  if (!time) return <span class="dim">never</span>
  const at = Date.parse(time)
  return (
    <time dateTime={time} title={new Date(at).toLocaleString()}>
      {ageText((now.value - at) / 1000)}
    </time>
  )
}
