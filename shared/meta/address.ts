// Addresses and ranges of both families.

export interface Cidr {
  /** 32 or 128. */
  width: number
  value: bigint
  bits: number
}

const v4 = (text: string): bigint | undefined => {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) < 256)) return undefined
  return parts.reduce((n, p) => n * 256n + BigInt(p), 0n)
}

function v6(text: string): bigint | undefined {
  // The last 32 bits may be written as an IPv4 address.
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const low = tail ? v4(tail[2]!) : undefined
  if (tail && low === undefined) return undefined
  const whole = tail ? `${tail[1]}${(low! >> 16n).toString(16)}:${(low! & 0xffffn).toString(16)}` : text
  const halves = whole.split('::')
  if (halves.length > 2) return undefined
  const words = (s: string) => (s ? s.split(':') : [])
  const [left, right] = [words(halves[0]!), words(halves[1] ?? '')]
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...left, ...Array.from({ length: missing }, () => '0'), ...right]
  return all.every((w) => /^[0-9a-fA-F]{1,4}$/.test(w)) ? all.reduce((n, w) => n * 65_536n + BigInt(`0x${w}`), 0n) : undefined
}

/** `10.0.0.0/8` or `2001:db8::/32`; undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, bits, ...more] = text.split('/')
  if (more.length || !/^\d{1,3}$/.test(bits ?? '')) return undefined
  const width = address!.includes(':') ? 128 : 32
  const value = width === 32 ? v4(address!) : v6(address!)
  return value === undefined || Number(bits) > width ? undefined : { width, value, bits: Number(bits) }
}

/** Whether the address that `inner` begins with lies in `outer`. */
export const cidrContains = (outer: Cidr, inner: Cidr): boolean => {
  const shift = BigInt(outer.width - outer.bits)
  return outer.width === inner.width && outer.value >> shift === inner.value >> shift
}

/** The address that a range begins with, whichever of its addresses it was written with. */
export const firstOf = ({ width, value, bits }: Cidr): bigint => (value >> BigInt(width - bits)) << BigInt(width - bits)

/** The address that a range is written with, in its canonical text (RFC 5952 for the long ones). */
export function printAddress({ width, value }: Cidr): string {
  const parts = (count: number, bits: number) =>
    Array.from({ length: count }, (_, i) => (value >> BigInt((count - 1 - i) * bits)) & ((1n << BigInt(bits)) - 1n))
  if (width === 32) return parts(4, 8).join('.')
  const words = parts(8, 16)
  // The longest run of at least two zeros is left out, the first of several.
  let [from, length] = [0, 1]
  for (let i = 0; i < 8; i++) {
    let n = 0
    while (i + n < 8 && words[i + n] === 0n) n++
    if (n > length) [from, length] = [i, n]
  }
  const text = (list: bigint[]) => list.map((w) => w.toString(16)).join(':')
  return length > 1 ? `${text(words.slice(0, from))}::${text(words.slice(from + length))}` : text(words)
}

export type Family = 'IPv4' | 'IPv6'
export const FAMILIES = ['IPv4', 'IPv6'] as const satisfies readonly Family[]

export const isIPv6 = (address: string): boolean => address.includes(':')

/** Of an address or a range. */
export const familyOf = (address: string): Family => (isIPv6(address) ? 'IPv6' : 'IPv4')

/** The first of one family. */
export const ofFamily = (all: readonly string[], family: Family): string | undefined => all.find((a) => familyOf(a) === family)

/** The ranges of a text: one, or after a comma one of the other family. */
export const rangesIn = (text: string): string[] => text.split(',').filter(Boolean)

/** All addresses of a pod, its own family's first; none before it has a network. */
export const podIps = ({ status }: { status?: any }): string[] =>
  status?.podIPs?.map((i: any) => i.ip) ?? (status?.podIP ? [status.podIP] : [])

/** What a node gets of a pod range whose addresses have this width: a /24, or a /64. */
export const nodeBits = (width: number): number => (width === 32 ? 24 : 64)

/** An address as the range that holds nothing else. */
export const asRange = (address: string): string => `${address}/${isIPv6(address) ? 128 : 32}`

/** As it stands before a port. */
export const asHost = (address: string): string => (isIPv6(address) ? `[${address}]` : address)

/** The nth address of the first of these ranges. */
export function addressIn(ranges: string, n: number): string {
  const range = parseCidr(rangesIn(ranges)[0] ?? '')
  if (!range) throw new Error(`no range: ${JSON.stringify(ranges)}`)
  return printAddress({ ...range, value: firstOf(range) + BigInt(n) })
}

/** The first address of the service range: the `kubernetes` service. */
export const apiServiceIp = (serviceCidr: string): string => addressIn(serviceCidr, 1)

/** Whether an address lies in a range; false for what is neither. */
export function inRange(address: string, range: string): boolean {
  const [outer, inner] = [parseCidr(range), parseCidr(asRange(address))]
  return !!outer && !!inner && cidrContains(outer, inner)
}

/** The address that a whole name below in-addr.arpa or ip6.arpa stands for. */
export function reverseName(name: string): string | undefined {
  const four = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name)
  if (four) return printed(four[1]!.slice(0, -1).split('.').reverse().join('.'))
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)
  if (!six) return undefined
  const digits = six[1]!.replaceAll('.', '').split('').reverse().join('')
  return printed(digits.match(/.{4}/g)!.join(':'))
}

/** An address in its canonical text; undefined for what is none. */
export const printed = (address: string): string | undefined => {
  const cidr = parseCidr(asRange(address))
  return cidr && printAddress(cidr)
}
