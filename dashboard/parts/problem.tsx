// What stands where a list or an object could not be read.
import type { ApiError } from '../client.ts'
import type { LiveState } from '../follow.ts'

export function Problem({ error }: { error: ApiError | Error | undefined }) {
  if (!error) return null
  const code = (error as ApiError).code
  const advice =
    code === 403
      ? 'Your rights do not reach so far. Choose a namespace that you may see, or ask for the right.'
      : code === 404
        ? 'It is not there, or not any more.'
        : code === 0
          ? 'It is tried again until it answers.'
          : ''
  return (
    <div class="problem" role="alert">
      <p>{error.message}</p>
      {advice && <p class="dim">{advice}</p>}
    </div>
  )
}

/** Whether what is shown is kept up. */
export function LiveMark({ state }: { state: LiveState }) {
  const text = { loading: 'loading', live: 'live', away: 'not up to date' }[state]
  return (
    <span class={`live ${state}`} role="status">
      {text}
    </span>
  )
}
