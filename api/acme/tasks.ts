// What certificates by ACME need beyond the engine's view: the account's key, the server, and the Secrets that both end in. A task may run twice: a Secret
// that is there is not made again, and an order that was cut short is another one.
import { exportJWK, generateKeyPair } from 'jose'
import {
  ACME_ACCOUNT,
  ACME_CONFIG,
  ACME_HOSTS,
  ACME_NOT_AFTER,
  CHALLENGES,
  MAKE_ACCOUNT,
  ORDER_CERTIFICATE,
  type Outcome,
  settingsOf,
  THUMBPRINT,
} from '../../shared/ingress/acme.ts'
import { kindByName } from '../../shared/kinds/index.ts'
import { fromBase64Text, toBase64Text } from '../../shared/meta/base64.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import type { Cluster } from '../cluster.ts'
import { systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { AcmeClient, AcmeError, thumbprintOf } from './client.ts'

const kind = kindByName('', 'Secret')!
const options = { fieldManager: 'acme-controller', fieldValidation: 'Ignore' as const }
const context = systemContext('acme-controller')
const KEY = 'key.jwk'
/** How long it is waited until a host's challenges are answered, and between two looks, ms. Whoever cannot look from here lets the server look. */
const [ANSWERED_WITHIN, LOOK_EVERY] = [10_000, 500]

const isAlreadyThere = (cause: unknown) => (cause as { code?: number }).code === 409

export const acmeTasks = (cluster: Cluster) => {
  const { env, clock } = cluster
  const secret = (ns: string, name: string) => env.lookup.get('secrets', ns, name)

  /** Until the nodes answer for this host. */
  async function answering(host: string, thumbprint: string): Promise<void> {
    const url = `http://${host}${CHALLENGES}look`
    for (const until = clock.now() + ANSWERED_WITHIN; clock.now() < until; await new Promise((r) => setTimeout(r, LOOK_EVERY))) {
      const found = await cluster.env.outbound(url, { signal: AbortSignal.timeout(LOOK_EVERY * 4) }).then(
        (res) => res.text(),
        () => '',
      )
      if (found.trim() === `look.${thumbprint}`) return
    }
  }

  async function keep(ns: string, name: string, hosts: readonly string[], chain: string, key: string): Promise<void> {
    const { endOf } = await import('./signing-request.ts')
    const end = endOf(chain)
    if (end === undefined) throw new AcmeError('the server gives no certificate')
    const annotations = { [ACME_HOSTS]: hosts.join(','), [ACME_NOT_AFTER]: timeString(end) }
    const data = { 'tls.crt': toBase64Text(chain), 'tls.key': toBase64Text(key) }
    const object = { metadata: { namespace: ns, name, annotations } as unknown as KObject['metadata'], type: 'kubernetes.io/tls', data }
    try {
      await create(env, kind, ns, object, options, context)
    } catch (cause) {
      if (!isAlreadyThere(cause)) throw cause
      const renew = (o: KObject) => {
        if (o.metadata.annotations?.[ACME_HOSTS] === undefined) throw new AcmeError(`secret ${ns}/${name} is somebody else's`)
        return { object: { ...o, metadata: { ...o.metadata, annotations: { ...o.metadata.annotations, ...annotations } }, data } }
      }
      await mutate(env, kind, keyFor(kind, ns, name), 'main', renew, options, context)
    }
  }

  return {
    [MAKE_ACCOUNT]: async (): Promise<void> => {
      const { privateKey } = await generateKeyPair('ES256', { extractable: true })
      const key = await exportJWK(privateKey)
      const { namespace, name } = ACME_ACCOUNT
      const metadata = { namespace, name, annotations: { [THUMBPRINT]: await thumbprintOf(key) } } as unknown as KObject['metadata']
      await create(env, kind, namespace, { metadata, data: { [KEY]: toBase64Text(JSON.stringify(key)) } }, options, context).catch(
        (cause) => {
          if (!isAlreadyThere(cause)) throw cause
        },
      )
    },

    [ORDER_CERTIFICATE]: async ({ metadata, spec }: KObject): Promise<Outcome> => {
      const hosts: string[] = spec.hosts
      try {
        const settings = settingsOf(await env.lookup.get('configmaps', ACME_CONFIG.namespace, ACME_CONFIG.name))
        const account = await secret(ACME_ACCOUNT.namespace, ACME_ACCOUNT.name)
        if (typeof settings !== 'object' || !account) return { failed: 'there is no account' }
        const accountKey = JSON.parse(fromBase64Text(account.data[KEY]))
        const thumbprint = await thumbprintOf(accountKey)
        const { signingRequest } = await import('./signing-request.ts')
        const { key, request } = await signingRequest(hosts)
        const client = new AcmeClient(env.outbound, settings.server, accountKey, settings.ca)
        const chain = await client.issue({
          hosts,
          ...(settings.email ? { email: settings.email } : {}),
          request,
          answering: (host) => answering(host, thumbprint),
        })
        await keep(metadata.namespace!, metadata.name, hosts, chain, key)
        return { issued: true }
      } catch (cause) {
        if (!(cause instanceof AcmeError)) cluster.log.error('a certificate could not be had', cause, { hosts: hosts.join(',') })
        return { failed: (cause as Error).message.slice(0, 500) }
      }
    },
  }
}
