// Kubernetes' own value types: quantities, addresses and ranges, URLs, versions, named formats.

import { type Environment, Optional } from '@marcbachmann/cel-js'
import { type Cidr, parseCidr, printAddress } from '../../meta/address.ts'
import { dictionary } from '../../meta/dictionary.ts'
import { dns1035Label, dnsLabel, dnsSubdomain, labelValue, qualifiedName } from '../../meta/names.ts'
import { canonicalQuantity, nanoOf, quantityText } from '../../meta/quantity.ts'
import { addFunctions, addNamespace, addType } from './library.ts'

const NANO = 1_000_000_000n
const compare = (a: bigint | number, b: bigint | number): bigint => (a < b ? -1n : a > b ? 1n : 0n)

class Quantity {
  readonly nano: bigint
  constructor(nano: bigint) {
    this.nano = nano
  }
  equals(o: unknown): boolean {
    return o instanceof Quantity && o.nano === this.nano
  }
  toString(): string {
    return quantityText(this.nano, false)
  }
}

function quantity(text: string): Quantity {
  if (canonicalQuantity(text) === undefined)
    throw new Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
  return new Quantity(nanoOf(text))
}

function quantities(env: Environment): void {
  const Q = 'kubernetes.Quantity'
  addType(env, Q, Quantity)
  addFunctions(env, {
    [`quantity(string): ${Q}`]: quantity,
    'isQuantity(string): bool': (s: string) => canonicalQuantity(s) !== undefined,
    [`${Q}.sign(): int`]: (q: Quantity) => compare(q.nano, 0n),
    [`${Q}.isInteger(): bool`]: (q: Quantity) => q.nano % NANO === 0n,
    [`${Q}.asInteger(): int`]: (q: Quantity) => {
      if (q.nano % NANO) throw new Error('cannot convert value to integer')
      return q.nano / NANO
    },
    [`${Q}.asApproximateFloat(): double`]: (q: Quantity) => Number(q.nano) / 1e9,
    [`${Q}.isGreaterThan(${Q}): bool`]: (a: Quantity, b: Quantity) => a.nano > b.nano,
    [`${Q}.isLessThan(${Q}): bool`]: (a: Quantity, b: Quantity) => a.nano < b.nano,
    [`${Q}.compareTo(${Q}): int`]: (a: Quantity, b: Quantity) => compare(a.nano, b.nano),
    [`${Q}.add(${Q}): ${Q}`]: (a: Quantity, b: Quantity) => new Quantity(a.nano + b.nano),
    [`${Q}.add(int): ${Q}`]: (a: Quantity, b: bigint) => new Quantity(a.nano + b * NANO),
    [`${Q}.sub(${Q}): ${Q}`]: (a: Quantity, b: Quantity) => new Quantity(a.nano - b.nano),
    [`${Q}.sub(int): ${Q}`]: (a: Quantity, b: bigint) => new Quantity(a.nano - b * NANO),
  })
}

/** A range of addresses, or one of them (then as long as it is wide). */
class Range {
  readonly cidr: Cidr
  constructor(cidr: Cidr) {
    this.cidr = cidr
  }
  equals(o: unknown): boolean {
    return o instanceof Range && o.cidr.width === this.cidr.width && o.cidr.value === this.cidr.value && o.cidr.bits === this.cidr.bits
  }
  contains(other: Range): boolean {
    const shift = BigInt(this.cidr.width - this.cidr.bits)
    return (
      this.cidr.width === other.cidr.width && this.cidr.bits <= other.cidr.bits && this.cidr.value >> shift === other.cidr.value >> shift
    )
  }
  toString(): string {
    return `${printAddress(this.cidr)}/${this.cidr.bits}`
  }
}
class Address extends Range {
  override equals(o: unknown): boolean {
    return o instanceof Address && super.equals(o)
  }
  override toString(): string {
    return printAddress(this.cidr)
  }
}

const whole = (text: string): Cidr | undefined => parseCidr(`${text}/${text.includes(':') ? 128 : 32}`)
// Addresses of one family written as the other's would compare as two things.
const mapped = (c: Cidr): boolean => c.width === 128 && c.value >> 32n === 0xffffn

function ip(text: string): Address {
  const found = whole(text)
  if (!found) throw new Error(`IP Address "${text}" parse error during conversion from string: ParseAddr("${text}"): unable to parse IP`)
  if (mapped(found)) throw new Error(`IPv4-mapped IPv6 address "${text}" is not allowed`)
  return new Address(found)
}

function cidr(text: string): Range {
  const found = parseCidr(text)
  if (!found) throw new Error(`network address parse error during conversion from string: netip.ParsePrefix("${text}")`)
  if (mapped(found)) throw new Error(`IPv4-mapped IPv6 address "${text}" is not allowed`)
  return new Range(found)
}

