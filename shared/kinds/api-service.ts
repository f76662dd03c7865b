// apiregistration.k8s.io: who serves which version of which group. Without a service it is this server.
import { dns1035Label, dnsSubdomain, pathSegment, portNumber } from '../meta/names.ts'
import { type KObject, timeString } from '../meta/object.ts'
import { ageColumn, ageOf, type Kind, nameColumn, plainKind, statusSubresource, text, withStatus } from './kind.ts'

export const API_SERVICES = 'apiservices.apiregistration.k8s.io'
const STATUSES = ['False', 'True', 'Unknown']

const availability = (o: KObject): string => {
  const c = o.status?.conditions?.find((x: any) => x.type === 'Available')
  if (!c) return 'Unknown'
  return c.status === 'True' ? 'True' : `${c.status} (${c.reason})`
}

/** The condition that says whether it answers. */
export const available = (status: 'True' | 'False', reason: string, message: string, now: number, before?: any) => ({
  type: 'Available',
  status,
  lastTransitionTime: before?.status === status ? before.lastTransitionTime : timeString(now),
  reason,
  message,
})

export const apiService: Kind = plainKind({
  group: 'apiregistration.k8s.io',
  kind: 'APIService',
  plural: 'apiservices',
  categories: ['api-extensions'],
  namespaced: false,
  type: 'V1APIService',
  subresources: statusSubresource,
  ...withStatus(),
  generation: false,
  nameFormat: pathSegment,
  defaults: (o) => {
    o.spec ??= {}
    if (o.spec.service) o.spec.service.port ??= 443
  },
  validate: (o, e) => {
    const s = o.spec
    const wanted = `${s.version ?? ''}.${s.group ?? ''}`
    if (o.metadata.name && o.metadata.name !== wanted)
      e.invalid('metadata.name', o.metadata.name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`)
    if (!s.group && s.version !== 'v1') e.required('spec.group', 'only v1 may have an empty group and it better be legacy kube')
    if (s.group) e.format('spec.group', s.group, dnsSubdomain(s.group))
    e.format('spec.version', s.version ?? '', dns1035Label(s.version ?? ''))
    const within = (f: string, max: number) => {
      const n = s[f] ?? 0
      if (n <= 0 || n > max) e.invalid(`spec.${f}`, n, `must be positive and less than ${max}`)
    }
    within('groupPriorityMinimum', 20_000)
    within('versionPriority', 1000)
    if (!s.service) {
      if (s.caBundle) e.invalid('spec.caBundle', `${atob(s.caBundle).length} bytes`, 'local APIServices may not have a caBundle')
      if (s.insecureSkipTLSVerify) e.invalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify')
    } else {
      for (const f of ['namespace', 'name']) if (!s.service[f]) e.required(`spec.service.${f}`)
      const faults = portNumber(s.service.port)
      if (faults.length) e.invalid('spec.service.port', s.service.port, `port is not valid: ${faults.join(', ')}`)
      if (s.insecureSkipTLSVerify && s.caBundle) e.invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present')
    }
    o.status?.conditions?.forEach((c: any, i: number) => {
      if (!STATUSES.includes(c.status)) e.notSupported(`status.conditions[${i}].status`, c.status ?? '', STATUSES)
    })
  },
  columns: [
    nameColumn,
    text('Service', 'The reference to the service that hosts this API endpoint.'),
    text('Available', 'Whether this service is available.'),
    ageColumn,
  ],
  cells: (o, now) => {
    const { service } = o.spec ?? {}
    return [o.metadata.name, service ? `${service.namespace}/${service.name}` : 'Local', availability(o), ageOf(o, now)]
  },
})
