// Who asks for a write and how: carried from the door to the log row.
import type { Clock, Random } from '../ports/clock.ts'
import type { Store } from '../store/store.ts'
import type { Lookup } from './lookup.ts'

export interface Identity {
  username: string
  uid?: string
  groups: string[]
  extra?: Record<string, string[]>
}

/** What is asked, as the authorizer sees it. */
export interface Attributes {
  verb: string
  group?: string
  resource?: string
  subresource?: string
  namespace?: string
  name?: string
  /** Non-resource requests have a path instead of a resource. */
  path?: string
}

export interface RequestContext {
  user: Identity
  /** JSON for the log row: user, address, request id. */
  by: string
  /** Warnings that travel back as headers. */
  warnings: string[]
}

export interface WriteOptions {
  dryRun?: boolean
  fieldManager: string
  fieldValidation: 'Ignore' | 'Warn' | 'Strict'
}

export interface Environment {
  store: Store
  clock: Clock
  random: Random
  lookup: Lookup
  /** Whether a user already holds every right that these rules give; RBAC's escalation check. */
  covers: (user: Identity, ns: string | undefined, rules: any[]) => Promise<boolean>
  /** Whether a user may do this; for bind and escalate. */
  allowed: (user: Identity, attributes: Attributes) => Promise<boolean>
  /** What admission needs from the cluster's configuration. */
  settings: Settings
}

export interface Settings {
  serviceCidr: string
  podCidr: string
  nodePorts: [number, number]
  clusterDomain: string
  clusterDns: string
  /** PEM of the CA that clients must trust, where there is one. */
  caCertificate?: string
}

/** The context of the control plane's own writes. */
export const systemContext = (component: string): RequestContext => ({
  user: { username: `system:${component}`, groups: ['system:masters'] },
  by: JSON.stringify({ user: `system:${component}` }),
  warnings: [],
})
