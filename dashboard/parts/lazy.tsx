// Parts that are large and not always wanted are fetched when they are shown first.
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | undefined
  return (props: P) => {
    const [Part, setPart] = useState<ComponentType<P> | undefined>(() => loaded)
    const [failed, setFailed] = useState('')
    useEffect(() => {
      if (loaded) return
      load().then(
        (part) => {
          loaded = part
          setPart(() => part)
        },
        () => setFailed('This part of the page could not be fetched: load the page anew.'),
      )
    }, [])
    if (failed)
      return (
        <p class="error" role="alert">
          {failed}
        </p>
      )
    return Part ? <Part {...props} /> : <p class="dim">Loading…</p>
  }
}
