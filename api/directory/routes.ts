// The routes of /v1 as declarations: paths, bodies and answers. What they do is in rest.ts; a route is added here and handled there.
import { createRoute, z } from '@hono/zod-openapi'
import { dnsLabel } from '../../shared/meta/names.ts'
import { roles } from './roles.ts'

const label = z.string().refine((v) => !dnsLabel(v).length, { message: 'must be a DNS label: lower case letters, digits and -' })
const Time = z.string().openapi({ format: 'date-time' })
const RoleSchema = z.enum(roles).openapi('Role')
const AccountSchema = z
  .object({ name: z.string(), title: z.string(), created: Time, limits: z.record(z.string(), z.number()) })
  .openapi('Account')
const MemberSchema = z.object({ user: z.string(), role: RoleSchema, created: Time }).openapi('Member')
const TokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: RoleSchema,
    cluster: z.string().optional(),
    namespace: z.string().optional(),
    created: Time,
    expires: Time.optional(),
    lastUsed: Time.optional(),
  })
  .openapi('Token')
const SecretSchema = TokenSchema.extend({ token: z.string().openapi({ description: 'The token itself: shown this once.' }) }).openapi(
  'NewToken',
)
const ClusterSchema = z
  .object({
    name: z.string(),
    id: z.string(),
    state: z.enum(['active', 'suspended', 'deleting']),
    created: Time,
    server: z.string().openapi({ description: 'What kubectl is to be given as the server.' }),
    caCertificate: z.string().optional(),
  })
  .openapi('Cluster')
const UsageSchema = z.object({ day: z.string(), cluster: z.string(), requests: z.number() }).openapi('Usage')
const StatusSchema = z.object({ kind: z.literal('Status'), code: z.number(), reason: z.string(), message: z.string() }).openapi('Status')

const listOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item) })
const answer = <T extends z.ZodType>(schema: T, description: string) => ({ description, content: { 'application/json': { schema } } })
const takes = <T extends z.ZodType>(schema: T) => ({ body: { required: true, content: { 'application/json': { schema } } } })
const fault = { default: answer(StatusSchema, 'Why not, as a Kubernetes Status') }
const none = { 204: { description: 'Done' } }
const inAccount = z.object({ account: z.string() })
const inCluster = inAccount.extend({ cluster: z.string() })

