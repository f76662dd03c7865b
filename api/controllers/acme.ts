// Certificates that ingresses ask for by `kubernetes.io/tls-acme`: when one is to be ordered, renewed, or asked for again after a failure. The account's
// key comes first, and nodes must know its thumbprint before a server looks for their answers.
import {
  ACME_ACCOUNT,
  ACME_CONFIG,
  ACME_HOSTS,
  ACME_NOT_AFTER,
  type AcmeSettings,
  acmeHosts,
  MAKE_ACCOUNT,
  ORDER_CERTIFICATE,
  type Outcome,
  settingsOf,
  THUMBPRINT,
  wantsAcme,
} from '../../shared/ingress/acme.ts'
import { CLASS, isServed, tlsSecrets } from '../../shared/ingress/class.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { type Change, type Controller, type Reader, type Result, splitKey, type Write } from '../engine/types.ts'

const INGRESSES = 'ingresses.networking.k8s.io'
const CLASSES = 'ingressclasses.networking.k8s.io'
const COMPONENT = 'acme-controller'
const ACCOUNT_KEY = 'account'
/** A certificate is renewed when so much of its time is left. Until when it began nobody here knows: 90 days are what the common server gives. */
const RENEW_BEFORE = 30 * 24 * 3600_000
/** Of one that lives shorter, a third of what was left when it was first seen. */
const SHORT = 3
/** Servers count failures by the hour, ms. */
const [FIRST_RETRY, MAX_RETRY] = [5 * 60_000, 6 * 3600_000]
/** What came of an order is looked at so soon after it, ms. */
const LOOK = 1000

const configOf = (reader: Reader) => settingsOf(reader.get('configmaps', ACME_CONFIG.namespace, ACME_CONFIG.name))
const accountOf = (reader: Reader) => reader.get('secrets', ACME_ACCOUNT.namespace, ACME_ACCOUNT.name)
const isNamed = (o: KObject, { namespace, name }: { namespace: string; name: string }) =>
  o.metadata.namespace === namespace && o.metadata.name === name
const about = ({ old, new: now }: Change): KObject => (now ?? old)!
const thumbprintOf = (o: KObject | undefined): string | undefined => o?.metadata.annotations?.[THUMBPRINT]

interface AccountView {
  account?: KObject
  class?: KObject
}

export const acmeAccount: Controller<AccountView> = {
  name: 'acme-account',
  all: () => [ACCOUNT_KEY],
  wakes: {
    configmaps: (change) => (isNamed(about(change), ACME_CONFIG) ? [ACCOUNT_KEY] : []),
    secrets: (change) => (isNamed(about(change), ACME_ACCOUNT) ? [ACCOUNT_KEY] : []),
    [CLASSES]: (change) => (about(change).metadata.name === CLASS ? [ACCOUNT_KEY] : []),
  },
  view: (_key, reader) => {
    if (typeof configOf(reader) !== 'object') return undefined
    return { account: accountOf(reader), class: reader.get(CLASSES, '', CLASS) }
  },
  reconcile: (_key, { account, class: ofUs }) => {
    if (!account) return { writes: [{ verb: 'task', task: MAKE_ACCOUNT, object: { metadata: {} as KObject['metadata'] } }] }
    const thumbprint = thumbprintOf(account)
    if (!ofUs || !thumbprint || thumbprintOf(ofUs) === thumbprint) return { writes: [] }
    const metadata = { ...ofUs.metadata, annotations: { ...ofUs.metadata.annotations, [THUMBPRINT]: thumbprint } }
    return { writes: [{ verb: 'update', resource: CLASSES, object: { ...ofUs, metadata } }] }
  },
}

/** What the last looks at a certificate came to. */
interface Memory {
  /** For which settings and hosts. */
  of: string
  tries: number
  /** The failure that ingresses have been told of, by its time. */
  told?: number
}

interface View {
  settings: AcmeSettings | string | undefined
  /** Nodes can answer. */
  ready: boolean
  ingresses: readonly KObject[]
  hosts: readonly string[]
  unable: readonly string[]
  secret?: KObject
  memory?: Memory
  answer?: { at: number; value: unknown }
}

const keysOf = (ingress: KObject | undefined): string[] =>
  ingress && wantsAcme(ingress) ? tlsSecrets(ingress).map((name) => `${ingress.metadata.namespace}/${name}`) : []
const wanting = (reader: Reader, ns?: string): KObject[] =>
  reader
    .list(INGRESSES, ns)
    .filter((i) => wantsAcme(i) && !i.metadata.deletionTimestamp && isServed(i, (name) => reader.get(CLASSES, '', name)))
