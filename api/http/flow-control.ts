// Who waits for whom when many ask at once: requests are sorted into flows by the cluster's flow schemas, flows share the seats of their priority level
// in turn, and levels lend what they do not need. Kubernetes' API priority and fairness, with a queue per flow instead of shuffled ones.
import { flowSchemas, priorityLevels } from '../../shared/kinds/flow-defaults.ts'
import { StatusError } from '../../shared/status/index.ts'
import type { Clock } from '../ports/clock.ts'
import type { AdmissionRules } from '../registry/admission-rules.ts'
import type { Attributes, Identity } from '../registry/context.ts'
import type { Turn } from './turn.ts'

/** Requests that this process works on at once, those of exempt levels aside. */
const SEATS = 100
/** How long a request may wait, ms. */
const PATIENCE = 15_000
/** What is said of requests that look alike is remembered for so many of them. */
const MAX_KNOWN = 5000

/** By then a request has ended, or was cut off by its platform without a word, ms. */
const SEAT_LASTS = 120_000

class Level {
  /** Seats that are taken, the oldest first. */
  readonly #seats = new Set<{ until: number }>()
  get used(): number {
    return this.#seats.size
  }
  take(now: number): () => void {
    const seat = { until: now + SEAT_LASTS }
    this.#seats.add(seat)
    return () => this.#seats.delete(seat)
  }
  /** Frees seats that nobody can be in any more; how many. */
  expire(now: number): number {
    const before = this.used
    for (const seat of this.#seats) {
      if (seat.until > now) break
      this.#seats.delete(seat)
    }
    return before - this.used
  }
  waiting = 0
  /** Those that wait, by flow; flows come in turn. */
  readonly queues = new Map<string, (() => void)[]>()
  exempt = false
  /** Seats that it keeps even when it is idle. */
  kept = 0
  most = SEATS
  maxWaiting = 0
  maxOfFlow = 0
  uid = ''

  configure(o: any, allShares: number): void {
    const { type, limited } = o.spec
    const queuing = limited?.limitResponse?.queuing
    const nominal = (SEATS * (limited?.nominalConcurrencyShares ?? 0)) / allShares
    this.uid = o.metadata.uid ?? ''
    this.exempt = type === 'Exempt'
    this.kept = Math.ceil((nominal * (100 - (limited?.lendablePercent ?? 0))) / 100)
    const borrow = limited?.borrowingLimitPercent
    this.most = borrow === undefined ? SEATS : Math.ceil((nominal * (100 + borrow)) / 100)
    this.maxWaiting = queuing ? queuing.queues * queuing.queueLengthLimit : 0
    this.maxOfFlow = queuing ? queuing.handSize * queuing.queueLengthLimit : 0
  }
}

const listed = (list: readonly string[] | undefined, value: string): boolean => !!list && (list.includes('*') || list.includes(value))

function subjectMatches(s: any, user: Identity): boolean {
  if (s.kind === 'User') return s.user.name === '*' || s.user.name === user.username
  if (s.kind === 'Group') return s.group.name === '*' || user.groups.includes(s.group.name)
  const { namespace, name } = s.serviceAccount
  const prefix = `system:serviceaccount:${namespace}:`
  return name === '*' ? user.username.startsWith(prefix) : user.username === prefix + name
}

function ruleMatches(rule: any, user: Identity, a: Attributes): boolean {
  if (!rule.subjects?.some((s: any) => subjectMatches(s, user))) return false
  if (a.path !== undefined) {
    const path = a.path
    const fits = (url: string) => url === '*' || url === path || (url.endsWith('/*') && path.startsWith(url.slice(0, -1)))
    return !!rule.nonResourceRules?.some((r: any) => listed(r.verbs, a.verb) && r.nonResourceURLs.some(fits))
  }
  const resource = a.subresource ? `${a.resource}/${a.subresource}` : a.resource!
  return !!rule.resourceRules?.some(
    (r: any) =>
      listed(r.verbs, a.verb) &&
      listed(r.apiGroups, a.group ?? '') &&
      listed(r.resources, resource) &&
      (a.namespace ? listed(r.namespaces, a.namespace) : !!r.clusterScope),
  )
}

interface Flow {
  level: Level
  schema: any
  key: string
}

/** A seat, until it is given back. */
export interface Seat {
  release(): void
  /** Uids of the schema and the level, as answers tell them. */
  schema: string
  level: string
}

const tooMany = () => new StatusError(429, 'TooManyRequests', 'Too many requests, please try again later.', { retryAfterSeconds: 1 })
const withDefaults = (stored: any[], defaults: any[]): any[] => (stored.length ? stored : defaults)

