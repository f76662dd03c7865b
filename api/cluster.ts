// A cluster's control plane, put together from its ports: what every request handler is given. Platforms build one; nothing here is theirs.

import { isServed, tlsSecrets } from '../shared/ingress/class.ts'
import { FRONT_PROXY } from '../shared/kinds/certificates.ts'
import { FLOW_CONTROL } from '../shared/kinds/flow-control.ts'
import { flowSchemas, priorityLevels } from '../shared/kinds/flow-defaults.ts'
import { kindByName, resourceOf } from '../shared/kinds/index.ts'
import { olderKinds } from '../shared/kinds/older.ts'
import { referencesOf } from '../shared/kinds/pod-references.ts'
import { systemPriorities } from '../shared/kinds/scheduling.ts'
import { apiServiceIp, familyOf } from '../shared/meta/address.ts'
import { type KObject, timeString } from '../shared/meta/object.ts'
import type { Authenticators } from './auth/authentication.ts'
import { Authorizer } from './auth/authorizer.ts'
import { addRules, addSubjects, clusterRoleBindings, clusterRoles, kubeSystemRoles } from './auth/bootstrap-roles.ts'
import { ClusterAuthority } from './auth/cluster-authority.ts'
import type { NodeGraph } from './auth/node-authorizer.ts'
import { Nodes } from './auth/nodes.ts'
import type { Oidc } from './auth/oidc.ts'
import { Rbac, rbacResources } from './auth/rbac.ts'
import { ServiceAccounts } from './auth/service-accounts.ts'
import { Tokens } from './auth/tokens.ts'
import { ListCache } from './http/list-cache.ts'
import { countedDatabase } from './metrics/database.ts'
import { DebugViews } from './metrics/debug.ts'
import { Metrics } from './metrics/metrics.ts'
import { storageFamilies } from './metrics/storage.ts'
import type { Clock, Random } from './ports/clock.ts'
import type { Database } from './ports/database.ts'
import type { Hub } from './ports/hub.ts'
import type { Log } from './ports/log.ts'
import type { Outbound } from './ports/outbound.ts'
import { AdmissionRules } from './registry/admission-rules.ts'
import { ClusterKinds } from './registry/cluster-kinds.ts'
import { decodeBody } from './registry/codec.ts'
import { type Environment, type Identity, type Settings, systemContext } from './registry/context.ts'
import { create } from './registry/create.ts'
import { keyFor } from './registry/delete.ts'
import { Lookup } from './registry/lookup.ts'
import { ObjectCount } from './registry/object-count.ts'
import { mutate } from './registry/update.ts'
import { checkRanges, dnsAddress } from './settings.ts'
import type { Seal } from './store/seal.ts'
import { type LogEvent, Store, type Stored } from './store/store.ts'
import { Tracer } from './tracing/tracer.ts'

export interface Cluster {
  env: Environment
  store: Store
  hub: Hub
  authorizer: Authorizer
  authenticators: Authenticators
  authority: ClusterAuthority
  log: Log
  clock: Clock
  /** Of this process. */
  metrics: Metrics
  debug: DebugViews
  /** 32 bytes that its Secrets are encrypted with: they go along when it moves. */
  sealKey: Uint8Array
  /** Drops what a change makes stale in this process. */
  observe(event: LogEvent): void
  /** Who traces what happens, where that is wanted. */
  tracer?: Tracer
  /** Lists answered before, where this process sees every commit: `head` is the newest version seen. */
  lists?: { cache: ListCache; head: () => number }
}

export interface ClusterOptions {
  database: Database
  clock: Clock
  random: Random
  log: Log
  settings: Settings
  seal: Seal
  sealKey: Uint8Array
  statics: Map<string, Identity>
  /** Where users sign in, if anywhere. */
  oidc?: Oidc
  /** How long rights may be remembered, ms: Infinity where `observe` sees every write. */
  maxAge: number
  onCommit: (event: LogEvent) => void
  hub: (store: Store) => Hub
  /** Calls to servers that users name. */
  outbound: (hub: Hub) => Outbound
  /** The newest version that this process has seen in order; given only where it sees all of them. */
  head?: () => number
}

