// networking.k8s.io: ingresses and their classes, network policies.

import { cidrContains, parseCidr } from '../meta/address.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { dnsLabel, dnsSubdomain, isIP, portName, portNumber } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { printSelector } from '../meta/selector.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'
import { validateLabelSelector } from './pod-validation.ts'

const GROUP = 'networking.k8s.io'
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix']
const DEFAULT_CLASS = 'ingressclass.kubernetes.io/is-default-class'

const wildcard = (host: string): string[] => {
  const ok = host.startsWith('*.') && !dnsSubdomain(host.slice(2)).length
  return ok
    ? []
    : [
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ]
}
const hostFaults = (host: string): string[] => (host.includes('*') ? wildcard(host) : dnsSubdomain(host))

function validateBackend(b: any, at: string, e: FieldErrors): void {
  if (b?.resource && b.service) return void e.invalid(at, '', 'cannot set both resource and service backends')
  if (b?.resource) {
    for (const f of ['kind', 'name']) if (!b.resource[f]) e.required(`${at}.resource.${f}`)
    return
  }
  if (!b?.service) return void e.invalid(at, '', 'resource or service backend is required')
  const { name, port = {} } = b.service
  if (!name) e.required(`${at}.service.name`)
  else e.format(`${at}.service.name`, name, dnsLabel(name))
  if (port.name && port.number) e.invalid(at, '', 'cannot set both port name & port number')
  else if (port.name) e.format(`${at}.service.port.name`, port.name, portName(port.name))
  else if (port.number) e.format(`${at}.service.port.number`, port.number, portNumber(port.number))
  else e.required(at, 'port name or number is required')
}

function validatePath(p: any, at: string, e: FieldErrors): void {
  if (p.pathType === undefined) return void e.required(`${at}.pathType`, 'pathType must be specified')
  const path: string = p.path ?? ''
  if (!PATH_TYPES.includes(p.pathType)) e.notSupported(`${at}.pathType`, p.pathType, PATH_TYPES)
  else if ((path || p.pathType !== 'ImplementationSpecific') && !path.startsWith('/'))
    e.invalid(`${at}.path`, path, 'must be an absolute path')
  if (p.pathType === 'Exact' || p.pathType === 'Prefix') {
    for (const s of ['//', '/./', '/../', '%2f', '%2F']) if (path.includes(s)) e.invalid(`${at}.path`, path, `must not contain '${s}'`)
    for (const s of ['/..', '/.']) if (path.endsWith(s)) e.invalid(`${at}.path`, path, `cannot end with '${s}'`)
  }
  validateBackend(p.backend, `${at}.backend`, e)
}

const addresses = (o: KObject): string => {
  const all = [...new Set<string>((o.status?.loadBalancer?.ingress ?? []).map((i: any) => i.ip || i.hostname).filter(Boolean))]
    .sort()
    .join(',')
  return all.length > 16 ? `${all.slice(0, 13)}...` : all
}

function hosts(o: KObject): string {
  const rules: any[] = o.spec?.rules ?? []
  const named = rules.map((r) => r.host).filter(Boolean)
  if (!named.length) return '*'
  return named.length > 3 ? `${named.slice(0, 3).join(',')} + ${rules.length - 3} more...` : named.join(',')
}

export const ingress: Kind = plainKind({
  group: GROUP,
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  namespaced: true,
  type: 'V1Ingress',
  subresources: statusSubresource,
  ...withStatus(() => ({ loadBalancer: {} })),
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    if (!s.rules?.length && !s.defaultBackend) e.invalid('spec', s.rules ?? [], 'either `defaultBackend` or `rules` must be specified')
    if (s.defaultBackend) validateBackend(s.defaultBackend, 'spec.defaultBackend', e)
    s.rules?.forEach((r: any, i: number) => {
      const at = `spec.rules[${i}]`
      if (r.host) {
        if (isIP(r.host)) e.invalid(`${at}.host`, r.host, 'must be a DNS name, not an IP address')
        e.format(`${at}.host`, r.host, hostFaults(r.host))
      }
      if (!r.http) return
      if (!r.http.paths?.length) e.required(`${at}.http.paths`)
      r.http.paths?.forEach((p: any, j: number) => {
        validatePath(p, `${at}.http.paths[${j}]`, e)
      })
    })
    s.tls?.forEach((t: any, i: number) => {
      t.hosts?.forEach((h: string, j: number) => {
        e.format(`spec.tls[${i}].hosts[${j}]`, h, hostFaults(h))
      })
      if (t.secretName) e.format(`spec.tls[${i}].secretName`, t.secretName, dnsSubdomain(t.secretName))
    })
    if (s.ingressClassName !== undefined) e.format('spec.ingressClassName', s.ingressClassName, dnsSubdomain(s.ingressClassName))
  },
  validateCreate: (o, e) => {
    if (o.spec?.ingressClassName !== undefined && o.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined)
      e.invalid(
        'annotations.kubernetes.io/ingress.class',
        o.metadata.annotations['kubernetes.io/ingress.class'],
        'can not be set when the class field is also set',
      )
  },
  columns: [
    nameColumn,
    text('Class', 'The name of the IngressClass resource that should be used for additional configuration'),
    text('Hosts', 'Hosts that incoming requests are matched against before the ingress rule'),
    text('Address', 'Address is a list containing ingress points for the load-balancer'),
    text('Ports', 'Ports of TLS configurations that open'),
    ageColumn,
  ],
  cells: (o, now) => [
    o.metadata.name,
    o.spec?.ingressClassName ?? '<none>',
    hosts(o),
    addresses(o),
    o.spec?.tls?.length ? '80, 443' : '80',
    ageOf(o, now),
  ],
})

