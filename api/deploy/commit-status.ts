// The status of a commit at its provider, while a delivery is under way and after it. Pure: which request says it.
import type { KObject } from '../../shared/meta/object.ts'
import type { Facts } from './payload.ts'

/** How each provider takes a commit's status. */
export function commitStatusOf(
  { hook, values, delivery }: { hook: KObject; values: Facts; delivery: KObject },
  apiUrl: string | undefined,
  token: string,
): { url: string; headers: Record<string, string>; body: unknown } | undefined {
  const { repository = '', sha } = values
  if (!apiUrl || !sha) return undefined
  const { phase, message } = delivery.status ?? {}
  const path = repository.split('/').map(encodeURIComponent).join('/')
  const context = `kedge/${hook.metadata.namespace}/${hook.metadata.name}`
  const description = (message || (phase === 'Running' ? 'deploying' : phase)).slice(0, 140)
  const good = phase === 'Succeeded' || phase === 'Superseded'
  switch (hook.spec.provider) {
    case 'GitLab':
      return {
        url: `${apiUrl}/projects/${encodeURIComponent(repository)}/statuses/${sha}`,
        headers: { 'private-token': token },
        body: { state: phase === 'Running' ? 'running' : good ? 'success' : 'failed', name: context, description },
      }
    case 'Bitbucket':
      return {
        url: `${apiUrl}/repositories/${path}/commit/${sha}/statuses/build`,
        headers: { authorization: `Bearer ${token}` },
        body: {
          state: phase === 'Running' ? 'INPROGRESS' : good ? 'SUCCESSFUL' : 'FAILED',
          key: context.slice(0, 40),
          name: context,
          description,
          // It wants a page: the commit's own.
          url: `https://bitbucket.org/${path}/commits/${sha}`,
        },
      }
    case 'GitHub':
    case 'Gitea':
      return {
        url: `${apiUrl}/repos/${path}/statuses/${sha}`,
        headers: { authorization: `${hook.spec.provider === 'Gitea' ? 'token' : 'Bearer'} ${token}` },
        body: { state: phase === 'Running' ? 'pending' : good ? 'success' : 'failure', context, description },
      }
    default:
      return undefined
  }
}
