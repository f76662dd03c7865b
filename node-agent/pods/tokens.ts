// Service-account tokens for projected volumes: bound to their pod, kept in memory, renewed after four fifths of their life.
import type { Api } from '../session/api.ts'

interface Held {
  token: string
  renewAt: number
}

export class PodTokens {
  readonly #api: Api
  readonly #held = new Map<string, Held>()
  constructor(api: Api) {
    this.#api = api
  }

  async get(pod: any, audience: string | undefined, seconds: number): Promise<string> {
    const { namespace, name, uid } = pod.metadata
    const key = `${uid} ${audience ?? ''} ${seconds}`
    const known = this.#held.get(key)
    if (known && known.renewAt > performance.now()) return known.token
    const account = pod.spec.serviceAccountName ?? 'default'
    try {
      const answer = await this.#api.call('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        spec: {
          ...(audience ? { audiences: [audience] } : {}),
          expirationSeconds: seconds,
          boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
        },
      })
      const held = { token: answer.status.token, renewAt: performance.now() + seconds * 800 }
      this.#held.set(key, held)
      return held.token
    } catch (cause) {
      // An old token is better than none while the API is away.
      if (known) return known.token
      throw cause
    }
  }

  /** When the first of a pod's tokens wants renewing, ms; at once while it has none here. */
  due(uid: string): number {
    const mine = [...this.#held].filter(([key]) => key.startsWith(`${uid} `)).map(([, held]) => held.renewAt)
    return mine.length ? Math.min(...mine) : 0
  }

  forget(uid: string): void {
    for (const key of this.#held.keys()) if (key.startsWith(`${uid} `)) this.#held.delete(key)
  }
}