const works = (f: () => unknown): boolean => {
  try {
    f()
    return true
  } catch {
    return false
  }
}

const within = (a: Address, ...ranges: string[]): boolean => ranges.some((r) => new Range(parseCidr(r)!).contains(a))

function masked({ cidr: c }: Range): Range {
  const shift = BigInt(c.width - c.bits)
  return new Range({ ...c, value: (c.value >> shift) << shift })
}

function addresses(env: Environment): void {
  const [IP, CIDR] = ['net.IP', 'net.CIDR']
  addType(env, IP, Address)
  addType(env, CIDR, Range)
  addFunctions(env, {
    [`ip(string): ${IP}`]: ip,
    'isIP(string): bool': (s: string) => works(() => ip(s)),
    [`string(${IP}): string`]: (a: Address) => a.toString(),
    [`${IP}.family(): int`]: (a: Address) => (a.cidr.width === 32 ? 4n : 6n),
    [`${IP}.isUnspecified(): bool`]: (a: Address) => a.cidr.value === 0n,
    [`${IP}.isLoopback(): bool`]: (a: Address) => within(a, '127.0.0.0/8', '::1/128'),
    [`${IP}.isLinkLocalMulticast(): bool`]: (a: Address) => within(a, '224.0.0.0/24', 'ff02::/16'),
    [`${IP}.isLinkLocalUnicast(): bool`]: (a: Address) => within(a, '169.254.0.0/16', 'fe80::/10'),
    [`${IP}.isGlobalUnicast(): bool`]: (a: Address) =>
      a.cidr.value !== 0n &&
      !within(a, '127.0.0.0/8', '::1/128', '224.0.0.0/4', 'ff00::/8', '169.254.0.0/16', 'fe80::/10', '255.255.255.255/32'),
    [`cidr(string): ${CIDR}`]: cidr,
    'isCIDR(string): bool': (s: string) => works(() => cidr(s)),
    [`string(${CIDR}): string`]: (r: Range) => r.toString(),
    [`${CIDR}.containsIP(string): bool`]: (r: Range, s: string) => r.contains(ip(s)),
    [`${CIDR}.containsIP(${IP}): bool`]: (r: Range, a: Address) => r.contains(a),
    [`${CIDR}.containsCIDR(string): bool`]: (r: Range, s: string) => r.contains(cidr(s)),
    [`${CIDR}.containsCIDR(${CIDR}): bool`]: (r: Range, o: Range) => r.contains(o),
    [`${CIDR}.ip(): ${IP}`]: (r: Range) => new Address({ ...r.cidr, bits: r.cidr.width }),
    [`${CIDR}.prefixLength(): int`]: (r: Range) => BigInt(r.cidr.bits),
    [`${CIDR}.masked(): ${CIDR}`]: masked,
  })
  addNamespace(env, 'ip', { 'isCanonical(string): bool': (s: string) => ip(s).toString() === s })
}

class Url {
  readonly url: URL
  constructor(url: URL) {
    this.url = url
  }
  equals(o: unknown): boolean {
    return o instanceof Url && o.url.href === this.url.href
  }
}

