// Service: cluster IP, node port and headless; addresses and ports are allocated by admission.
import { FAMILIES, type Family, familyOf } from '../meta/address.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { dns1035Label, dnsLabel, dnsSubdomain, isIP, portName, portNumber } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, allVerbs, type Kind, nameColumn, proxySubresource, statusVerbs, text } from './kind.ts'
import { validateLabels } from './pod-validation.ts'

const exposed = (type: string) => type === 'NodePort' || type === 'LoadBalancer'

/** Whether balancers before the cluster ask the nodes which of them has endpoints. */
export const isHealthChecked = (spec: any): boolean => spec?.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'

/** The families of a service, its own first. */
export const familiesOf = ({ spec }: { spec?: any }): Family[] => spec.ipFamilies ?? ['IPv4']

function defaults(o: KObject) {
  o.spec ??= {}
  const s = o.spec
  s.type ||= 'ClusterIP'
  s.sessionAffinity ||= 'None'
  if (s.sessionAffinity === 'ClientIP') {
    s.sessionAffinityConfig ??= {}
    s.sessionAffinityConfig.clientIP ??= {}
    s.sessionAffinityConfig.clientIP.timeoutSeconds ??= 10800
  }
  for (const p of s.ports ?? []) {
    p.protocol ||= 'TCP'
    p.targetPort = p.targetPort === undefined || p.targetPort === '' || p.targetPort === 0 ? p.port : p.targetPort
  }
  if (exposed(s.type)) s.externalTrafficPolicy ||= 'Cluster'
  if (s.type === 'LoadBalancer') s.allocateLoadBalancerNodePorts ??= true
  if (s.type !== 'ExternalName') {
    s.internalTrafficPolicy ||= 'Cluster'
    if (s.clusterIP && !s.clusterIPs) s.clusterIPs = [s.clusterIP]
    if (s.clusterIPs?.length && !s.clusterIP) s.clusterIP = s.clusterIPs[0]
  }
}

const POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack']

