// JSONPath as kubectl has it: a template of text and {expressions}, with range, filters, slices, unions and recursive descent.
import { compactJson } from './json.ts'

type Node =
  | { t: 'text'; text: string }
  | { t: 'field'; name: string }
  | { t: 'wildcard' }
  | { t: 'recursive' }
  | { t: 'slice'; from?: number; to?: number; step?: number }
  | { t: 'index'; at: number }
  | { t: 'union'; parts: Node[][] }
  | { t: 'filter'; left: Node[]; op: string; right: Node[] }
  | { t: 'literal'; value: unknown }
  | { t: 'path'; nodes: Node[] }
  | { t: 'range'; over: Node[]; body: Node[] }

export class JsonPathError extends Error {}

const escapesIn: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '\\': '\\', '"': '"', "'": "'" }
const unquote = (text: string): string => text.replace(/\\(.)/g, (_, c: string) => escapesIn[c] ?? c)

/** The template's parts. Throws JsonPathError. */
class Parser {
  readonly text: string
  at = 0
  constructor(text: string) {
    this.text = text
  }

  template(inRange = false): Node[] {
    const out: Node[] = []
    for (;;) {
      const open = this.text.indexOf('{', this.at)
      const text = this.text.slice(this.at, open < 0 ? undefined : open)
      if (text) out.push({ t: 'text', text })
      if (open < 0) {
        if (inRange) throw new JsonPathError('unexpected end of range')
        this.at = this.text.length
        return out
      }
      this.at = open + 1
      this.space()
      const word = /^(range|end)\b/.exec(this.text.slice(this.at))?.[1]
      if (word === 'end') {
        this.at += 3
        this.close()
        if (!inRange) throw new JsonPathError('not in range, nothing to end')
        return out
      }
      if (word === 'range') {
        this.at += 5
        this.space()
        const over = this.path('}')
        this.close()
        out.push({ t: 'range', over, body: this.template(true) })
        continue
      }
      out.push(...this.action())
    }
  }

  /** What stands between braces: literals and paths. */
  action(): Node[] {
    const out: Node[] = []
    for (;;) {
      this.space()
      const c = this.text[this.at]
      if (c === undefined) throw new JsonPathError('unclosed action')
      if (c === '}') {
        this.at++
        return out
      }
      if (c === '"' || c === "'") out.push({ t: 'text', text: this.quoted(c) })
      else if (/[-+0-9]/.test(c)) {
        const m = /^[-+]?[0-9.]+/.exec(this.text.slice(this.at))!
        this.at += m[0].length
        out.push({ t: 'path', nodes: [{ t: 'literal', value: Number(m[0]) }] })
      } else out.push({ t: 'path', nodes: this.path('}') })
    }
  }

  quoted(quote: string): string {
    const begin = ++this.at
    for (; this.at < this.text.length; this.at++) {
      if (this.text[this.at] === '\\') this.at++
      else if (this.text[this.at] === quote) return unquote(this.text.slice(begin, this.at++))
    }
    throw new JsonPathError('unterminated quoted string')
  }

