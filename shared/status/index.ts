// The Status errors of the API: the only errors thrown on purpose, turned into an answer in one place (api/http).
import type { Cause } from '../meta/field-error.ts'

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: Cause[]
  retryAfterSeconds?: number
}

export interface StatusBody {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: Record<string, unknown>
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  details?: StatusDetails
  code?: number
}

/** Which resource an error speaks of: `pods`, group and name as the client asked. */
export interface Subject {
  group: string
  resource: string
  name?: string
}

export class StatusError extends Error {
  readonly code: number
  readonly reason: string
  readonly details?: StatusDetails
  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
  }
  toStatus(): StatusBody {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason ? { reason: this.reason } : {}),
      ...(this.details ? { details: this.details } : {}),
      code: this.code,
    }
  }
}

const qualified = (s: Subject) => (s.group ? `${s.resource}.${s.group}` : s.resource)
const detailsOf = (s: Subject): StatusDetails => ({
  ...(s.name ? { name: s.name } : {}),
  ...(s.group ? { group: s.group } : {}),
  kind: s.resource,
})

export const notFound = (s: Subject) => new StatusError(404, 'NotFound', `${qualified(s)} "${s.name}" not found`, detailsOf(s))
export const alreadyExists = (s: Subject) =>
  new StatusError(409, 'AlreadyExists', `${qualified(s)} "${s.name}" already exists`, detailsOf(s))
export const conflict = (s: Subject, why: string) =>
  new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(s)} "${s.name}": ${why}`, detailsOf(s))
export const staleVersion = (s: Subject) =>
  conflict(s, 'the object has been modified; please apply your changes to the latest version and try again')
export const badRequest = (message: string) => new StatusError(400, 'BadRequest', message)
export const unauthorized = () => new StatusError(401, 'Unauthorized', 'Unauthorized')
export const forbidden = (s: Subject, why: string) =>
  new StatusError(403, 'Forbidden', `${qualified(s)}${s.name ? ` "${s.name}"` : ''} is forbidden: ${why}`, detailsOf(s))
export const expired = (message: string) => new StatusError(410, 'Expired', message)
export const notAcceptable = (message: string) => new StatusError(406, 'NotAcceptable', message)
export const tooLarge = (message: string) => new StatusError(413, 'RequestEntityTooLarge', message)
export const internalError = (message: string) =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message } as Cause] })
export const unavailable = (message: string) => new StatusError(503, 'ServiceUnavailable', message)
export const genericNotFound = () => new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})

/** 422 with one cause per faulty field. `kind` is the Go kind, as in `Pod "p" is invalid`. */
export function invalid(group: string, kind: string, name: string, causes: Cause[]): StatusError {
  const lines = [...new Set(causes.map((c) => `${c.field}: ${c.message}`))]
  const all = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`
  return new StatusError(422, 'Invalid', `${kind}${group ? `.${group}` : ''} "${name}" is invalid: ${all}`, {
    ...(name ? { name } : {}),
    ...(group ? { group } : {}),
    kind,
    causes,
  })
}
