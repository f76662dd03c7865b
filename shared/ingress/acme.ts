// Certificates by ACME (RFC 8555), as the control plane and the nodes understand each other about them.
// Nodes keep nothing of an order: the answer to a challenge is its token and the account's thumbprint, and the thumbprint stands on the class.
import type { KObject } from '../meta/object.ts'
import { tlsSecrets } from './class.ts'

const SERVER = 'https://acme-v02.api.letsencrypt.org/directory'

/** The ConfigMap that switches it on: `server`, `email`, `agreeToTerms`, `caBundle`. */
export const ACME_CONFIG = { namespace: 'kube-system', name: 'kedge-acme' } as const
/** The Secret with the account's key. */
export const ACME_ACCOUNT = { namespace: 'kube-system', name: 'kedge-acme-account' } as const
/** On an ingress: its certificates are to be had. On others' controllers it says the same. */
const WANTED = 'kubernetes.io/tls-acme'
/** On the account's Secret and on the class: what answers to challenges end with. */
export const THUMBPRINT = 'kedge.dev/acme-thumbprint'
/** On a Secret that was had so: for which hosts, sorted, and until when. */
export const ACME_HOSTS = 'kedge.dev/acme-hosts'
export const ACME_NOT_AFTER = 'kedge.dev/acme-not-after'
/** Where a server looks for the answer, before the token. */
export const CHALLENGES = '/.well-known/acme-challenge/'

/** What the control plane is asked for beyond writes: an account's key, and a certificate for `spec.hosts` in the Secret that `metadata` names. */
export const MAKE_ACCOUNT = 'acme-account'
export const ORDER_CERTIFICATE = 'acme-certificate'
export type Outcome = { issued: true } | { failed: string }

export interface AcmeSettings {
  server: string
  email?: string
  /** PEM: all that is trusted, where it is given. */
  ca?: string
}

/** What the ConfigMap says; a text where it does not suffice, and undefined where there is none. */
export function settingsOf(config: KObject | undefined): AcmeSettings | string | undefined {
  if (!config) return undefined
  const { server = SERVER, email, agreeToTerms, caBundle } = config.data ?? {}
  const where = `ConfigMap ${ACME_CONFIG.namespace}/${ACME_CONFIG.name}`
  if (agreeToTerms !== 'true') return `${where}: agreeToTerms is to be "true" once you agree to the server's terms`
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:') return `${where}: server ${JSON.stringify(server)} is no https URL`
  return { server, ...(email ? { email } : {}), ...(caBundle ? { ca: caBundle } : {}) }
}

export const wantsAcme = (ingress: any): boolean => ingress.metadata.annotations?.[WANTED] === 'true'

const namesOf = (ingress: any, tls: any): string[] =>
  (tls.hosts?.length ? tls.hosts : (ingress.spec?.rules ?? []).flatMap((r: any) => r.host ?? [])).map((h: string) => h.toLowerCase())

/** The hosts that a Secret's certificate is wanted for, sorted; wildcards are `unable`: nobody proves them over HTTP. */
export function acmeHosts(ingresses: readonly any[], secretName: string): { hosts: string[]; unable: string[] } {
  const all = ingresses
    .filter(wantsAcme)
    .flatMap((i) => (i.spec?.tls ?? []).filter((t: any) => t.secretName === secretName).flatMap((t: any) => namesOf(i, t)))
  const sorted = [...new Set<string>(all)].sort()
  return { hosts: sorted.filter((h) => !h.startsWith('*.')), unable: sorted.filter((h) => h.startsWith('*.')) }
}

/** All hosts for which a challenge may come. */
export const challengedHosts = (ingresses: readonly any[]): string[] => [
  ...new Set(ingresses.filter(wantsAcme).flatMap((i) => tlsSecrets(i).flatMap((name) => acmeHosts([i], name).hosts))),
]
