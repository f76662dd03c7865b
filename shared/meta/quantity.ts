// Resource quantities: parse, compare, add and print them as apimachinery's resource.Quantity does.
// Amounts are bigint nano-units so that 0.1 CPU and 8Ei are both exact.

const NANO = 1_000_000_000n
const binary: Record<string, bigint> = { Ki: 1n << 10n, Mi: 1n << 20n, Gi: 1n << 30n, Ti: 1n << 40n, Pi: 1n << 50n, Ei: 1n << 60n }
const decimal: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const pattern = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE][+-]?\d+)$/
const MAX = ((1n << 63n) - 1n) * NANO

type Format = 'BinarySI' | 'DecimalSI' | 'DecimalExponent'
interface Quantity {
  readonly nano: bigint
  readonly format: Format
}

// A cluster writes the same few amounts over and over.
const parsed = new Map<string | number, Quantity | undefined>()
const MAX_PARSED = 2000

/** Undefined when the text is no quantity. Digits below nano round up, as upstream does. */
function parseQuantity(text: string | number): Quantity | undefined {
  const known = parsed.get(text)
  if (known) return known
  if (parsed.size >= MAX_PARSED) parsed.clear()
  const q = parse(text)
  parsed.set(text, q)
  return q
}

function parse(text: string | number): Quantity | undefined {
  const m = pattern.exec(String(text))
  if (!m) return undefined
  const [, sign, digits, suffix] = m as unknown as [string, string, string, string]
  const [whole, fraction = ''] = digits.split('.')
  const mantissa = BigInt((whole || '0') + fraction)
  let numerator = mantissa * NANO
  let denominator = 10n ** BigInt(fraction.length)
  let format: Format = 'DecimalSI'
  if (binary[suffix]) {
    numerator *= binary[suffix]
    format = 'BinarySI'
  } else {
    const exponent = /^[eE][+-]?\d/.test(suffix) ? Number(suffix.slice(1)) : decimal[suffix]!
    if (suffix.length > 1) format = 'DecimalExponent'
    if (Math.abs(exponent) > 30) return undefined
    if (exponent >= 0) numerator *= 10n ** BigInt(exponent)
    else denominator *= 10n ** BigInt(-exponent)
  }
  let nano = numerator / denominator
  if (nano * denominator !== numerator) nano += 1n
  if (nano > MAX) nano = MAX
  return { nano: sign === '-' ? -nano : nano, format }
}

/** Nano-units of a quantity that validation has let in; zero when absent. */
export function nanoOf(text: string | number | undefined): bigint {
  return text === undefined ? 0n : (parseQuantity(text)?.nano ?? 0n)
}

/** Thousandths, rounded up: what CPU is counted in. */
export const milliOf = (text: string | number | undefined): number => Number((nanoOf(text) + 999_999n) / 1_000_000n)
/** Whole units, rounded up: bytes, pods. */
export const unitsOf = (text: string | number | undefined): number => Number((nanoOf(text) + NANO - 1n) / NANO)

/** The canonical text: the largest suffix that leaves no fraction. */
function printQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0'
  const sign = nano < 0n ? '-' : ''
  const abs = nano < 0n ? -nano : nano
  if (format === 'BinarySI' && abs % NANO === 0n && abs >= 1024n * NANO) {
    let best = ''
    let value = abs / NANO
    for (const [suffix, factor] of Object.entries(binary)) {
      if ((abs / NANO) % factor !== 0n) break
      best = suffix
      value = abs / NANO / factor
    }
    return `${sign}${value}${best}`
  }
  let exponent = -9
  let value = abs
  while (exponent < 18 && value % 1000n === 0n) {
    value /= 1000n
    exponent += 3
  }
  if (format === 'DecimalExponent') return exponent === 0 ? `${sign}${value}` : `${sign}${value}e${exponent}`
  const suffix = Object.entries(decimal).find(([, e]) => e === exponent)![0]
  return `${sign}${value}${suffix}`
}

/** A sum as text: bytes with binary suffixes, everything else with decimal ones. */
export const quantityText = (nano: bigint, bytes: boolean): string => printQuantity({ nano, format: bytes ? 'BinarySI' : 'DecimalSI' })

/** Canonical text of a quantity given as text or number; undefined when it is none. */
export function canonicalQuantity(text: string | number): string | undefined {
  const q = parseQuantity(text)
  return q && printQuantity(q)
}
