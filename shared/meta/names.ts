// Name and value formats with Kubernetes' messages (apimachinery validation, IsDNS1123Subdomain and friends).
// Each checker returns the messages of what is wrong, none when the value is fine.

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain = `${label}(\\.${label})*`
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const LABEL = new RegExp(`^${label}$`)
const SUBDOMAIN = new RegExp(`^${subdomain}$`)
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const QUALIFIED = new RegExp(`^${qualified}$`)
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/
const ENV_RELAXED = /^[ -<>-~]+$/

const tooLong = (max: number) => `must be no more than ${max} bytes`
const regexMessage = (what: string, regex: string, ...examples: string[]) =>
  `${what} (e.g. ${examples.map((e) => `'${e}'`).join(',  or ')}, regex used for validation is '${regex}')`

export function dnsLabel(value: string): string[] {
  const out: string[] = []
  if (value.length > 63) out.push(tooLong(63))
  if (!LABEL.test(value))
    out.push(
      regexMessage(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
        label,
        'my-name',
        '123-abc',
      ).replace(',  or ', ', or '),
    )
  return out
}

export function dnsSubdomain(value: string): string[] {
  const out: string[] = []
  if (value.length > 253) out.push(tooLong(253))
  if (!SUBDOMAIN.test(value))
    out.push(
      regexMessage(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        subdomain,
        'example.com',
      ),
    )
  return out
}

export function dns1035Label(value: string): string[] {
  const out: string[] = []
  if (value.length > 63) out.push(tooLong(63))
  if (!LABEL_1035.test(value))
    out.push(
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    )
  return out
}

/** RBAC names: anything that can stand in a URL path segment. */
export function pathSegment(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`]
  return ['/', '%'].filter((c) => value.includes(c)).map((c) => `may not contain '${c}'`)
}

export function qualifiedName(value: string): string[] {
  const parts = value.split('/')
  const out: string[] = []
  let name = value
  if (parts.length === 2) {
    name = parts[1]!
    if (!parts[0]) out.push('prefix part must be non-empty')
    else out.push(...dnsSubdomain(parts[0]).map((m) => `prefix part ${m}`))
  } else if (parts.length > 2) {
    return [
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ]
  }
  if (!name) out.push('name part must be non-empty')
  else if (name.length > 63) out.push(`name part ${tooLong(63)}`)
  if (!QUALIFIED.test(name))
    out.push(
      `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${qualified}')`,
    )
  return out
}

export function labelValue(value: string): string[] {
  const out: string[] = []
  if (value.length > 63) out.push(tooLong(63))
  if (value && !QUALIFIED.test(value))
    out.push(
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    )
  return out
}

export function configMapKey(value: string): string[] {
  if (value.length > 253) return [tooLong(253)]
  if (!CONFIG_KEY.test(value))
    return [
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    ]
  if (value === '.' || value === '..') return [`must not be '${value}'`]
  return value.startsWith('..') ? ["must not start with '..'"] : []
}

export function envVarName(value: string): string[] {
  return ENV_RELAXED.test(value) ? [] : ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

/** IANA service names: port names of containers. */
export function portName(value: string): string[] {
  const out: string[] = []
  if (value.length > 15) out.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/.test(value)) out.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) out.push('must contain at least one letter (a-z)')
  if (value.includes('--')) out.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) out.push('must not begin or end with a hyphen')
  return out
}

export const portNumber = (n: number): string[] =>
  Number.isInteger(n) && n >= 1 && n <= 65535 ? [] : ['must be between 1 and 65535, inclusive']

const ipv4 = /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.|$)){4}$/
export const isIP = (value: string): boolean =>
  (ipv4.test(value) && !value.endsWith('.')) || (value.includes(':') && /^[0-9a-fA-F:.]{2,45}$/.test(value))

const SAFE = 'bcdfghjklmnpqrstvwxz2456789'
/** `length` characters of the alphabet that Kubernetes uses for generated names, from bytes of randomness. */
export function safeSuffix(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => SAFE[b % SAFE.length]).join('')
}

/** A name with a random suffix: the prefix is cut so that the whole stays within 63 characters. */
export function generatedName(prefix: string, bytes: Uint8Array): string {
  return prefix.slice(0, 63 - bytes.length) + safeSuffix(bytes)
}