/** Absolute URLs and absolute paths, as Go's ParseRequestURI takes them. */
function url(text: string): Url {
  const path = text.startsWith('/') && !text.startsWith('//')
  if ((!path && !/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//.test(text)) || !URL.canParse(text, 'path://'))
    throw new Error(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`)
  return new Url(new URL(text, 'path://'))
}

const bare = (u: URL): boolean => u.protocol === 'path:'
// WHATWG URLs leave out the usual port; what was written is not known any more for those.
function query(u: URL): Map<string, string[]> {
  const out = new Map<string, string[]>()
  for (const [k, v] of u.searchParams) out.set(k, [...(out.get(k) ?? []), v])
  return out
}

function urls(env: Environment): void {
  const U = 'kubernetes.URL'
  addType(env, U, Url)
  addFunctions(env, {
    [`url(string): ${U}`]: url,
    'isURL(string): bool': (s: string) => works(() => url(s)),
    [`${U}.getScheme(): string`]: ({ url: u }: Url) => (bare(u) ? '' : u.protocol.slice(0, -1)),
    [`${U}.getHost(): string`]: ({ url: u }: Url) => u.host,
    [`${U}.getHostname(): string`]: ({ url: u }: Url) => u.hostname.replace(/^\[|\]$/g, ''),
    [`${U}.getPort(): string`]: ({ url: u }: Url) => u.port,
    [`${U}.getEscapedPath(): string`]: ({ url: u }: Url) => u.pathname,
    [`${U}.getQuery(): map<string, list<string>>`]: ({ url: u }: Url) => query(u),
  })
}

class Semver {
  readonly parts: [number, number, number]
  readonly pre: string[]
  constructor(parts: [number, number, number], pre: string[]) {
    this.parts = parts
    this.pre = pre
  }
  compare(o: Semver): number {
    for (const i of [0, 1, 2] as const) if (this.parts[i] !== o.parts[i]) return this.parts[i] < o.parts[i] ? -1 : 1
    if (!this.pre.length || !o.pre.length) return this.pre.length ? -1 : o.pre.length ? 1 : 0
    for (let i = 0; i < Math.max(this.pre.length, o.pre.length); i++) {
      const [a, b] = [this.pre[i], o.pre[i]]
      if (a === undefined || b === undefined) return a === undefined ? -1 : 1
      if (a === b) continue
      const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)]
      if (x && y) return Number(a) < Number(b) ? -1 : 1
      if (x !== y) return x ? -1 : 1
      return a < b ? -1 : 1
    }
    return 0
  }
  equals(o: unknown): boolean {
    return o instanceof Semver && this.compare(o) === 0
  }
}

const SEMVER = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/
function semver(text: string, normalize = false): Semver {
  let given = text
  if (normalize) {
    const [core, ...rest] = given.replace(/^v/, '').split(/(?=[-+])/)
    const numbers = core!.split('.').map((n) => n.replace(/^0+(?=\d)/, ''))
    given = [...numbers, ...['0', '0'].slice(numbers.length - 1)].join('.') + rest.join('')
  }
  const m = SEMVER.exec(given)
  if (!m) throw new Error(`semver parse error: ${JSON.stringify(text)} is not a semantic version`)
  return new Semver([Number(m[1]), Number(m[2]), Number(m[3])], m[4]?.split('.') ?? [])
}

function versions(env: Environment): void {
  const S = 'kubernetes.Semver'
  addType(env, S, Semver)
  addFunctions(env, {
    [`semver(string): ${S}`]: (s: string) => semver(s),
    [`semver(string, bool): ${S}`]: semver,
    'isSemver(string): bool': (s: string) => works(() => semver(s)),
    'isSemver(string, bool): bool': (s: string, n: boolean) => works(() => semver(s, n)),
    [`${S}.major(): int`]: (v: Semver) => BigInt(v.parts[0]),
    [`${S}.minor(): int`]: (v: Semver) => BigInt(v.parts[1]),
    [`${S}.patch(): int`]: (v: Semver) => BigInt(v.parts[2]),
    [`${S}.compareTo(${S}): int`]: (a: Semver, b: Semver) => BigInt(a.compare(b)),
    [`${S}.isLessThan(${S}): bool`]: (a: Semver, b: Semver) => a.compare(b) < 0,
    [`${S}.isGreaterThan(${S}): bool`]: (a: Semver, b: Semver) => a.compare(b) > 0,
  })
}

type Check = (value: string) => string[]

class Format {
  readonly name: string
  readonly check: Check
  constructor(name: string, check: Check) {
    this.name = name
    this.check = check
  }
  equals(o: unknown): boolean {
    return o instanceof Format && o.name === this.name
  }
}

const prefix =
  (check: Check): Check =>
  (v) =>
    check(v.replace(/-$/, 'a'))
const matching =
  (pattern: RegExp, what: string): Check =>
  (v) =>
    pattern.test(v) ? [] : [`does not match the regular expression used for ${what}`]
const formats: Record<string, Check> = dictionary({
  dns1123Label: dnsLabel,
  dns1123Subdomain: dnsSubdomain,
  dns1035Label,
  qualifiedName,
  dns1123LabelPrefix: prefix(dnsLabel),
  dns1123SubdomainPrefix: prefix(dnsSubdomain),
  dns1035LabelPrefix: prefix(dns1035Label),
  labelValue,
  uri: (v) => (works(() => url(v)) ? [] : ['invalid URI for request']),
  uuid: matching(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i, 'uuid'),
  byte: matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, 'byte'),
  date: matching(/^\d{4}-\d\d-\d\d$/, 'date'),
  datetime: matching(/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/, 'datetime'),
})

function namedFormats(env: Environment): void {
  const F = 'kubernetes.NamedFormat'
  addType(env, F, Format)
  const all = Object.entries(formats).map(([name, check]): [string, Format] => [name, new Format(name, check)])
  addNamespace(env, 'format', {
    [`named(string): optional<${F}>`]: (name: string) => {
      const found = all.find(([n]) => n === name)?.[1]
      return found ? Optional.of(found) : Optional.none()
    },
    ...Object.fromEntries(all.map(([name, made]) => [`${name}(): ${F}`, () => made])),
  })
  addFunctions(env, {
    [`${F}.validate(string): optional<list<string>>`]: (f: Format, v: string) => {
      const found = f.check(v)
      return found.length ? Optional.of(found) : Optional.none()
    },
  })
}

export function values(env: Environment): void {
  quantities(env)
  addresses(env)
  urls(env)
  versions(env)
  namedFormats(env)
}
