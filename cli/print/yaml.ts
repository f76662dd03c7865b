// YAML as kubectl prints it: keys sorted naturally, lists at their key's column, strings quoted only where they would be read as something else,
// long ones folded at the first space past column 80 (the manner of goyaml.v2).

const WIDTH = 80

const letter = (c: string) => /\p{L}/u.test(c)
const digit = (c: string | undefined) => c !== undefined && /\p{Nd}/u.test(c)

/** Numbers within keys count as numbers: item2 comes before item10. */
function naturally(a: string, b: string): number {
  const x = [...a]
  const y = [...b]
  for (let i = 0; i < x.length && i < y.length; i++) {
    if (x[i] === y[i]) continue
    const [lx, ly] = [letter(x[i]!), letter(y[i]!)]
    if (lx && ly) return x[i]! < y[i]! ? -1 : 1
    if (lx || ly) return ly ? -1 : 1
    let [nx, ny] = [0, 0]
    if (x[i] === '0' || y[i] === '0')
      for (let j = i - 1; j >= 0 && digit(x[j]); j--)
        if (x[j] !== '0') {
          nx = ny = 1
          break
        }
    let [ix, iy] = [i, i]
    for (; digit(x[ix]); ix++) nx = nx * 10 + Number(x[ix])
    for (; digit(y[iy]); iy++) ny = ny * 10 + Number(y[iy])
    if (nx !== ny) return nx - ny
    if (ix !== iy) return ix - iy
    return x[i]! < y[i]! ? -1 : 1
  }
  return x.length - y.length
}

const words = new Set(
  ['~', 'null', 'true', 'false', 'yes', 'no', 'on', 'off', 'y', 'n'].flatMap((w) => [w, w.toUpperCase(), w[0]!.toUpperCase() + w.slice(1)]),
)
const special = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|<<|=)$/
const integer = /^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*)$/
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/
const sexagesimal = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/
const time = /^\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2}(?:\.\d*)?[ \t]*(?:Z|[-+]\d{1,2}(?::?\d{2})?)?)?$/

/** Whether a plain scalar would be read as anything but this text. */
const resolves = (s: string): boolean =>
  s === '' ||
  words.has(s) ||
  special.test(s) ||
  integer.test(s) ||
  (float.test(s.replaceAll('_', '')) && /^[-+.0-9]/.test(s)) ||
  sexagesimal.test(s) ||
  time.test(s)

const printable = (c: string) => {
  const p = c.codePointAt(0)!
  return (
    p === 0x0a ||
    (p >= 0x20 && p <= 0x7e) ||
    (p >= 0xa0 && p <= 0xd7ff && p !== 0x2028 && p !== 0x2029) ||
    (p >= 0xe000 && p <= 0xfffd && p !== 0xfeff) ||
    p >= 0x10000
  )
}

interface Allowed {
  plain: boolean
  single: boolean
  literal: boolean
}

/** Which styles can hold a text. */
function analyze(s: string): Allowed {
  const chars = [...s]
  const blank = (c: string | undefined) => c === undefined || c === ' ' || c === '\t' || c === '\n'
  let indicators = s.startsWith('---') || s.startsWith('...')
  let unprintable = false
  let breakSpace = false
  let spaceBreak = false
  for (const [i, c] of chars.entries()) {
    if (i === 0) {
      if ('#,[]{}&*!|>\'"%@`'.includes(c)) indicators = true
      else if ((c === '?' || c === ':' || c === '-') && blank(chars[1])) indicators = true
    } else if ((c === ':' && blank(chars[i + 1])) || (c === '#' && blank(chars[i - 1]))) indicators = true
    if (!printable(c)) unprintable = true
    if (c === ' ' && chars[i - 1] === '\n') breakSpace = true
    if (c === '\n' && chars[i - 1] === ' ') spaceBreak = true
  }
  const lines = s.includes('\n')
  const edges = /^[ \n]|[ \n]$/.test(s)
  const none = spaceBreak || unprintable
  return {
    plain: !none && !indicators && !lines && !edges && !breakSpace,
    single: !none && !breakSpace,
    literal: !none && !s.endsWith(' '),
  }
}

