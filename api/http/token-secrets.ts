// Writes into Secrets that are service accounts' tokens: what the engine asks for, which sees no secret's contents.
import { kindByName } from '../../shared/kinds/index.ts'
import { toBase64Text } from '../../shared/meta/base64.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { ACCOUNT, ACCOUNT_UID, DISABLE_TOKEN, FILL_TOKEN, INVALID_SINCE, LAST_USED } from '../../shared/token-secrets.ts'
import type { Cluster } from '../cluster.ts'
import { systemContext } from '../registry/context.ts'
import { keyFor } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'

const kind = kindByName('', 'Secret')!
const options = { fieldManager: 'kedge', fieldValidation: 'Ignore' as const }

const change = async ({ env }: Pick<Cluster, 'env'>, { namespace, name }: KObject['metadata'], to: (o: KObject) => void): Promise<void> => {
  await mutate(
    env,
    kind,
    keyFor(kind, namespace!, name),
    'main',
    (object) => {
      to(object)
      return { object }
    },
    options,
    systemContext('serviceaccount-token-controller'),
  ).catch((e) => {
    if (e?.code !== 404) throw e
  })
}

const label = (o: KObject, key: string, value: string): void => {
  o.metadata.labels = { ...o.metadata.labels, [key]: value }
}

export const tokenTasks = (cluster: Cluster) => ({
  [FILL_TOKEN]: async (secret: KObject): Promise<void> => {
    const { namespace, name, annotations } = secret.metadata
    const account = await cluster.env.lookup.get('serviceaccounts', namespace!, annotations?.[ACCOUNT] ?? '')
    if (!account) return
    const { uid } = account.metadata
    const token = await cluster.authenticators.accounts.issueFor(namespace!, account.metadata.name, uid, name)
    const ca = await cluster.authority.bundle()
    await change(cluster, secret.metadata, (o) => {
      o.metadata.annotations = { ...o.metadata.annotations, [ACCOUNT_UID]: uid }
      o.data = { ...o.data, 'ca.crt': toBase64Text(ca), namespace: toBase64Text(namespace!), token: o.data?.token ?? toBase64Text(token) }
    })
  },
  [DISABLE_TOKEN]: async (secret: KObject): Promise<void> => {
    const day = timeString(cluster.clock.now()).slice(0, 10)
    await change(cluster, secret.metadata, (o) => label(o, INVALID_SINCE, day))
  },
})

/** Notes on a token's secret the day on which it was used. */
export const noteUse =
  (cluster: Cluster) =>
  (namespace: string, name: string, day: string): void => {
    void change(cluster, { namespace, name } as KObject['metadata'], (o) => label(o, LAST_USED, day)).catch((cause) =>
      cluster.log.error('the use of a token could not be noted', cause, { secret: `${namespace}/${name}` }),
    )
  }