export class FlowControl {
  readonly #rules: AdmissionRules
  readonly #clock: Clock
  readonly #newTurn: () => Turn
  #generation = -1
  #schemas: any[] = []
  readonly #levels = new Map<string, Level>()
  readonly #known = new Map<string, Flow>()

  constructor(rules: AdmissionRules, clock: Clock, newTurn: () => Turn) {
    this.#newTurn = newTurn
    this.#rules = rules
    this.#clock = clock
  }

  /** Takes up what is configured now. */
  #configure(): void {
    if (this.#generation === this.#rules.generation) return
    this.#generation = this.#rules.generation
    this.#known.clear()
    // What every cluster begins with counts while nothing is stored.
    const levels = withDefaults(this.#rules.all('prioritylevelconfigurations'), priorityLevels)
    const shares = levels.reduce((n, l) => n + (l.spec.limited?.nominalConcurrencyShares ?? 0), 0) || 1
    const names = new Set(levels.map((l) => l.metadata.name))
    for (const [name, level] of this.#levels) if (!names.has(name) && !level.used && !level.waiting) this.#levels.delete(name)
    for (const l of levels) this.#level(l.metadata.name).configure(l, shares)
    this.#schemas = [...withDefaults(this.#rules.all('flowschemas'), flowSchemas)].sort(
      (a, b) => a.spec.matchingPrecedence - b.spec.matchingPrecedence || (a.metadata.name < b.metadata.name ? -1 : 1),
    )
  }

  #level(name: string): Level {
    let level = this.#levels.get(name)
    if (!level) this.#levels.set(name, (level = new Level()))
    return level
  }

  #flowOf(user: Identity, a: Attributes): Flow {
    const asked = a.path === undefined ? `${a.group}/${a.resource}/${a.subresource ?? ''} ${a.namespace ?? ''}` : a.path
    const id = `${user.username}\n${user.groups.join()}\n${a.verb} ${asked}`
    const known = this.#known.get(id)
    if (known) return known
    const schema = this.#schemas.find((s) => s.spec.rules?.some((r: any) => ruleMatches(r, user, a)))
    const by = schema?.spec.distinguisherMethod?.type
    const key = by === 'ByUser' ? user.username : by === 'ByNamespace' ? (a.namespace ?? '') : ''
    const name = schema?.spec.priorityLevelConfiguration.name
    const level = this.#levels.get(name) ?? this.#level('catch-all')
    const flow = { level, schema: schema?.metadata, key: `${schema?.metadata.name ?? ''}/${key}` }
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(id, flow)
    return flow
  }

  /** Whether a level may take one more seat: nobody else's are taken that are not lent. */
  #free(level: Level): boolean {
    if (level.used >= level.most) return false
    let others = 0
    for (const l of this.#levels.values()) if (l !== level && !l.exempt) others += Math.max(l.used, l.kept)
    return level.used < level.kept || level.used + others < SEATS
  }

  /** Waits for a seat. Throws 429 when there is none to be expected. */
  async enter(user: Identity, a: Attributes): Promise<Seat | undefined> {
    this.#configure()
    const { level, schema, key } = this.#flowOf(user, a)
    if (level.exempt) return undefined
    for (const l of this.#levels.values()) for (let n = l.expire(this.#clock.now()); n > 0; n--) this.#next(l)
    // Who waits already goes first.
    const leave = level.waiting || !this.#free(level) ? await this.#wait(level, key) : level.take(this.#clock.now())
    let given = false
    return {
      schema: schema?.uid ?? '',
      level: level.uid,
      release: () => {
        if (given) return
        given = true
        leave()
        this.#next(level)
      },
    }
  }

  async #wait(level: Level, key: string): Promise<() => void> {
    const queue = level.queues.get(key) ?? []
    if (level.waiting >= level.maxWaiting || queue.length >= level.maxOfFlow) throw tooMany()
    level.queues.set(key, queue)
    level.waiting++
    const turn = this.#newTurn()
    let leave: (() => void) | undefined
    const go = () => {
      level.waiting--
      leave = level.take(this.#clock.now())
      turn.go()
    }
    queue.push(go)
    await turn.wait(PATIENCE)
    if (leave) return leave
    queue.splice(queue.indexOf(go), 1)
    if (!queue.length && level.queues.get(key) === queue) level.queues.delete(key)
    level.waiting--
    throw tooMany()
  }

  /** A seat is free: first for those of its level, one flow after the other, then for whoever else waits. */
  #next(level: Level): void {
    for (const l of [level, ...this.#levels.values()]) {
      if (!l.waiting || !this.#free(l)) continue
      const [[key, queue]] = l.queues as unknown as Iterable<[string, (() => void)[]]> as any
      const go = queue.shift()
      l.queues.delete(key)
      // The flow goes to the end of the line.
      if (queue.length) l.queues.set(key, queue)
      go()
      return
    }
  }
}
