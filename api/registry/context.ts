// Who asks for a write and how: carried from the door to the log row.

import type { AuditPolicy } from '../../shared/audit/policy.ts'
import type { Output } from '../../shared/log-outputs.ts'
import type { Attributes } from '../../shared/meta/attributes.ts'
import type { PodSecurityConfiguration } from '../../shared/pod-security/policy.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Hub } from '../ports/hub.ts'
import type { Outbound } from '../ports/outbound.ts'
import type { Store } from '../store/store.ts'
import type { TraceSettings } from '../tracing/tracer.ts'
import type { AdmissionRules } from './admission-rules.ts'
import type { ClusterKinds } from './cluster-kinds.ts'
import type { Lookup } from './lookup.ts'

/** Rights that come with an identity instead of a binding: a cluster role, in one namespace or everywhere. */
export interface Grant {
  clusterRole: string
  namespace?: string
}

export interface Identity {
  username: string
  uid?: string
  groups: string[]
  extra?: Record<string, string[]>
  grants?: Grant[]
}

/** An identity as reviews, webhooks and the audit log show it. */
export const userInfo = ({ username, uid, groups, extra }: Identity) => ({
  username,
  ...(uid ? { uid } : {}),
  groups,
  ...(extra ? { extra } : {}),
})

export type { Attributes }

export interface RequestContext {
  user: Identity
  /** JSON for the log row: user, address, request id. */
  by: string
  /** Warnings that travel back as headers. */
  warnings: string[]
  /** What admission has to say for the audit log. */
  annotations?: Record<string, string>
  /** What expressions (rules, policies) have cost so far. */
  cost?: number
}

export interface WriteOptions {
  dryRun?: boolean
  fieldManager: string
  fieldValidation: 'Ignore' | 'Warn' | 'Strict'
}

/** What a certificate signing request asks to be certified. */
export interface SigningRequest {
  commonName: string
  organizations: string[]
  names: { type: string; value: string }[]
}

export interface Environment {
  store: Store
  clock: Clock
  random: Random
  lookup: Lookup
  /** What is served: built-in kinds and custom ones. */
  kinds: ClusterKinds
  /** Webhooks and policies. */
  rules: AdmissionRules
  /** Whether a user already holds every right that these rules give; RBAC's escalation check. */
  covers: (user: Identity, ns: string | undefined, rules: any[]) => Promise<boolean>
  /** Whether a user may do this; for bind and escalate. */
  allowed: (user: Identity, attributes: Attributes) => Promise<boolean>
  /** The cluster's CA, as approvals of signing requests need it. */
  authority: {
    readRequest: (pem: string) => Promise<SigningRequest>
    sign: (pem: string, usages: string[], ttl: number) => Promise<string>
    /** What keeps a certificate (base64 of DER) from being a trust anchor. */
    whyNoAnchor: (der: string) => Promise<string | undefined>
    proxyCertificate: () => Promise<{ cert: string; key: string }>
  }
  /** HTTP into the cluster, and to servers elsewhere. */
  reach: Hub['reach']
  outbound: Outbound
  /** What admission needs from the cluster's configuration. */
  settings: Settings
  /** Whether the cluster holds as many objects as it may. */
  full: () => Promise<boolean>
}

export interface Settings {
  /** One range, or after a comma one of the other family as well: the first is that of services that do not say. As kube-apiserver's flags have it. */
  serviceCidr: string
  podCidr: string
  nodePorts: [number, number]
  clusterDomain: string
  /** PEM of the CA that clients must trust, where there is one. */
  caCertificate?: string
  /** Who signs service-account tokens. A URL beyond the cluster's own name is where its keys can be fetched. */
  issuer: string
  /** Whether requests without credentials are let in as system:anonymous. */
  anonymous: boolean
  /** Admission steps that are off where they are not named, by Kubernetes' names. */
  admissionPlugins: readonly string[]
  /** Whether versions that Kubernetes removed are served, too. */
  olderVersions?: boolean
  podSecurity?: PodSecurityConfiguration
  /** Of which requests how much is written down; without it there is no audit log. */
  auditPolicy?: AuditPolicy
  /** Where its Events are sent as well. */
  eventOutputs?: readonly Output[]
  /** Where traces are sent; without it there are none. */
  tracing?: TraceSettings
  /** How many objects the cluster may hold; no bound where absent. */
  maxObjects?: number
  /** How many watches may be open at once. */
  maxWatches: number
}

/** The context of the control plane's own writes; `trace` is what they are part of. */
export const systemContext = (component: string, trace?: string): RequestContext => ({
  user: { username: `system:${component}`, groups: ['system:masters'] },
  by: JSON.stringify({ user: `system:${component}`, ...(trace ? { trace } : {}) }),
  warnings: [],
})
