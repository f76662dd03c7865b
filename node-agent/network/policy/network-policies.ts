// Keeps the policy table at what the policies say of this host's pods. No container starts before its pod's rules are there.
import type { Family } from '../../../shared/meta/address.ts'
import { type Peer, type PeerGroup, PeerTable } from '../../../shared/session/peers.ts'
import type { Log } from '../../log.ts'
import { DiskCopy, ObjectList } from '../../session/objects.ts'
import type { Session } from '../../session/session.ts'
import { exec, nft } from '../commands.ts'
import { isTableLost, type Watched } from '../host-watch.ts'
import { tableOf } from '../service-rules.ts'
import { groupsOf, isLimited, POLICY_TABLE, type PolicedPod, type PolicyTable, policyScript, policyTable } from './policy-rules.ts'

const SETTLE = 5
const RETRY = 1000
/** How long a pod's start waits for its rules before it is tried anew, ms. */
const PATIENCE = 10_000

interface Group {
  id: number
  what: PeerGroup
  members: PeerTable
  /** Its members have been told, now or to an earlier daemon here. */
  known: boolean
}

interface Saved {
  policies: any[]
  groups: [key: string, members: Peer[]][]
}

export interface PolicyOptions {
  session: Session
  /** Where what is known is kept, for when the API is away. */
  data: string
  log: Log
  pods(): PolicedPod[]
  /** Of pods. */
  families: readonly Family[]
  /** The address at which this host serves the cluster's DNS. */
  dns(): string | undefined
}

export class NetworkPolicies implements Watched {
  readonly what = 'the policy tables'
  readonly #o: PolicyOptions
  readonly #list: ObjectList
  readonly #groups = new Map<string, Group>()
  readonly #byId = new Map<number, Group>()
  readonly #disk: DiskCopy
  /** Of an earlier daemon, until the API has answered. */
  #saved?: { policies: any[]; members: Map<string, Peer[]> }
  /** One of each family. */
  #applied: PolicyTable[] | undefined
  #stored = false
  #nextId = 1
  #waiting: (() => void)[] = []
  #timer?: ReturnType<typeof setTimeout>
  #running = false
  #again = false

  constructor(o: PolicyOptions) {
    this.#o = o
    this.#disk = new DiskCopy(`${o.data}/state`, 'policies', o.log)
    const [saved] = this.#disk.load() as Saved[]
    if (saved) this.#saved = { policies: saved.policies, members: new Map(saved.groups) }
    this.#list = new ObjectList(
      o.session,
      'networkpolicies.networking.k8s.io',
      {},
      () => this.changed(),
      () => this.changed(),
    )
    o.session.followPeers({
      wanted: () => [...this.#groups.values()].map((g) => [g.id, g.what, g.members.hash]),
      received: (groups) => this.#received(groups),
    })
  }

  /** Pods, policies or members are others: the table follows within milliseconds. */
  changed(delay = SETTLE): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#sync()
    }, delay)
  }

  async isLost(): Promise<boolean> {
    const lost = this.#tables.map((table) => isTableLost(table, 'forward'))
    return (await Promise.all(lost)).includes(true)
  }

  /** The kernel's table is not what was written; false where none was. */
  rewrite(): boolean {
    if (!this.#applied) return false
    this.#applied = undefined
    this.changed()
    return true
  }

  /** Resolves when a pod's rules are in the kernel. Throws when that takes too long. */
  async covered(pod: PolicedPod): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('network policies are not known yet')), PATIENCE)
    })
    try {
      // What an earlier daemon knew counts only while nobody can be asked.
      if (this.#o.session.connected) await Promise.race([this.#list.ready(), late])
      const policies = this.#policies
      if (policies && !isLimited(policies, pod)) return
      const written = Promise.withResolvers<void>()
      this.#waiting.push(written.resolve)
      this.changed()
      await Promise.race([written.promise, late])
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  /** Takes the table away. */
  async remove(): Promise<void> {
    this.close()
    for (const table of this.#tables) await exec('nft', 'delete', 'table', ...table.split(' ')).catch(() => {})
  }

  get #tables(): string[] {
    return this.#o.families.map((f) => tableOf(f, POLICY_TABLE))
  }

  get #policies(): any[] | undefined {
    return this.#list.synced ? [...this.#list.objects.values()] : this.#saved?.policies
  }

  #received(groups: [id: number, whole: boolean, members: Peer[], gone: string[]][]): void {
    for (const [id, whole, members, gone] of groups) {
      const group = this.#byId.get(id)
      if (!group) continue
      group.members.take(whole, members, gone)
      group.known = true
    }
    this.changed()
  }

  /** Asks for the groups that these pods' policies mean, and lets go of others. */
  #want(policies: any[], pods: PolicedPod[]): void {
    const wanted = groupsOf(policies, pods)
    let isNew = false
    for (const [key, what] of wanted) {
      if (this.#groups.has(key)) continue
      const group: Group = { id: this.#nextId++, what, members: new PeerTable(), known: false }
      const saved = this.#saved?.members.get(key)
      if (saved) group.members.take(true, saved, [])
      group.known = !!saved && !this.#o.session.connected
      this.#groups.set(key, group)
      this.#byId.set(group.id, group)
      isNew = true
    }
    for (const [key, group] of this.#groups) {
      if (wanted.has(key)) continue
      this.#groups.delete(key)
      this.#byId.delete(group.id)
      isNew = true
    }
    if (isNew) this.#o.session.askPeers()
  }

  async #sync(): Promise<void> {
    if (this.#running) {
      this.#again = true
      return
    }
    const policies = this.#policies
    // Until they are known, whatever the last daemon wrote stays.
    if (!policies) return
    this.#running = true
    const waiting = this.#waiting.splice(0)
    try {
      const pods = this.#o.pods()
      this.#want(policies, pods)
      const members = (key: string) => {
        const group = this.#groups.get(key)
        return group?.known ? group.members.values() : undefined
      }
      const wanted = this.#o.families.map((f) => policyTable(f, policies, pods, members, this.#o.dns()))
      // After a restart what is there is better than rules without their members.
      const isWhole = [...this.#groups.values()].every((g) => g.known)
      if (this.#applied || isWhole) {
        const script = wanted.map((table, i) => policyScript(this.#applied?.[i], table)).join('')
        if (script) await nft(script)
        this.#applied = wanted
        for (const w of waiting.splice(0)) w()
        if (this.#list.synced && isWhole && (script || !this.#stored)) this.#store(policies)
      }
    } catch (cause) {
      // Whatever is there now, the next attempt writes it whole.
      this.#applied = undefined
      this.#o.log.error('the policy table could not be written; trying again', cause)
      this.changed(RETRY)
    } finally {
      this.#waiting.push(...waiting)
      this.#running = false
      if (this.#again) {
        this.#again = false
        this.changed()
      }
    }
  }

  #store(policies: any[]): void {
    this.#stored = true
    this.#disk.save(() => [
      {
        policies,
        groups: [...this.#groups].map(([key, g]): [string, Peer[]] => [key, [...g.members.values()]]),
      } satisfies Saved,
    ])
  }
}