const everyKey = (reader: Reader): string[] => [...new Set(wanting(reader).flatMap(keysOf))]

/** When a certificate is to be had anew; long ago where there is none for these hosts. */
function dueAt(secret: KObject | undefined, hosts: readonly string[], now: number): number {
  const { [ACME_HOSTS]: had, [ACME_NOT_AFTER]: until } = secret?.metadata.annotations ?? {}
  if (had !== hosts.join(',')) return 0
  const end = Date.parse(until ?? '') || 0
  const made = Date.parse(secret!.metadata.creationTimestamp ?? '') || now
  return end - Math.min(RENEW_BEFORE, Math.max(0, end - made) / SHORT)
}

function reconcile(key: string, v: View, now: number): Result {
  const [namespace, name] = splitKey(key)
  const told = (message: string, reason = 'CertificateFailed', type: 'Normal' | 'Warning' = 'Warning'): Write[] =>
    v.ingresses.map((object) => ({ verb: 'event', about: { resource: INGRESSES, object }, type, reason, message, component: COMPONENT }))
  // Somebody's own certificate is nobody else's business.
  if (v.secret && v.secret.metadata.annotations?.[ACME_HOSTS] === undefined) return { writes: [] }
  const due = dueAt(v.secret, v.hosts, now)
  if (due > now) return { writes: [], requeueAt: due }
  if (v.settings === undefined)
    return { writes: told(`no certificate for ${name}: there is no ConfigMap ${ACME_CONFIG.namespace}/${ACME_CONFIG.name}`) }
  if (typeof v.settings === 'string') return { writes: told(`no certificate for ${name}: ${v.settings}`) }
  const unable = v.unable.length ? told(`${v.unable.join(', ')}: wildcards cannot be proven over HTTP`) : []
  if (!v.hosts.length || !v.ready) return { writes: unable }
  const of = JSON.stringify([v.settings, v.hosts])
  const before = v.memory?.of === of ? v.memory : undefined
  const outcome = before && (v.answer?.value as Outcome | undefined)
  if (before && outcome && 'failed' in outcome) {
    const again = v.answer!.at + Math.min(FIRST_RETRY * 2 ** (before.tries - 1), MAX_RETRY)
    if (now < again) {
      const writes = before.told === v.answer!.at ? [] : told(`no certificate for ${v.hosts.join(', ')}: ${outcome.failed}`)
      return { writes, requeueAt: again, memory: { ...before, told: v.answer!.at } }
    }
  }
  const tries = outcome && 'failed' in outcome ? before!.tries + 1 : 1
  const order: Write = {
    verb: 'task',
    task: ORDER_CERTIFICATE,
    object: { metadata: { namespace, name } as KObject['metadata'], spec: { hosts: v.hosts } },
  }
  const began = told(`a certificate is ordered for ${v.hosts.join(', ')}`, 'CertificateOrdered', 'Normal')
  return { writes: [...unable, ...began, order], requeueAt: now + LOOK, memory: { of, tries } satisfies Memory }
}

export const acmeCertificates: Controller<View> = {
  name: COMPONENT,
  all: everyKey,
  wakes: {
    [INGRESSES]: ({ old, new: now }) => [...new Set([...keysOf(old), ...keysOf(now)])],
    secrets: (change, reader) => {
      const { namespace, name } = about(change).metadata
      return wanting(reader, namespace).some((i) => tlsSecrets(i).includes(name)) ? [`${namespace}/${name}`] : []
    },
    configmaps: (change, reader) => (isNamed(about(change), ACME_CONFIG) ? everyKey(reader) : []),
    [CLASSES]: ({ old, new: now }, reader) => (thumbprintOf(old) === thumbprintOf(now) ? [] : everyKey(reader)),
  },
  view: (key, reader) => {
    const [ns, name] = splitKey(key)
    const ingresses = wanting(reader, ns).filter((i) => tlsSecrets(i).includes(name))
    if (!ingresses.length) return undefined
    const thumbprint = thumbprintOf(accountOf(reader))
    return {
      settings: configOf(reader),
      ready: thumbprint !== undefined && thumbprintOf(reader.get(CLASSES, '', CLASS)) === thumbprint,
      ingresses,
      ...acmeHosts(ingresses, name),
      secret: reader.get('secrets', ns, name),
      memory: reader.memory(COMPONENT, key) as Memory | undefined,
      answer: reader.answer(COMPONENT, key),
    }
  },
  reconcile,
}