/** Every route with what it takes and gives; the OpenAPI document is made from this. */
export const routes = {
  createAccount: createRoute({
    method: 'post',
    path: '/v1/accounts',
    summary: 'Open an account',
    request: takes(z.object({ name: label, title: z.string().max(200).optional() }).strict()),
    responses: {
      201: answer(
        z.object({ account: AccountSchema, token: SecretSchema.optional() }),
        'The account; its owner is the person who is signed in, or else the bearer of the token',
      ),
      ...fault,
    },
  }),
  signIn: createRoute({
    method: 'get',
    path: '/v1/sign-in',
    summary: 'How people sign in here',
    responses: {
      200: answer(z.object({ oidc: z.object({ issuer: z.string(), clientId: z.string() }).optional() }), 'The provider, if there is one'),
    },
  }),
  whoami: createRoute({
    method: 'get',
    path: '/v1/whoami',
    summary: 'Who the caller is, and in which accounts',
    responses: {
      200: answer(
        z.object({
          user: z.string().optional(),
          account: AccountSchema.optional(),
          token: TokenSchema.optional(),
          accounts: z.array(z.object({ name: z.string(), role: RoleSchema })),
        }),
        'The caller',
      ),
      ...fault,
    },
  }),
  getAccount: createRoute({
    method: 'get',
    path: '/v1/accounts/{account}',
    summary: 'Read an account',
    request: { params: inAccount },
    responses: { 200: answer(AccountSchema, 'The account'), ...fault },
  }),
  deleteAccount: createRoute({
    method: 'delete',
    path: '/v1/accounts/{account}',
    summary: 'Close an account that has no clusters',
    request: { params: inAccount },
    responses: { ...none, ...fault },
  }),
  setLimits: createRoute({
    method: 'put',
    path: '/v1/accounts/{account}/limits',
    summary: 'Set what an account may use (the operator)',
    request: { params: inAccount, ...takes(z.record(z.string(), z.number().nonnegative())) },
    responses: { ...none, ...fault },
  }),
  listMembers: createRoute({
    method: 'get',
    path: '/v1/accounts/{account}/members',
    summary: 'List members',
    request: { params: inAccount },
    responses: { 200: answer(listOf(MemberSchema), 'The members'), ...fault },
  }),
  putMember: createRoute({
    method: 'put',
    path: '/v1/accounts/{account}/members/{user}',
    summary: 'Add a member or change the role',
    request: { params: inAccount.extend({ user: z.string().max(300) }), ...takes(z.object({ role: RoleSchema }).strict()) },
    responses: { ...none, ...fault },
  }),
  deleteMember: createRoute({
    method: 'delete',
    path: '/v1/accounts/{account}/members/{user}',
    summary: 'Remove a member',
    request: { params: inAccount.extend({ user: z.string() }) },
    responses: { ...none, ...fault },
  }),
  listTokens: createRoute({
    method: 'get',
    path: '/v1/accounts/{account}/tokens',
    summary: 'List tokens, without their texts',
    request: { params: inAccount },
    responses: { 200: answer(listOf(TokenSchema), 'The tokens'), ...fault },
  }),
  createToken: createRoute({
    method: 'post',
    path: '/v1/accounts/{account}/tokens',
    summary: 'Make a token',
    request: {
      params: inAccount,
      ...takes(
        z
          .object({
            name: z.string().min(1).max(100),
            role: RoleSchema,
            cluster: z.string().optional(),
            namespace: label.optional(),
            seconds: z.number().int().positive().optional().openapi({ description: 'How long it holds; for ever where absent.' }),
          })
          .strict(),
      ),
    },
    responses: { 201: answer(SecretSchema, 'The token'), ...fault },
  }),
  deleteToken: createRoute({
    method: 'delete',
    path: '/v1/accounts/{account}/tokens/{id}',
    summary: 'Revoke a token',
    request: { params: inAccount.extend({ id: z.string() }) },
    responses: { ...none, ...fault },
  }),
  listClusters: createRoute({
    method: 'get',
    path: '/v1/accounts/{account}/clusters',
    summary: 'List clusters',
    request: { params: inAccount },
    responses: { 200: answer(listOf(ClusterSchema), 'The clusters'), ...fault },
  }),
  createCluster: createRoute({
    method: 'post',
    path: '/v1/accounts/{account}/clusters',
    summary: 'Make a cluster',
    request: { params: inAccount, ...takes(z.object({ name: label }).strict()) },
    responses: { 201: answer(ClusterSchema, 'The cluster: it answers already'), ...fault },
  }),
  getCluster: createRoute({
    method: 'get',
    path: '/v1/accounts/{account}/clusters/{cluster}',
    summary: 'Read a cluster',
    request: { params: inCluster },
    responses: { 200: answer(ClusterSchema, 'The cluster'), ...fault },
  }),
  deleteCluster: createRoute({
    method: 'delete',
    path: '/v1/accounts/{account}/clusters/{cluster}',
    summary: 'Delete a cluster with everything in it',
    request: { params: inCluster },
    responses: { ...none, ...fault },
  }),
  suspend: createRoute({
    method: 'post',
    path: '/v1/accounts/{account}/clusters/{cluster}/suspend',
    summary: 'Stop serving a cluster; its data stays',
    request: { params: inCluster },
    responses: { 200: answer(ClusterSchema, 'The cluster'), ...fault },
  }),
  resume: createRoute({
    method: 'post',
    path: '/v1/accounts/{account}/clusters/{cluster}/resume',
    summary: 'Serve a suspended cluster again',
    request: { params: inCluster },
    responses: { 200: answer(ClusterSchema, 'The cluster'), ...fault },
  }),
  usage: createRoute({
    method: 'get',
    path: '/v1/accounts/{account}/usage',
    summary: 'Requests by day and cluster, the newest first',
    request: { params: inAccount },
    responses: { 200: answer(listOf(UsageSchema), 'The usage'), ...fault },
  }),
  importCluster: createRoute({
    method: 'post',
    path: '/v1/accounts/{account}/clusters/{cluster}/import',
    summary: 'Make a cluster from an archive',
    request: { params: inCluster, body: { required: true, content: { 'application/x-ndjson': { schema: z.string() } } } },
    responses: { 201: answer(ClusterSchema, 'The cluster: it answers already'), ...fault },
  }),
}