export const ingressClass: Kind = plainKind({
  group: GROUP,
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  type: 'V1IngressClass',
  generation: true,
  defaults: (o) => {
    o.spec ??= {}
    if (o.spec.parameters) o.spec.parameters.scope ??= 'Cluster'
  },
  validate: (o, e) => {
    const { controller, parameters: p } = o.spec ?? {}
    if (controller) {
      if (controller.length > 250) e.tooLong('spec.controller', 250)
      const [domain, ...path] = controller.split('/')
      if (!path.length || !path.join('/'))
        e.invalid('spec.controller', controller, 'must be a domain-prefixed path (such as "acme.io/foo")')
      else e.format('spec.controller', domain, dnsSubdomain(domain))
    }
    if (!p) return
    if (!p.kind) e.required('spec.parameters.kind', 'kind is required')
    if (!p.name) e.required('spec.parameters.name', 'name is required')
    if (p.scope !== 'Cluster' && p.scope !== 'Namespace') e.notSupported('spec.parameters.scope', p.scope, ['Cluster', 'Namespace'])
    else if (p.scope === 'Namespace' && !p.namespace) e.required('spec.parameters.namespace', "`parameters.scope` is set to 'Namespace'")
    else if (p.scope === 'Cluster' && p.namespace !== undefined)
      e.forbidden('spec.parameters.namespace', "`parameters.scope` is set to 'Cluster'")
  },
  validateUpdate: (o, old, e) => {
    if (o.spec?.controller !== old.spec?.controller) e.invalid('spec.controller', o.spec?.controller, 'field is immutable')
  },
  columns: [
    nameColumn,
    text('Controller', 'Controller that is responsible for handling this class'),
    text('Parameters', 'A reference to a resource with additional parameters'),
    ageColumn,
  ],
  cells: (o, now) => {
    const p = o.spec?.parameters
    return [
      `${o.metadata.name}${o.metadata.annotations?.[DEFAULT_CLASS] === 'true' ? ' (default)' : ''}`,
      o.spec?.controller ?? '',
      p ? `${p.kind}${p.apiGroup !== undefined ? `.${p.apiGroup}` : ''}/${p.name}` : '<none>',
      ageOf(o, now),
    ]
  },
})

function validatePeer(p: any, at: string, e: FieldErrors): void {
  const given = ['podSelector', 'namespaceSelector', 'ipBlock'].filter((k) => p[k])
  for (const s of ['podSelector', 'namespaceSelector']) if (p[s]) validateLabelSelector(p[s], `${at}.${s}`, e)
  if (p.ipBlock) validateBlock(p.ipBlock, `${at}.ipBlock`, e)
  if (!given.length) e.required(at, 'must specify a peer')
  else if (given.length > 1 && p.ipBlock) e.forbidden(at, 'may not specify both ipBlock and another peer')
}

const CIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

function validateBlock(b: any, at: string, e: FieldErrors): void {
  if (!b.cidr) return void e.required(`${at}.cidr`)
  const whole = parseCidr(b.cidr)
  if (!whole) e.invalid(`${at}.cidr`, b.cidr, CIDR)
  b.except?.forEach((x: string, i: number) => {
    const part = parseCidr(x)
    if (!part) e.invalid(`${at}.except[${i}]`, x, CIDR)
    else if (whole && (!cidrContains(whole, part) || part.bits <= whole.bits))
      e.invalid(`${at}.except[${i}]`, x, 'must be a strict subset of `cidr`')
  })
}