/** Reads the pods bound to a node; a miss always reads anew, so that a new pod's references count at once. */
class StoredGraph implements NodeGraph {
  readonly #store: Store
  constructor(store: Store) {
    this.#store = store
  }
  async references(...[node, resource, ns, name]: Parameters<NodeGraph['references']>): Promise<boolean> {
    if (resource === 'persistentvolumes') {
      const volume = await this.#store.get({ resource, ns: '', name })
      const claim = volume && decodeBody(volume.body, volume.rv).spec?.claimRef
      return !!claim && this.references(node, 'persistentvolumeclaims', claim.namespace, claim.name)
    }
    if (resource === 'volumeattachments.storage.k8s.io') {
      const attachment = await this.#store.get({ resource, ns: '', name })
      return !!attachment && decodeBody(attachment.body, attachment.rv).spec?.nodeName === node
    }
    const page = await this.#store.list({ resource: 'pods', ns, fields: [{ key: 'spec.nodeName', operator: '=', values: [node] }] })
    if (page.items.some((i) => referencesOf(decodeBody(i.body, i.rv).spec, i.name)[resource].has(name))) return true
    return resource === 'secrets' && ((await this.#isOfVolume(node, ns, name)) || this.#isCertificate(ns, name))
  }

  /** Whether a volume that a pod there has is mounted with it. */
  async #isOfVolume(node: string, ns: string, name: string): Promise<boolean> {
    const { items } = await this.#store.list({ resource: 'persistentvolumes' })
    for (const i of items) {
      const { nodeStageSecretRef, nodePublishSecretRef } = decodeBody(i.body, i.rv).spec?.csi ?? {}
      const isMeant = [nodeStageSecretRef, nodePublishSecretRef].some((r) => r?.namespace === ns && r?.name === name)
      if (isMeant && (await this.references(node, 'persistentvolumes', '', i.name))) return true
    }
    return false
  }

  /** Whether an ingress that the nodes serve has its certificate there. */
  async #isCertificate(ns: string, name: string): Promise<boolean> {
    const read = async (resource: string, of?: string) => {
      const { items } = await this.#store.list({ resource, ...(of ? { ns: of } : {}) })
      return items.map((i) => decodeBody(i.body, i.rv))
    }
    const users = (await read('ingresses.networking.k8s.io', ns)).filter((i) => tlsSecrets(i).includes(name))
    if (!users.length) return false
    const classes = new Map((await read('ingressclasses.networking.k8s.io')).map((c) => [c.metadata.name, c]))
    return users.some((i) => isServed(i, (of) => classes.get(of)))
  }
}

