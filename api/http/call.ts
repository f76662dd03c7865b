// Calls of the cluster's own API from inside, as somebody.
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import type { Connection } from '../ports/socket.ts'
import type { Identity } from '../registry/context.ts'

/** A request of the cluster's own API as somebody. Answers of any code come back. */
export type Call = (
  identity: Identity,
  method: string,
  path: string,
  body?: unknown,
  contentType?: string,
) => Promise<{ code: number; body: any }>

/** Where an object of a kind lies; the namespace of what is in none is not looked at. */
export function pathOf(kind: Kind, ns: string, name: string): string {
  const base = kind.group ? `/apis/${apiVersionOf(kind)}` : `/api/${kind.version}`
  const where = kind.namespaced ? `/namespaces/${encodeURIComponent(ns)}` : ''
  return `${base}${where}/${kind.plural}/${encodeURIComponent(name)}`
}

/** A Call by way of the app, as if the request came in from outside. */
export const callThrough =
  (fetch: (request: Request, connection: Connection) => Response | Promise<Response>, prefix = ''): Call =>
  async (identity, method, path, body, contentType = 'application/json') => {
    const request = new Request(`https://kubernetes.default.svc${prefix}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } }),
    })
    const response = await fetch(request, { identity })
    return { code: response.status, body: await response.json().catch(() => undefined) }
  }