  space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++
  }

  close(): void {
    this.space()
    if (this.text[this.at] !== '}') throw new JsonPathError('unclosed action')
    this.at++
  }

  /** Steps until a stop character, a space, or whatever is no step. */
  path(stops: string): Node[] {
    const out: Node[] = []
    for (;;) {
      const c = this.text[this.at]
      if (c === undefined || stops.includes(c) || /\s/.test(c)) return out
      if (c === '$' || c === '@') this.at++
      else if (c === '.') {
        this.at++
        if (this.text[this.at] === '.') {
          this.at++
          out.push({ t: 'recursive' })
          if (/[^[.\s}]/.test(this.text[this.at] ?? '')) out.push(this.field())
        } else if (/[^[.\s}\],=!<>&|)]/.test(this.text[this.at] ?? '')) out.push(this.field())
      } else if (c === '[') out.push(this.bracket())
      else if (/[A-Za-z0-9_*\\-]/.test(c)) out.push(this.field())
      else
        throw new JsonPathError(
          `unrecognized character in action: U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')} '${c}'`,
        )
    }
  }

  field(): Node {
    let name = ''
    for (; this.at < this.text.length; this.at++) {
      const c = this.text[this.at]!
      if (c === '\\') name += this.text[++this.at] ?? ''
      else if (/[\s.[\](){},:=!<>|&'"@$]/.test(c)) break
      else name += c
    }
    return name === '*' ? { t: 'wildcard' } : { t: 'field', name }
  }

  bracket(): Node {
    this.at++
    this.space()
    if (this.text[this.at] === '?') return this.filter()
    const end = this.closing()
    const inside = this.text.slice(this.at, end)
    this.at = end + 1
    const parts = splitOutside(inside, ',')
    if (parts.length > 1) return { t: 'union', parts: parts.map((p) => [subscript(p.trim())]) }
    return subscript(inside.trim())
  }

  closing(): number {
    let quote = ''
    for (let i = this.at; i < this.text.length; i++) {
      const c = this.text[i]!
      if (quote) {
        if (c === '\\') i++
        else if (c === quote) quote = ''
      } else if (c === '"' || c === "'") quote = c
      else if (c === ']') return i
    }
    throw new JsonPathError('unterminated array')
  }

  filter(): Node {
    this.at++
    if (this.text[this.at] !== '(') throw new JsonPathError('a filter needs parentheses')
    this.at++
    const left = this.operand()
    this.space()
    const op = /^(==|!=|<=|>=|<|>)/.exec(this.text.slice(this.at))?.[1]
    let right: Node[] = []
    if (op) {
      this.at += op.length
      right = this.operand()
      this.space()
    }
    if (this.text[this.at] !== ')') throw new JsonPathError('unterminated filter')
    this.at++
    this.space()
    if (this.text[this.at] !== ']') throw new JsonPathError('unclosed array expect ]')
    this.at++
    return { t: 'filter', left, op: op ?? 'exists', right }
  }

  operand(): Node[] {
    this.space()
    const c = this.text[this.at]
    if (c === '"' || c === "'") return [{ t: 'literal', value: this.quoted(c) }]
    const number = /^[-+]?\d+(\.\d+)?/.exec(this.text.slice(this.at))
    if (number) {
      this.at += number[0].length
      return [{ t: 'literal', value: Number(number[0]) }]
    }
    const word = /^(true|false)\b/.exec(this.text.slice(this.at))
    if (word) {
      this.at += word[0].length
      return [{ t: 'literal', value: word[0] === 'true' }]
    }
    return this.path(')=!<>')
  }
}

function splitOutside(text: string, separator: string): string[] {
  const out: string[] = []
  let quote = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (quote) quote = c === quote ? '' : quote
    else if (c === '"' || c === "'") quote = c
    else if (c === separator) {
      out.push(text.slice(from, i))
      from = i + 1
    }
  }
  return [...out, text.slice(from)]
}

function subscript(text: string): Node {
  if (text === '*' || text === '') return { t: 'wildcard' }
  const quoted = /^'([^']*)'$/.exec(text)
  // What is quoted is a path again, as kubectl reads it.
  if (quoted) return { t: 'path', nodes: new Parser(`.${quoted[1]!}`).path('') }
  if (/^-?\d+$/.test(text)) return { t: 'index', at: Number(text) }
  const slice = /^(-?\d*):(-?\d*)(?::(-?\d*))?$/.exec(text)
  if (slice) {
    const n = (s: string | undefined) => (s ? Number(s) : undefined)
    const [from, to, step] = [n(slice[1]), n(slice[2]), n(slice[3])]
    return {
      t: 'slice',
      ...(from !== undefined ? { from } : {}),
      ...(to !== undefined ? { to } : {}),
      ...(step !== undefined ? { step } : {}),
    }
  }
  throw new JsonPathError(`invalid array index ${text}`)
}

interface Options {
  /** Missing keys give nothing instead of an error. */
  allowMissing: boolean
}

const children = (v: any): unknown[] =>
  Array.isArray(v)
    ? v
    : v && typeof v === 'object'
      ? Object.keys(v)
          .sort()
          .map((k) => v[k])
      : []