/** Throws on settings that cannot work. */
export function createCluster(o: ClusterOptions): Cluster {
  checkRanges(o.settings)
  const { database, families } = countedDatabase(o.database)
  const store = new Store({ database, clock: o.clock, seal: o.seal, sealed: new Set(['secrets']), onCommit: o.onCommit })
  const lookup = new Lookup(store, o.clock)
  const rbac = new Rbac(database, o.clock, o.maxAge)
  const authorizer = new Authorizer(rbac, new StoredGraph(store))
  const authenticators: Authenticators = {
    statics: o.statics,
    tokens: new Tokens(database, o.clock),
    accounts: new ServiceAccounts(store, o.seal, o.clock, o.random, lookup, o.settings.issuer),
    nodes: new Nodes(store, o.clock),
    ...(o.oidc ? { oidc: o.oidc } : {}),
  }
  const count = o.settings.maxObjects === undefined ? undefined : new ObjectCount(database, o.clock, o.settings.maxObjects)
  const kinds = new ClusterKinds(store, o.clock, o.settings.olderVersions ? olderKinds : [])
  const rules = new AdmissionRules(store, o.clock)
  const hub = o.hub(store)
  const authority = new ClusterAuthority(store, o.seal, o.clock, o.settings)
  const env: Environment = {
    store,
    reach: (call) => hub.reach(call),
    outbound: o.outbound(hub),
    authority,
    kinds,
    rules,
    clock: o.clock,
    random: o.random,
    lookup,
    settings: o.settings,
    full: async () => (await count?.full()) ?? false,
    covers: (user, ns, rules) => authorizer.covers(user, ns, rules),
    allowed: (user, a) => authorizer.allows(user, a),
  }
  const sensitive = new Set(rbacResources)
  const metrics = new Metrics()
  metrics.add(() => storageFamilies(store))
  metrics.add(families)
  const tracer = o.settings.tracing && new Tracer(o.settings.tracing, o, { 'k8s.cluster.issuer': o.settings.issuer })
  if (tracer) metrics.add(() => tracer.families())
  const lists = o.head ? { cache: new ListCache(), head: o.head } : undefined
  return {
    env,
    store,
    ...(tracer ? { tracer } : {}),
    hub,
    authorizer,
    authenticators,
    authority,
    log: o.log,
    clock: o.clock,
    metrics,
    debug: new DebugViews(),
    sealKey: o.sealKey,
    ...(lists ? { lists } : {}),
    observe: (event) => {
      count?.observe(event)
      kinds.observe(event)
      rules.observe(event)
      lists?.cache.changed(event.resource)
      lookup.forget(event)
      if (sensitive.has(event.resource)) rbac.changed()
    },
  }
}

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** What every cluster starts with, on a migrated database: namespaces, default roles, the `kubernetes` service. Safe to run at every start. */
export async function bootstrap(cluster: Cluster, apiAddress?: { ip: string; port: number }): Promise<void> {
  const { env } = cluster
  const ctx = systemContext('bootstrap')
  const options = { fieldManager: 'kedge', fieldValidation: 'Strict' as const }
  const known = new Map<string, Promise<Map<string, Stored>>>()
  const ensure = async (group: string, name: string, ns: string, object: object, missing?: (o: KObject) => boolean) => {
    const kind = kindByName(group, name)!
    const resource = resourceOf(kind)
    const { metadata } = object as KObject
    const id = `${ns}/${metadata.name}`
    if (!known.has(resource))
      known.set(
        resource,
        cluster.store.list({ resource }).then(({ items }) => new Map(items.map((i) => [`${i.ns}/${i.name}`, i]))),
      )
    const there = (await known.get(resource))!.get(id)
    if (there && missing?.(decodeBody(there.body, there.rv))) {
      await mutate(env, kind, keyFor(kind, ns, metadata.name), 'main', (o) => (missing(o) ? { object: o } : undefined), options, ctx)
      return
    }
    if (there) return
    await create(env, kind, ns, object, options, ctx).catch((e) => {
      if (e?.code !== 409) throw e
    })
  }
  for (const name of systemNamespaces) await ensure('', 'Namespace', '', { metadata: { name } })
  for (const r of clusterRoles) await ensure('rbac.authorization.k8s.io', 'ClusterRole', '', r, (o) => addRules(o, r.rules ?? []))
  for (const b of clusterRoleBindings)
    await ensure('rbac.authorization.k8s.io', 'ClusterRoleBinding', '', b, (o) => addSubjects(o, b.subjects))
  for (const [name, value] of Object.entries(systemPriorities)) {
    const description = `Used for system critical pods that must ${name.includes('node') ? 'not be moved from their current node' : 'run in the cluster, but can be moved to another node if necessary'}.`
    await ensure('scheduling.k8s.io', 'PriorityClass', '', { metadata: { name }, value, description })
  }
  await ensure('', 'Service', 'default', {
    metadata: { name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: { clusterIP: apiServiceIp(env.settings.serviceCidr), ports: [{ name: 'https', port: 443, targetPort: apiAddress?.port ?? 443 }] },
  })
  // Served by every daemon at its own host. Somebody may have its usual address: then it gets another.
  await ensure('', 'Service', 'kube-system', dnsService(dnsAddress(env.settings))).catch((e) => {
    if (e?.code !== 422) throw e
    return ensure('', 'Service', 'kube-system', dnsService())
  })
  if (apiAddress) {
    const { subsets, slice } = apiEndpoints(apiAddress)
    await ensure('', 'Endpoints', 'default', {
      metadata: { name: 'kubernetes', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      subsets,
    })
    await ensure('discovery.k8s.io', 'EndpointSlice', 'default', slice)
  }
  await Promise.all([
    ...priorityLevels.map((o) => ensure(FLOW_CONTROL, 'PriorityLevelConfiguration', '', o)),
    ...flowSchemas.map((o) => ensure(FLOW_CONTROL, 'FlowSchema', '', o)),
  ])
  // What aggregated API servers check this server's certificate and its users' with.
  const ca = await cluster.authority.bundle()
  await ensure('', 'ConfigMap', 'kube-system', {
    metadata: { name: 'extension-apiserver-authentication' },
    data: {
      'client-ca-file': ca,
      'requestheader-allowed-names': JSON.stringify([FRONT_PROXY]),
      'requestheader-client-ca-file': ca,
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    },
  })
  for (const r of kubeSystemRoles) await ensure('rbac.authorization.k8s.io', 'Role', 'kube-system', r)
  await ensure('', 'ConfigMap', 'kube-public', { metadata: { name: 'cluster-info' }, data: { created: timeString(cluster.clock.now()) } })
}

const dnsService = (clusterIP?: string) => ({
  metadata: {
    name: 'kube-dns',
    labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
  },
  spec: {
    ...(clusterIP ? { clusterIP } : {}),
    ports: [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ],
  },
})

const apiEndpoints = ({ ip, port }: { ip: string; port: number }) => ({
  subsets: [{ addresses: [{ ip }], ports: [{ name: 'https', port }] }],
  slice: {
    metadata: { name: 'kubernetes', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: familyOf(ip),
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  },
})
