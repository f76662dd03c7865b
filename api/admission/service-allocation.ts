// Cluster IPs and node ports: claimed by a row in the write's own transaction, so that no two services ever share one.
import { isHealthChecked } from '../../shared/kinds/service.ts'
import { type Family, familyOf, firstOf, inRange, ofFamily, parseCidr, printAddress, rangesIn } from '../../shared/meta/address.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { internalError, invalid } from '../../shared/status/index.ts'
import type { Statement } from '../ports/database.ts'
import type { Environment } from '../registry/context.ts'
import type { Admission, Step } from './index.ts'
import { settleFamilies } from './service-families.ts'

const TRIES = 32
const exposed = (type: string) => type === 'NodePort' || type === 'LoadBalancer'

interface Claim {
  kind: 'ip' | 'port'
  value: string
  /** The client asked for this very one. */
  asked: boolean
  /** Writes another pick into the object. */
  pick?: () => string
  fault: (value: string) => Error
}

/** A random address of the range; the first ones are kept for the cluster's own services. */
function randomIp(env: Environment, family: Family): string {
  const range = parseCidr(ofFamily(rangesIn(env.settings.serviceCidr), family)!)!
  const size = Math.min(2 ** (range.width - range.bits), 2 ** 32)
  const reserved = Math.min(256, Math.floor(size / 16))
  const r = new DataView(env.random.bytes(4).buffer).getUint32(0)
  return printAddress({ ...range, value: firstOf(range) + BigInt(reserved + (r % (size - reserved - 1))) })
}

function randomPort(env: Environment): number {
  const [low, high] = env.settings.nodePorts
  return low + (new DataView(env.random.bytes(4).buffer).getUint32(0) % (high - low + 1))
}

/** An address of one of its families, which the service has not had yet. */
function ipClaim(env: Environment, o: KObject, index: number): Claim {
  const s = o.spec
  const family: Family = s.ipFamilies[index]
  const set = (ip: string) => {
    s.clusterIPs = Object.assign([...(s.clusterIPs ?? [])], { [index]: ip })
    s.clusterIP = s.clusterIPs[0]
    return ip
  }
  const asked: string | undefined = s.clusterIPs?.[index]
  const fault = (value: string, why = 'provided IP is already allocated') =>
    invalid('', 'Service', o.metadata.name, [
      {
        reason: 'FieldValueInvalid',
        field: 'spec.clusterIPs',
        message: `Invalid value: ${JSON.stringify(s.clusterIPs)}: failed to allocate IP ${value}: ${why}`,
      },
    ])
  const range = ofFamily(rangesIn(env.settings.serviceCidr), family)!
  if (asked && !inRange(asked, range))
    throw fault(asked, `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${range}`)
  return {
    kind: 'ip',
    value: asked ?? set(randomIp(env, family)),
    asked: asked !== undefined,
    pick: () => set(randomIp(env, family)),
    fault,
  }
}

/** A port of the nodes, as `holder[name]` has it. */
function portClaim(env: Environment, o: KObject, holder: any, name: string, field: string): Claim {
  const asked = !!holder[name]
  const pick = () => String((holder[name] = randomPort(env)))
  const [low, high] = env.settings.nodePorts
  const fault = (value: string, why = 'provided port is already allocated') =>
    invalid('', 'Service', o.metadata.name, [{ reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${why}` }])
  if (asked && (holder[name] < low || holder[name] > high))
    throw fault(String(holder[name]), `provided port is not in the valid range. The range of valid ports is ${low}-${high}`)
  return { kind: 'port', value: asked ? String(holder[name]) : pick(), asked, pick, fault }
}

const insert = (c: Claim, owner: string): Statement => ({
  sql: 'INSERT INTO allocations(kind, value, owner) VALUES (?, ?, ?)',
  args: [c.kind, c.value, owner],
})
const release = (kind: string, value: string, owner: string): Statement => ({
  sql: 'DELETE FROM allocations WHERE kind = ? AND value = ? AND owner = ?',
  args: [kind, value, owner],
})

const ipsOf = (o: KObject | undefined): string[] =>
  (o?.spec.clusterIPs ?? (o?.spec.clusterIP ? [o.spec.clusterIP] : [])).filter((ip: string) => ip && ip !== 'None')
const portsOf = (o: KObject | undefined) =>
  new Set<number>([...(o?.spec.ports ?? []).map((p: any) => p.nodePort), o?.spec.healthCheckNodePort].filter(Boolean))

function allocate(env: Environment, o: KObject, old?: KObject): Admission {
  const s = o.spec
  const claims: Claim[] = []
  settleFamilies(o, rangesIn(env.settings.serviceCidr).map(familyOf), old)
  const wantsIp = s.type !== 'ExternalName' && s.clusterIP !== 'None'
  if (s.type === 'ExternalName') {
    delete s.clusterIP
    delete s.clusterIPs
  } else if (s.clusterIP === 'None') s.clusterIPs = ['None']
  if (wantsIp)
    s.ipFamilies.forEach((_: Family, i: number) => {
      const ip = s.clusterIPs?.[i]
      if (!ip || !ipsOf(old).includes(ip)) claims.push(ipClaim(env, o, i))
    })
  const held = portsOf(old)
  const wantsPorts = s.type === 'NodePort' || (s.type === 'LoadBalancer' && s.allocateLoadBalancerNodePorts !== false)
  if (wantsPorts || exposed(s.type))
    s.ports?.forEach((p: any, i: number) => {
      if ((p.nodePort && !held.has(p.nodePort)) || (!p.nodePort && wantsPorts))
        claims.push(portClaim(env, o, p, 'nodePort', `spec.ports[${i}].nodePort`))
    })
  if (isHealthChecked(s) && !held.has(s.healthCheckNodePort))
    claims.push(portClaim(env, o, s, 'healthCheckNodePort', 'spec.healthCheckNodePort'))
  const kept = portsOf(o)
  const releases = [
    ...[...held].filter((p) => !kept.has(p)).map((p) => release('port', String(p), o.metadata.uid)),
    ...ipsOf(old)
      .filter((ip) => !ipsOf(o).includes(ip))
      .map((ip) => release('ip', ip, o.metadata.uid)),
  ]
  return {
    claims: () => [...claims.map((c) => insert(c, o.metadata.uid)), ...releases],
    reclaim: (index, tries) => {
      const c = claims[index]
      if (!c) throw internalError('allocation failed')
      if (c.asked) throw c.fault(c.value)
      if (tries >= TRIES) throw internalError(`no free ${c.kind === 'ip' ? 'cluster IP' : 'node port'} was found`)
      c.value = c.pick!()
    },
  }
}

export const serviceAllocation: Step = {
  name: 'ServiceAllocation',
  create: ({ env, kind, object }) => (kind.kind === 'Service' ? allocate(env, object) : undefined),
  update: ({ env, kind, object, old, part }) => (kind.kind === 'Service' && part === 'main' ? allocate(env, object, old) : undefined),
}
