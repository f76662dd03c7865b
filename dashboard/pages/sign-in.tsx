// Where somebody signs in: with a token, or at the cluster's provider.
import { useEffect, useState } from 'preact/hooks'
import { base } from '../client.ts'
import { type Door, doorOf, goToProvider, reason, signIn } from '../session.ts'

export function SignInPage() {
  const [token, setToken] = useState('')
  const [door, setDoor] = useState<Door | undefined>()
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    doorOf().then(setDoor, () => {})
  }, [])
  const at = door?.oidc
  const isHost = !!door?.hosted && !base
  const submit = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError('')
    const shown = token.trim()
    const answer = await fetch(isHost ? '/v1/whoami' : `${base}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
      method: isHost ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${shown}`, 'content-type': 'application/json' },
      ...(isHost ? {} : { body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }) }),
    }).catch(() => undefined)
    setBusy(false)
    if (answer?.ok) return signIn(shown)
    setError(
      !answer
        ? 'The cluster cannot be reached.'
        : answer.status === 401
          ? 'This token is not accepted.'
          : `The answer was ${answer.status}.`,
    )
  }
  const name = /^\/clusters\/([^/]+)/.exec(base)?.[1]
  return (
    <main class="sign-in">
      <h1>
        <Mark /> Kedge
      </h1>
      <p>Sign in to {name ? `the cluster ${name}` : isHost ? location.host : `the cluster at ${location.host}`}</p>
      {reason.value && (
        <p class="error" role="alert">
          {reason.value}
        </p>
      )}
      {at && (
        <>
          <button type="button" class="primary wide" onClick={() => void goToProvider(at)}>
            Sign in at {new URL(at.authorizationEndpoint).host}
          </button>
          <p class="or">or</p>
        </>
      )}
      <form onSubmit={submit}>
        <label>
          <span>Token</span>
          <input
            type="password"
            value={token}
            onInput={(e) => setToken(e.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
            required
          />
        </label>
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class={at ? 'wide' : 'primary wide'} disabled={busy || !token.trim()}>
          Sign in
        </button>
      </form>
      <details>
        <summary>Where do I get a token?</summary>
        <p>
          A service account's: <code>kubectl create token NAME</code>. On a host, an API token of your account:{' '}
          <code>kedge token create</code>. The token stays in this tab and is forgotten with it.
        </p>
      </details>
    </main>
  )
}

/** The anchor that is thrown ahead. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
    <path
      d="M12 7v14M12 21c-5 0-8-3-8-7l-1.5 2M12 21c5 0 8-3 8-7l1.5 2M8 10h8"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
    <circle cx="12" cy="4.5" r="2.5" fill="none" stroke="currentColor" stroke-width="2" />
  </svg>
)