function descendants(v: unknown): unknown[] {
  return [v, ...children(v).flatMap(descendants)]
}

function step(values: unknown[], node: Node, o: Options): unknown[] {
  switch (node.t) {
    case 'literal':
      return [node.value]
    case 'field':
      return values.flatMap((v: any) => {
        if (v !== null && typeof v === 'object' && !Array.isArray(v) && node.name in v) return [v[node.name]]
        if (!o.allowMissing) throw new JsonPathError(`${node.name} is not found`)
        return []
      })
    case 'wildcard':
      return values.flatMap(children)
    case 'recursive':
      return values.flatMap(descendants)
    case 'index':
      return values.flatMap((v: any) => {
        if (!Array.isArray(v)) {
          if (v === null || v === undefined) return []
          throw new JsonPathError(`${typeof v} is not array or slice`)
        }
        const at = node.at < 0 ? v.length + node.at : node.at
        if (at >= 0 && at < v.length) return [v[at]]
        if (o.allowMissing) return []
        throw new JsonPathError(`array index out of bounds: index ${node.at}, length ${v.length}`)
      })
    case 'slice':
      return values.flatMap((v: any) => {
        if (!Array.isArray(v)) return []
        const fix = (n: number) => (n < 0 ? v.length + n : n)
        const out: unknown[] = []
        for (let i = fix(node.from ?? 0); i < Math.min(fix(node.to ?? v.length), v.length); i += Math.max(node.step ?? 1, 1)) out.push(v[i])
        return out
      })
    case 'union':
      return node.parts.flatMap((p) => evaluate(values, p, o))
    case 'filter':
      return values.flatMap((v) => children(v).filter((item) => passes(item, node)))
    case 'path':
      return evaluate(values, node.nodes, o)
    default:
      return values
  }
}

function passes(item: unknown, f: Extract<Node, { t: 'filter' }>): boolean {
  const lenient = { allowMissing: true }
  const left = evaluate([item], f.left, lenient)
  if (f.op === 'exists') return left.length > 0
  const right = evaluate([item], f.right, lenient)
  if (!left.length || !right.length) return false
  const [a, b] = [left[0] as any, right[0] as any]
  switch (f.op) {
    case '==':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    default:
      return a >= b
  }
}

// `..name` takes the name wherever it is: what has none is passed over.
function evaluate(values: unknown[], nodes: Node[], o: Options): unknown[] {
  let lenient = false
  for (const n of nodes) {
    if (lenient && n.t === 'field')
      values = step(
        values.filter((v) => v !== null && typeof v === 'object' && !Array.isArray(v)),
        n,
        { allowMissing: true },
      )
    else values = step(values, n, o)
    lenient = n.t === 'recursive'
  }
  return values
}

const printed = (v: unknown): string => (typeof v === 'string' ? v : v === null || v === undefined ? '' : compactJson(v))

function render(nodes: Node[], root: unknown, context: unknown, o: Options): string {
  return nodes
    .map((n) => {
      if (n.t === 'text') return n.text
      if (n.t === 'range')
        return evaluate([context], n.over, o)
          .map((v) => render(n.body, root, v, o))
          .join('')
      return evaluate([context], n.t === 'path' ? n.nodes : [n], o)
        .map(printed)
        .join(' ')
    })
    .join('')
}

/** Fills a template in. Throws JsonPathError. */
export function jsonPath(template: string, data: unknown, o: Options = { allowMissing: true }): string {
  return render(new Parser(template).template(), data, data, o)
}

/** The values that a path finds: `{.a.b}`, `.a.b` or `a.b`. Throws JsonPathError. */
export function find(path: string, data: unknown, o: Options = { allowMissing: true }): unknown[] {
  return new Parser(relaxed(path)).template().flatMap((n) => (n.t === 'path' ? evaluate([data], n.nodes, o) : []))
}

/** The forms that columns and sort keys may have, as a template. */
export function relaxed(path: string): string {
  const m = /^\{?\.?([^{}]+)\}?$/.exec(path)
  if (!m)
    throw new JsonPathError(`unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'`)
  return `{.${m[1]}}`
}
