// Cluster IPs and node ports: claimed by a row in the write's own transaction, so that no two services ever share one.
import { isHealthChecked } from '../../shared/kinds/service.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { internalError, invalid } from '../../shared/status/index.ts'
import type { Statement } from '../ports/database.ts'
import type { Environment } from '../registry/context.ts'
import type { Admission, Step } from './index.ts'

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

const toNumber = (ip: string) => ip.split('.').reduce((n, p) => n * 256 + Number(p), 0)
const toIp = (n: number) => [24, 16, 8, 0].map((s) => (n >>> s) & 255).join('.')

/** A random address of the range; the first ones are kept for the cluster's own services. */
function randomIp(env: Environment): string {
  const [base, bits] = env.settings.serviceCidr.split('/') as [string, string]
  const size = 2 ** (32 - Number(bits))
  const reserved = Math.min(256, Math.floor(size / 16))
  const r = new DataView(env.random.bytes(4).buffer).getUint32(0)
  return toIp(toNumber(base) + reserved + (r % (size - reserved - 1)))
}

function randomPort(env: Environment): number {
  const [low, high] = env.settings.nodePorts
  return low + (new DataView(env.random.bytes(4).buffer).getUint32(0) % (high - low + 1))
}

function ipClaim(env: Environment, o: KObject): Claim {
  const s = o.spec
  const set = (ip: string) => {
    s.clusterIP = ip
    s.clusterIPs = [ip]
    return ip
  }
  const asked = !!s.clusterIP
  return {
    kind: 'ip',
    value: asked ? s.clusterIP : set(randomIp(env)),
    asked,
    pick: () => set(randomIp(env)),
    fault: (value) =>
      invalid('', 'Service', o.metadata.name, [
        {
          reason: 'FieldValueInvalid',
          field: 'spec.clusterIPs',
          message: `Invalid value: ${JSON.stringify([value])}: failed to allocate IP ${value}: provided IP is already allocated`,
        },
      ]),
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

const ipOf = (o: KObject | undefined) => (o?.spec.clusterIP && o.spec.clusterIP !== 'None' ? (o.spec.clusterIP as string) : undefined)
const portsOf = (o: KObject | undefined) =>
  new Set<number>([...(o?.spec.ports ?? []).map((p: any) => p.nodePort), o?.spec.healthCheckNodePort].filter(Boolean))

function allocate(env: Environment, o: KObject, old?: KObject): Admission {
  const s = o.spec
  const claims: Claim[] = []
  const wantsIp = s.type !== 'ExternalName' && s.clusterIP !== 'None'
  if (s.type === 'ExternalName') {
    delete s.clusterIP
    delete s.clusterIPs
  } else if (s.clusterIP === 'None') s.clusterIPs = ['None']
  if (wantsIp && (!ipOf(old) || (s.clusterIP && s.clusterIP !== ipOf(old)))) claims.push(ipClaim(env, o))
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
    ...(ipOf(old) && ipOf(o) !== ipOf(old) ? [release('ip', ipOf(old)!, o.metadata.uid)] : []),
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