/** Families, their policy and the addresses of them. */
export function validateFamilies(s: any, e: FieldErrors): void {
  const ips: string[] = s.clusterIPs ?? (s.clusterIP ? [s.clusterIP] : [])
  const families: string[] = s.ipFamilies ?? []
  if (s.type === 'ExternalName') {
    for (const f of ['ipFamilyPolicy', 'ipFamilies']) if (s[f]?.length) e.forbidden(`spec.${f}`, "may not be set for type 'ExternalName'")
    return
  }
  if (s.ipFamilyPolicy && !POLICIES.includes(s.ipFamilyPolicy)) e.notSupported('spec.ipFamilyPolicy', s.ipFamilyPolicy, POLICIES)
  families.forEach((f, i) => {
    if (!FAMILIES.includes(f as never)) e.notSupported(`spec.ipFamilies[${i}]`, f, FAMILIES)
    else if (families.indexOf(f) < i) e.duplicate(`spec.ipFamilies[${i}]`, f)
  })
  if (families.length > 2) e.invalid('spec.ipFamilies', families, 'may only hold up to 2 values')
  if (ips.length > 2) e.invalid('spec.clusterIPs', ips, 'may only hold up to 2 values')
  if (s.clusterIPs?.length && (s.clusterIP ?? '') !== s.clusterIPs[0])
    e.invalid('spec.clusterIPs', ips, 'first value must match `clusterIP`')
  ips.forEach((ip, i) => {
    const at = `spec.clusterIPs[${i}]`
    if (ip === 'None') {
      if (ips.length > 1) e.invalid(at, ip, 'may not be set to None with other addresses')
    } else if (!isIP(ip)) e.invalid(at, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')
    else if (families[i] && families[i] !== familyOf(ip))
      e.invalid(at, ip, `expected an ${families[i]} value as indicated by \`ipFamilies[${i}]\``)
    else if (ips.some((other, j) => j < i && familyOf(other) === familyOf(ip)))
      e.invalid('spec.clusterIPs', ips, 'may specify no more than one IP for each IP family')
  })
}

function validate(o: KObject, e: FieldErrors) {
  const s = o.spec
  const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
  if (!types.includes(s.type)) e.notSupported('spec.type', s.type, types)
  const headless = s.clusterIP === 'None'
  if (!s.ports?.length && !headless && s.type !== 'ExternalName') e.required('spec.ports')
  if (s.type === 'ExternalName') {
    if (!s.externalName) e.required('spec.externalName', '')
    else e.format('spec.externalName', s.externalName, dnsSubdomain(s.externalName.replace(/\.$/, '').toLowerCase()))
    if (s.clusterIP && s.clusterIP !== 'None') e.forbidden('spec.clusterIPs', "may not be set when type is 'ExternalName'")
  }
  if (headless && exposed(s.type)) e.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${s.type} services`)
  validateFamilies(s, e)
  if (!['None', 'ClientIP'].includes(s.sessionAffinity)) e.notSupported('spec.sessionAffinity', s.sessionAffinity, ['ClientIP', 'None'])
  for (const f of ['externalTrafficPolicy', 'internalTrafficPolicy'])
    if (s[f] && !['Cluster', 'Local'].includes(s[f])) e.notSupported(`spec.${f}`, s[f], ['Cluster', 'Local'])
  if (s.externalTrafficPolicy && !exposed(s.type) && !s.externalIPs?.length)
    e.invalid('spec.externalTrafficPolicy', s.externalTrafficPolicy, 'may only be set for externally-accessible services')
  if (s.healthCheckNodePort && !isHealthChecked(s))
    e.invalid(
      'spec.healthCheckNodePort',
      s.healthCheckNodePort,
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    )
  validateLabels(s.selector, 'spec.selector', e)
  const names = new Set<string>()
  const ports = new Set<string>()
  s.ports?.forEach((p: any, i: number) => {
    const at = `spec.ports[${i}]`
    if (s.ports.length > 1 && !p.name) e.required(`${at}.name`)
    else if (p.name) {
      e.format(`${at}.name`, p.name, dnsLabel(p.name))
      if (names.has(p.name)) e.duplicate(`${at}.name`, p.name)
      names.add(p.name)
    }
    e.format(`${at}.port`, p.port, portNumber(p.port))
    if (!['TCP', 'UDP', 'SCTP'].includes(p.protocol)) e.notSupported(`${at}.protocol`, p.protocol, ['SCTP', 'TCP', 'UDP'])
    if (typeof p.targetPort === 'number') e.format(`${at}.targetPort`, p.targetPort, portNumber(p.targetPort))
    else if (p.targetPort) e.format(`${at}.targetPort`, p.targetPort, portName(p.targetPort))
    if (p.nodePort && !exposed(s.type)) e.forbidden(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'")
    const key = `${p.protocol}/${p.port}`
    if (ports.has(key)) e.duplicate(at, { protocol: p.protocol, port: p.port })
    ports.add(key)
  })
}

export const service: Kind = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  type: 'V1Service',
  verbs: allVerbs,
  subresources: { ...proxySubresource('ServiceProxyOptions'), status: { verbs: statusVerbs } },
  nameFormat: dns1035Label,
  defaults,
  prepareForCreate: (o) => {
    o.status = { loadBalancer: {} }
  },
  prepareForUpdate: (o, old) => {
    o.status = old.status
    const [s, was] = [o.spec, old.spec]
    // What the server allocated stays when the client leaves it out.
    if (s.type !== 'ExternalName' && was.type !== 'ExternalName') {
      if (s.clusterIP === undefined && s.clusterIPs === undefined) {
        if (was.clusterIP !== undefined) s.clusterIP = was.clusterIP
        if (was.clusterIPs !== undefined) s.clusterIPs = was.clusterIPs
      }
      s.ipFamilyPolicy ??= was.ipFamilyPolicy
      if (!s.ipFamilies?.length) s.ipFamilies = was.ipFamilies
      // Who wants one stack alone lets go of the second, and need not say so three times.
      if (s.ipFamilyPolicy === 'SingleStack' && was.ipFamilyPolicy !== 'SingleStack')
        for (const f of ['clusterIPs', 'ipFamilies']) if (s[f]?.length > 1 && equal(s[f], was[f])) s[f] = s[f].slice(0, 1)
    }
    if (exposed(s.type) && exposed(was.type))
      for (const p of s.ports ?? []) {
        if (p.nodePort) continue
        const before = was.ports?.find((b: any) => b.port === p.port && b.protocol === p.protocol)
        if (before?.nodePort && !s.ports.some((o2: any) => o2.nodePort === before.nodePort)) p.nodePort = before.nodePort
      }
    if (isHealthChecked(was)) {
      if (!isHealthChecked(s) && s.healthCheckNodePort === was.healthCheckNodePort) delete s.healthCheckNodePort
      else if (isHealthChecked(s)) s.healthCheckNodePort ||= was.healthCheckNodePort
    }
    if (!exposed(s.type) && exposed(was.type)) {
      for (const p of s.ports ?? []) delete p.nodePort
      delete s.externalTrafficPolicy
      delete s.allocateLoadBalancerNodePorts
    }
  },
  validate,
  validateUpdate: (o, old, e) => {
    const [s, was] = [o.spec, old.spec]
    if (was.type !== 'ExternalName' && s.type !== 'ExternalName' && was.clusterIP && s.clusterIP !== was.clusterIP)
      e.invalid('spec.clusterIPs[0]', s.clusterIP ?? '', 'may not change once set')
    if (was.clusterIPs?.[1] && s.clusterIPs?.[1] && s.clusterIPs[1] !== was.clusterIPs[1])
      e.invalid('spec.clusterIPs[1]', s.clusterIPs[1], 'may not change once set')
    if (was.ipFamilies?.[0] && s.ipFamilies?.[0] && s.ipFamilies[0] !== was.ipFamilies[0])
      e.invalid('spec.ipFamilies[0]', s.ipFamilies[0], 'may not change once set')
    if (isHealthChecked(s) && isHealthChecked(was) && was.healthCheckNodePort && s.healthCheckNodePort !== was.healthCheckNodePort)
      e.invalid('spec.healthCheckNodePort', s.healthCheckNodePort, 'field is immutable')
  },
  fields: (o) => ({ 'spec.clusterIP': o.spec?.clusterIP ?? '', 'spec.type': o.spec?.type ?? '' }),
  columns: [
    nameColumn,
    text('Type', 'How the service is exposed.'),
    text('Cluster-IP', 'Address of the service inside the cluster.'),
    text('External-IP', 'Addresses of the service outside the cluster.'),
    text('Port(s)', 'Ports, with their node ports.'),
    ageColumn,
    text('Selector', 'Labels of the pods behind the service.', 1),
  ],
  cells: (o, now) => {
    const s = o.spec ?? {}
    const ingress: any[] = o.status?.loadBalancer?.ingress ?? []
    const external = [...ingress.map((i) => i.ip ?? i.hostname), ...(s.externalIPs ?? [])]
    return [
      o.metadata.name,
      s.type,
      s.clusterIP || '<none>',
      s.type === 'ExternalName'
        ? s.externalName
        : external.length
          ? external.join(',')
          : s.type === 'LoadBalancer'
            ? '<pending>'
            : '<none>',
      (s.ports ?? []).map((p: any) => `${p.port}${p.nodePort ? `:${p.nodePort}` : ''}/${p.protocol}`).join(',') || '<none>',
      ageOf(o, now),
      Object.entries(s.selector ?? {})
        .map(([k, v]) => `${k}=${v}`)
        .join(',') || '<none>',
    ]
  },
}
