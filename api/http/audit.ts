// The audit log: who asked for what, and what came of it, as audit.k8s.io/v1 events, as far as the policy wants.
import { type AuditPolicy, type Decision, decide, type Stage } from '../../shared/audit/policy.ts'
import type { Audit } from '../ports/audit.ts'
import { type Attributes, type Identity, userInfo } from '../registry/context.ts'

/** Bodies beyond this are left out. */
const MAX_BODY = 1024 * 1024

interface Asked {
  id: string
  request: Request
  /** Path and query as the client sent them. */
  uri: string
  address?: string
  attributes: Attributes
  /** Absent where it could not be found out. */
  user?: Identity
  /** Who impersonates the user. */
  behind?: Identity
}

function withoutManaged(o: any): any {
  if (Array.isArray(o?.items)) return { ...o, items: o.items.map(withoutManaged) }
  if (!o?.metadata?.managedFields) return o
  const { managedFields: _, ...metadata } = o.metadata
  return { ...o, metadata }
}

async function jsonOf(
  body: { headers: { get(name: string): string | null }; text(): Promise<string> },
  { omitManagedFields }: Decision,
): Promise<any> {
  if (Number(body.headers.get('content-length') ?? 0) > MAX_BODY) return undefined
  try {
    const o = JSON.parse(await body.text())
    return omitManagedFields ? withoutManaged(o) : o
  } catch {
    return undefined
  }
}

export class AuditTrail {
  readonly #audit: Audit
  readonly #policy: AuditPolicy
  readonly #now: () => number

  constructor(audit: Audit, policy: AuditPolicy, now: () => number) {
    this.#audit = audit
    this.#policy = policy
    this.#now = now
  }

  #stamp(): string {
    return new Date(this.#now()).toISOString().replace('Z', '000Z')
  }

  /** What all events of a request say, and how one of them is written. Undefined where the policy wants none. */
  #begin(a: Asked): { decision: Decision; write: (stage: Stage, more?: object) => void } | undefined {
    const { attributes: at, user } = a
    const decision = decide(this.#policy, { ...at, user: user?.username ?? '', groups: user?.groups ?? [] })
    if (decision.level === 'None') return undefined
    const by = a.behind ?? user
    const agent = a.request.headers.get('user-agent')
    const base = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: decision.level,
      auditID: a.id,
      requestURI: a.uri,
      verb: at.verb,
      user: by ? userInfo(by) : {},
      ...(a.behind && user ? { impersonatedUser: userInfo(user) } : {}),
      ...(a.address ? { sourceIPs: [a.address] } : {}),
      ...(agent ? { userAgent: agent } : {}),
      ...(at.path === undefined
        ? {
            objectRef: {
              resource: at.resource,
              ...(at.namespace ? { namespace: at.namespace } : {}),
              ...(at.name ? { name: at.name } : {}),
              ...(at.group ? { apiGroup: at.group } : {}),
              ...(at.subresource ? { subresource: at.subresource } : {}),
            },
          }
        : {}),
      requestReceivedTimestamp: this.#stamp(),
    }
    return {
      decision,
      write: (stage, more = {}) => {
        if (!decision.omitStages.has(stage)) this.#audit.write({ ...base, stage, stageTimestamp: this.#stamp(), ...more })
      },
    }
  }

  /** Writes down a request that was refused because nobody knows who asks. */
  refused(a: Asked): void {
    const header = a.request.headers.get('authorization')
    const scheme = (header ?? '').split(' ', 1)[0]!.toLowerCase()
    const message = `Authentication failed, ${scheme ? `attempted: ${scheme}` : 'no credentials found'}`
    const responseStatus = { metadata: {}, status: 'Failure', message, reason: 'Unauthorized', code: 401 }
    this.#begin(a)?.write('ResponseStarted', { responseStatus })
  }

  /** Answers a request by `next`, and writes down what the policy wants of it. `annotations` are what admission has to say. */
  async around(a: Asked, annotations: Record<string, string>, next: () => Promise<Response>): Promise<void> {
    const begun = this.#begin(a)
    if (!begun) return void (await next())
    const { decision, write } = begun
    const { attributes: at } = a
    write('RequestReceived')
    const bodies = decision.level !== 'Metadata'
    // Read before the handler does; what is streamed has no body to show.
    const asked = bodies && a.request.body ? jsonOf(a.request.clone(), decision) : undefined
    const response = await next()
    const long = at.verb === 'watch' || ['exec', 'attach', 'portforward', 'proxy'].includes(at.subresource ?? '')
    const whole = decision.level === 'RequestResponse' && !long && response.body ? jsonOf(response.clone(), decision) : undefined
    const { status: code } = response
    const more = {
      responseStatus: { metadata: {}, code },
      annotations: { 'authorization.k8s.io/decision': code === 403 ? 'forbid' : 'allow', ...annotations },
    }
    if (long) return write('ResponseStarted', more)
    const [requestObject, responseObject] = [await asked, await whole]
    write('ResponseComplete', { ...more, ...(requestObject ? { requestObject } : {}), ...(responseObject ? { responseObject } : {}) })
  }
}
