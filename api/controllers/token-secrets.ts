// Secrets that are tokens. Those of service accounts are filled, and go with their account; what was made for accounts long ago and is used by nobody loses
// its power, and a year later is gone. Bootstrap tokens go when they expire.

import { type KObject, keyOf } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import {
  ACCOUNT,
  ACCOUNT_TOKEN,
  ACCOUNT_UID,
  BOOTSTRAP_TOKEN,
  DISABLE_TOKEN,
  FILL_TOKEN,
  INVALID_SINCE,
  LAST_USED,
} from '../../shared/token-secrets.ts'
import { type Controller, type Reader, type Result, splitKey } from '../engine/types.ts'

const DAY = 24 * 3600_000
/** How long a token is unused before it loses its power, and then before it goes, ms. */
const YEAR = 365 * DAY

const isAccountToken = (s: KObject | undefined): s is KObject => s?.type === ACCOUNT_TOKEN

interface View {
  secret: KObject
  account?: KObject
}

const secretsOf = (reader: Reader, { namespace, name }: KObject['metadata']): string[] =>
  reader
    .list('secrets', namespace)
    .filter((s) => isAccountToken(s) && s.metadata.annotations?.[ACCOUNT] === name)
    .map(keyOf)

const accountOf = (secret: KObject, reader: Reader): KObject | undefined =>
  reader.get('serviceaccounts', secret.metadata.namespace!, secret.metadata.annotations?.[ACCOUNT] ?? '')

export const accountTokens: Controller<View> = {
  name: 'serviceaccount-token-controller',
  all: (r) => r.list('secrets').filter(isAccountToken).map(keyOf),
  wakes: {
    secrets: ({ new: now }) => (isAccountToken(now) ? [keyOf(now)] : []),
    serviceaccounts: ({ old, new: now }, reader) => (old && now ? [] : secretsOf(reader, (now ?? old)!.metadata)),
  },
  view: (key, reader) => {
    const secret = reader.get('secrets', ...splitKey(key))
    if (!isAccountToken(secret) || secret.metadata.deletionTimestamp) return undefined
    const account = accountOf(secret, reader)
    return { secret, ...(account ? { account } : {}) }
  },
  reconcile: (_key, { secret, account }) => {
    const uid = secret.metadata.annotations?.[ACCOUNT_UID]
    if (!account || (uid !== undefined && uid !== account.metadata.uid))
      return { writes: [{ verb: 'delete', resource: 'secrets', object: secret }] }
    return { writes: secret.data?.token ? [] : [{ verb: 'task', task: FILL_TOKEN, object: secret }] }
  },
}

interface LegacyView {
  secret: KObject
  used: boolean
}

const dayOf = (text: string | undefined): number => Date.parse(`${text}T00:00:00Z`) || 0

function clean(_key: string, { secret, used }: LegacyView, now: number): Result {
  const { metadata } = secret
  const invalidSince = dayOf(metadata.labels?.[INVALID_SINCE])
  if (used) return { writes: [], requeueAt: now + DAY }
  if (invalidSince)
    return invalidSince + YEAR <= now
      ? { writes: [{ verb: 'delete', resource: 'secrets', object: secret }] }
      : { writes: [], requeueAt: invalidSince + YEAR }
  const last = Math.max(Date.parse(metadata.creationTimestamp) || 0, dayOf(metadata.labels?.[LAST_USED]))
  if (last + YEAR > now) return { writes: [], requeueAt: last + YEAR }
  // The engine has no secret's contents: a label is set by a task.
  return { writes: [{ verb: 'task', task: DISABLE_TOKEN, object: secret }] }
}

const mounts = (pod: KObject, name: string): boolean =>
  (pod.spec.volumes ?? []).some((v: any) =>
    [v, ...(v.projected?.sources ?? [])].some((x) => (x.secret?.secretName ?? x.secret?.name) === name),
  )

/** Of tokens that were made along with their accounts, as Kubernetes did before 1.24. */
export const legacyTokens: Controller<LegacyView> = {
  name: 'legacy-serviceaccount-token-cleaner-controller',
  all: (r) => r.list('secrets').filter(isAccountToken).map(keyOf),
  wakes: {
    secrets: ({ new: now }) => (isAccountToken(now) ? [keyOf(now)] : []),
    serviceaccounts: ({ old, new: now }, reader) => (now && !equal(old?.secrets, now.secrets) ? secretsOf(reader, now.metadata) : []),
  },
  view: (key, reader) => {
    const secret = reader.get('secrets', ...splitKey(key))
    if (!isAccountToken(secret) || secret.metadata.deletionTimestamp) return undefined
    const { namespace, name } = secret.metadata
    if (!accountOf(secret, reader)?.secrets?.some((s: any) => s.name === name)) return undefined
    return { secret, used: reader.list('pods', namespace).some((p) => mounts(p, name)) }
  },
  reconcile: clean,
}

const isBootstrap = (s: KObject | undefined): s is KObject => s?.type === BOOTSTRAP_TOKEN && s.metadata.namespace === 'kube-system'

export const bootstrapTokens: Controller<KObject> = {
  name: 'token-cleaner-controller',
  all: (r) => r.list('secrets', 'kube-system').filter(isBootstrap).map(keyOf),
  wakes: { secrets: ({ new: now }) => (isBootstrap(now) ? [keyOf(now)] : []) },
  view: (key, reader) => {
    const secret = reader.get('secrets', ...splitKey(key))
    return isBootstrap(secret) ? secret : undefined
  },
  reconcile: (_key, secret, now) => {
    const text = secret.data?.expiration
    const at = text === undefined ? Number.NaN : Date.parse(atob(text))
    if (Number.isNaN(at)) return { writes: [] }
    return at > now ? { writes: [], requeueAt: at } : { writes: [{ verb: 'delete', resource: 'secrets', object: secret }] }
  },
}
