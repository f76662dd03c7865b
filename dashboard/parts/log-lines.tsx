// Lines of logs: any number of them, only those in sight drawn; at the end it stays at the end.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

export interface Line {
  /** Unique, and in their order. */
  id: number
  before?: string
  text: string
  bad?: boolean
}

const HEIGHT = 18
const SPARE = 20

export function LogLines({ lines, label }: { lines: Line[]; label: string }) {
  const box = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState({ top: 0, height: 600 })
  const atEnd = useRef(true)
  const look = () => {
    const b = box.current!
    atEnd.current = b.scrollTop + b.clientHeight >= b.scrollHeight - 2 * HEIGHT
    setSeen({ top: b.scrollTop, height: b.clientHeight })
  }
  useLayoutEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [lines])
  useEffect(look, [])
  const first = Math.max(0, Math.floor(seen.top / HEIGHT) - SPARE)
  const last = Math.min(lines.length, Math.ceil((seen.top + seen.height) / HEIGHT) + SPARE)
  return (
    <div class="log" role="log" aria-label={label} aria-live="off" tabIndex={0} ref={box} onScroll={look}>
      <div style={{ height: `${lines.length * HEIGHT}px` }}>
        <div style={{ transform: `translateY(${first * HEIGHT}px)` }}>
          {lines.slice(first, last).map((l) => (
            <div key={l.id} class={l.bad ? 'line bad' : 'line'}>
              {l.before && <span class="dim">{l.before} </span>}
              {l.text || ' '}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}
