// POST /kedge/v1/tokens: join tokens for administrators. Shown once; single use and a day long unless asked otherwise.
import { badRequest } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'
import type { Identity } from '../registry/context.ts'
import { json } from './answer.ts'
import { readText } from './body.ts'

const DAY = 24 * 3600

export async function issueJoinToken(cluster: Cluster, user: Identity, request: Request): Promise<Response> {
  // Whoever may create nodes may let one join.
  await cluster.authorizer.require(user, { verb: 'create', group: '', resource: 'nodes' })
  let raw: { uses?: number; seconds?: number } = {}
  try {
    raw = JSON.parse((await readText(request)) || '{}')
  } catch {
    throw badRequest('the body must be JSON')
  }
  const { uses = 1, seconds = DAY } = raw
  if (!Number.isInteger(uses) || uses < 1 || uses > 10_000) throw badRequest('uses must be between 1 and 10000')
  if (!Number.isInteger(seconds) || seconds < 1) throw badRequest('seconds must be positive')
  const token = await cluster.authenticators.tokens.issue(
    cluster.env.random,
    'join',
    { username: 'system:bootstrap', groups: ['system:bootstrappers'] },
    { uses, expires: cluster.clock.now() + seconds * 1000 },
  )
  return json(JSON.stringify({ token, uses, expires: new Date(cluster.clock.now() + seconds * 1000).toISOString() }), 201)
}