function validatePolicyPort(p: any, at: string, e: FieldErrors): void {
  if (p.protocol !== undefined && !['TCP', 'UDP', 'SCTP'].includes(p.protocol))
    e.notSupported(`${at}.protocol`, p.protocol, ['SCTP', 'TCP', 'UDP'])
  const { port, endPort } = p
  if (typeof port === 'number') {
    e.format(`${at}.port`, port, portNumber(port))
    if (endPort === undefined) return
    if (endPort < port) e.invalid(`${at}.endPort`, port, 'must be greater than or equal to `port`')
    e.format(`${at}.endPort`, endPort, portNumber(endPort))
  } else if (typeof port === 'string') {
    if (endPort !== undefined) e.invalid(`${at}.endPort`, endPort, 'may not be specified when `port` is non-numeric')
    e.format(`${at}.port`, port, portName(port))
  } else if (endPort !== undefined) e.invalid(`${at}.endPort`, endPort, 'may not be specified when `port` is not specified')
}

export const networkPolicy: Kind = plainKind({
  group: GROUP,
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  namespaced: true,
  type: 'V1NetworkPolicy',
  generation: true,
  defaults: (o) => {
    o.spec ??= {}
    o.spec.podSelector ??= {}
    if (!o.spec.policyTypes?.length) o.spec.policyTypes = ['Ingress', ...(o.spec.egress?.length ? ['Egress'] : [])]
    for (const rule of [...(o.spec.ingress ?? []), ...(o.spec.egress ?? [])]) for (const p of rule.ports ?? []) p.protocol ??= 'TCP'
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    validateLabelSelector(s.podSelector, 'spec.podSelector', e)
    for (const [direction, peers] of [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const)
      s[direction]?.forEach((rule: any, i: number) => {
        rule.ports?.forEach((p: any, j: number) => {
          validatePolicyPort(p, `spec.${direction}[${i}].ports[${j}]`, e)
        })
        rule[peers]?.forEach((p: any, j: number) => {
          validatePeer(p, `spec.${direction}[${i}].${peers}[${j}]`, e)
        })
      })
    if (s.policyTypes?.length > 2) return e.invalid('spec.policyTypes', s.policyTypes, 'may not specify more than two policyTypes')
    s.policyTypes?.forEach((t: string, i: number) => {
      if (t !== 'Ingress' && t !== 'Egress') e.notSupported(`spec.policyTypes[${i}]`, t, ['Egress', 'Ingress'])
    })
  },
  columns: [nameColumn, text('Pod-Selector', 'Which pods the policy is for.'), ageColumn],
  cells: (o, now) => [o.metadata.name, printSelector(o.spec?.podSelector), ageOf(o, now)],
})

const fixed = (field: string) => (o: KObject, old: KObject, e: FieldErrors) => {
  if (!equal(o.spec?.[field], old.spec?.[field])) e.invalid(`spec.${field}`, o.spec?.[field], 'field is immutable')
}

const parentOf = (o: KObject): string => {
  const p = o.spec?.parentRef
  if (!p) return '<none>'
  const resource = `${p.resource ?? ''}${p.group ? `.${p.group}` : ''}`.toLowerCase()
  return `${resource}${p.namespace ? `/${p.namespace}` : ''}/${p.name ?? ''}`
}

export const ipAddress: Kind = plainKind({
  group: GROUP,
  kind: 'IPAddress',
  plural: 'ipaddresses',
  shortNames: ['ip'],
  namespaced: false,
  type: 'V1IPAddress',
  generation: true,
  nameFormat: (name) => (isIP(name) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']),
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    const p = o.spec?.parentRef
    if (!p) return e.required('spec.parentRef')
    for (const f of ['resource', 'name']) if (!p[f]) e.required(`spec.parentRef.${f}`)
  },
  validateUpdate: fixed('parentRef'),
  columns: [nameColumn, text('ParentRef', 'The object that the address belongs to.'), ageColumn],
  cells: (o, now) => [o.metadata.name, parentOf(o), ageOf(o, now)],
})

export const serviceCidr: Kind = plainKind({
  group: GROUP,
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  type: 'V1ServiceCIDR',
  subresources: statusSubresource,
  ...withStatus(),
  defaults: (o) => {
    o.spec ??= {}
  },
  validate: (o, e) => {
    const cidrs: string[] = o.spec?.cidrs ?? []
    if (!cidrs.length) return e.required('spec.cidrs', 'at least one CIDR required')
    if (cidrs.length > 2) return e.invalid('spec', o.spec, 'may only hold up to 2 values')
    cidrs.forEach((c, i) => {
      if (!parseCidr(c)) e.invalid(`spec.cidrs[${i}]`, c, CIDR)
    })
  },
  validateUpdate: fixed('cidrs'),
  columns: [nameColumn, text('CIDRs', 'The ranges that service addresses come from.'), ageColumn],
  cells: (o, now) => [o.metadata.name, (o.spec?.cidrs ?? []).join(','), ageOf(o, now)],
})
