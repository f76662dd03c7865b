// Environment of a container: service variables, envFrom and env in order, with $(VAR) references resolved. Pure.

/** `$(NAME)` becomes its value, `$$` a dollar; what is not known stays as it is (kubelet's third_party/forked/golang/expansion). */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, first, name) => (first === '$' ? '$' : (values.get(name) ?? whole)))
}

/** Variables that Docker links had: HOST, PORT and friends of every service of the namespace, and of `kubernetes`. */
export function serviceVariables(services: any[]): Map<string, string> {
  const out = new Map<string, string>()
  for (const s of services) {
    const ip = s.spec?.clusterIP
    if (!ip || ip === 'None' || !s.spec.ports?.length) continue
    const prefix = s.metadata.name.toUpperCase().replaceAll('-', '_')
    const first = s.spec.ports[0]
    out.set(`${prefix}_SERVICE_HOST`, ip)
    out.set(`${prefix}_SERVICE_PORT`, String(first.port))
    for (const p of s.spec.ports) if (p.name) out.set(`${prefix}_SERVICE_PORT_${p.name.toUpperCase().replaceAll('-', '_')}`, String(p.port))
    const url = (p: any) => `${p.protocol.toLowerCase()}://${ip}:${p.port}`
    out.set(`${prefix}_PORT`, url(first))
    for (const p of s.spec.ports) {
      const base = `${prefix}_PORT_${p.port}_${p.protocol}`
      out.set(base, url(p))
      out.set(`${base}_PROTO`, p.protocol.toLowerCase())
      out.set(`${base}_PORT`, String(p.port))
      out.set(`${base}_ADDR`, ip)
    }
  }
  return out
}

/** What env sources need from outside; undefined values mean that the object is not there. */
export interface EnvSources {
  configMap(name: string): Record<string, string> | undefined
  secret(name: string): Record<string, string> | undefined
  field(path: string): string
  resource(ref: any): string
}

/** A reference that cannot be resolved: the container waits with CreateContainerConfigError and this message. */
export class ConfigError extends Error {}

function fromObject(kind: 'configmap' | 'secret', values: Record<string, string> | undefined, ref: any): string | undefined {
  if (values?.[ref.key] !== undefined) return values[ref.key]
  if (ref.optional) return undefined
  if (!values) throw new ConfigError(`${kind} ${JSON.stringify(ref.name)} not found`)
  throw new ConfigError(`couldn't find key ${ref.key} in ${kind === 'secret' ? 'Secret' : 'ConfigMap'} ${ref.name}`)
}

export function environment(container: any, services: Map<string, string>, sources: EnvSources): Map<string, string> {
  const out = new Map<string, string>()
  for (const from of container.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef
    const kind = from.configMapRef ? 'configmap' : 'secret'
    const values = from.configMapRef ? sources.configMap(ref.name) : sources.secret(ref.name)
    if (!values && !ref.optional) throw new ConfigError(`${kind} ${JSON.stringify(ref.name)} not found`)
    for (const [k, v] of Object.entries(values ?? {})) out.set(`${from.prefix ?? ''}${k}`, v)
  }
  for (const e of container.env ?? []) {
    const v = e.valueFrom
    let value: string | undefined
    if (!v) value = expand(e.value ?? '', new Map([...services, ...out]))
    else if (v.fieldRef) value = sources.field(v.fieldRef.fieldPath)
    else if (v.resourceFieldRef) value = sources.resource(v.resourceFieldRef)
    else if (v.configMapKeyRef) value = fromObject('configmap', sources.configMap(v.configMapKeyRef.name), v.configMapKeyRef)
    else if (v.secretKeyRef) value = fromObject('secret', sources.secret(v.secretKeyRef.name), v.secretKeyRef)
    if (value !== undefined) out.set(e.name, value)
  }
  for (const [k, v] of services) if (!out.has(k)) out.set(k, v)
  return out
}