const escapes: Record<string, string> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\v': '\\v',
  '\f': '\\f',
  '\x1b': '\\e',
  '\x85': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
}
function escaped(c: string): string {
  if (escapes[c]) return escapes[c]
  if (printable(c) && c !== '\ufeff') return c
  const p = c.codePointAt(0)!
  return p < 0x100
    ? `\\x${p.toString(16).toUpperCase().padStart(2, '0')}`
    : p < 0x10000
      ? `\\u${p.toString(16).toUpperCase().padStart(4, '0')}`
      : `\\U${p.toString(16).toUpperCase().padStart(8, '0')}`
}

/** A scalar that begins at `column`; folded lines go to `indent`. */
function scalar(s: string, column: number, indent: number, key: boolean): string {
  const allowed = analyze(s)
  const plainWanted = !resolves(s)
  if (s.includes('\n') && allowed.literal && !key) return literal(s, indent)
  if (!s.includes('\n') && plainWanted && allowed.plain) return fold([...s], column, indent, key, 'plain')
  if (!s.includes('\n') && plainWanted && allowed.single) return fold([...s], column, indent, key, 'single')
  return fold([...s], column, indent, key, 'double')
}

function fold(chars: string[], start: number, indent: number, key: boolean, style: 'plain' | 'single' | 'double'): string {
  const quote = { plain: '', single: "'", double: '"' }[style]
  let out = quote
  let column = start + quote.length
  let spaces = false
  for (const [i, c] of chars.entries()) {
    if (c === ' ') {
      const inner = style === 'plain' || (i > 0 && i < chars.length - 1)
      const may = !key && !spaces && column > WIDTH && inner
      if (may && (style === 'double' || chars[i + 1] !== ' ')) {
        out += `\n${' '.repeat(indent)}`
        column = indent
        if (style === 'double' && chars[i + 1] === ' ') {
          out += '\\'
          column++
        }
      } else {
        out += c
        column++
      }
      spaces = true
      continue
    }
    const text = style === 'double' ? escaped(c) : style === 'single' && c === "'" ? "''" : c
    out += text
    column += text.length
    spaces = false
  }
  return out + quote
}

function literal(s: string, indent: number): string {
  const hint = /^[ \n]/.test(s) ? '2' : ''
  const chomp = !s.endsWith('\n') ? '-' : s === '\n' || s.endsWith('\n\n') ? '+' : ''
  const lines = s.replace(/\n$/, '').split('\n')
  return `|${hint}${chomp}\n${lines.map((l) => (l ? `${' '.repeat(indent)}${l}` : '')).join('\n')}`
}

const empty = (v: unknown) => (Array.isArray(v) ? '[]' : '{}')
const isEmpty = (v: any) => typeof v === 'object' && v !== null && !Object.keys(v).length

function leaf(v: unknown, column: number, indent: number): string {
  if (v === null || v === undefined) return 'null'
  if (typeof v === 'string') return scalar(v, column, indent, false)
  if (typeof v === 'object') return empty(v)
  return String(v)
}

/** Lines of a map's entries or a list's items, the first of which begins where the caller stands. */
function block(v: any, indent: number): string {
  const pad = ' '.repeat(indent)
  if (Array.isArray(v))
    return v
      .map((item) =>
        typeof item === 'object' && item !== null && !isEmpty(item)
          ? `- ${block(item, indent + 2)}`
          : `- ${leaf(item, indent + 2, indent + 2)}`,
      )
      .join(`\n${pad}`)
  return Object.keys(v)
    .filter((k) => v[k] !== undefined)
    .sort(naturally)
    .map((k) => {
      const key = scalar(k, indent, indent, true)
      const value = v[k]
      if (typeof value !== 'object' || value === null || isEmpty(value))
        return `${key}: ${leaf(value, indent + key.length + 2, indent + 2)}`
      const inner = Array.isArray(value) ? indent : indent + 2
      return `${key}:\n${' '.repeat(inner)}${block(value, inner)}`
    })
    .join(`\n${pad}`)
}

/** One document, with a line end. */
export const yaml = (v: unknown): string => `${typeof v === 'object' && v !== null && !isEmpty(v) ? block(v, 0) : leaf(v, 0, 0)}\n`
