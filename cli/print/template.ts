// Go templates, as far as `-o go-template` uses them: fields, pipelines, variables, range, if, with, define and template, and the built-in functions.

type Expr =
  | { t: 'literal'; value: unknown }
  | { t: 'dot' }
  | { t: 'field'; base?: Expr; names: string[] }
  | { t: 'variable'; name: string; names: string[] }
  | { t: 'call'; name: string; args: Expr[] }
  | { t: 'pipe'; steps: Expr[] }

type Part =
  | { t: 'text'; text: string }
  | { t: 'print'; expr: Expr }
  | { t: 'assign'; name: string; expr: Expr; declare: boolean }
  | { t: 'range'; key?: string; value?: string; over: Expr; body: Part[]; other: Part[] }
  | { t: 'if' | 'with'; test: Expr; variable?: string; body: Part[]; other: Part[] }
  | { t: 'template'; name: string; arg?: Expr }
  | { t: 'break' | 'continue' }

export class TemplateError extends Error {}

const TOKEN =
  /\s*(?:("(?:\\.|[^"\\])*"|`[^`]*`|'(?:\\.|[^'\\])')|([-+]?\d+(?:\.\d+)?)|(\$\w*(?:\.\w+)*)|((?:\.\w+)+|\.)|(:=|=|\||\(|\)|,)|(\w+))/y
type Token = { t: 'string' | 'number' | 'variable' | 'field' | 'mark' | 'word'; text: string }

function tokens(text: string): Token[] {
  const out: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const from = TOKEN.lastIndex
    const m = TOKEN.exec(text)
    if (!m) throw new TemplateError(`unexpected ${JSON.stringify(text.slice(from).trim()[0])} in operand`)
    const kinds = ['string', 'number', 'variable', 'field', 'mark', 'word'] as const
    const k = kinds.findIndex((_, i) => m[i + 1] !== undefined)
    out.push({ t: kinds[k]!, text: m[k + 1]! })
  }
  return out
}

const stringOf = (text: string): string =>
  text[0] === '`' ? text.slice(1, -1) : text[0] === "'" ? JSON.parse(`"${text.slice(1, -1).replaceAll('"', '\\"')}"`) : JSON.parse(text)

class Expressions {
  readonly list: Token[]
  at = 0
  constructor(list: Token[]) {
    this.list = list
  }
  get next(): Token | undefined {
    return this.list[this.at]
  }
  take(text: string): boolean {
    if (this.next?.t !== 'mark' || this.next.text !== text) return false
    this.at++
    return true
  }
  pipeline(): Expr {
    const steps = [this.command()]
    while (this.take('|')) steps.push(this.command())
    return steps.length === 1 ? steps[0]! : { t: 'pipe', steps }
  }
  command(): Expr {
    const first = this.next
    if (!first) throw new TemplateError('missing value for command')
    if (first.t === 'word' && !['true', 'false', 'nil'].includes(first.text)) {
      this.at++
      const args: Expr[] = []
      while (this.next && !(this.next.t === 'mark' && this.next.text !== '(')) args.push(this.operand())
      return { t: 'call', name: first.text, args }
    }
    return this.operand()
  }
  operand(): Expr {
    const token = this.next
    if (!token) throw new TemplateError('missing operand')
    this.at++
    switch (token.t) {
      case 'string':
        return { t: 'literal', value: token.text[0] === "'" ? stringOf(token.text).codePointAt(0) : stringOf(token.text) }
      case 'number':
        return { t: 'literal', value: Number(token.text) }
      case 'variable': {
        const [name, ...names] = token.text.split('.')
        return { t: 'variable', name: name!, names }
      }
      case 'field':
        return token.text === '.' ? { t: 'dot' } : { t: 'field', names: token.text.slice(1).split('.') }
      case 'word':
        if (token.text === 'true' || token.text === 'false') return { t: 'literal', value: token.text === 'true' }
        if (token.text === 'nil') return { t: 'literal', value: null }
        return { t: 'call', name: token.text, args: [] }
      default: {
        if (token.text !== '(') throw new TemplateError(`unexpected ${JSON.stringify(token.text)} in operand`)
        const inner = this.pipeline()
        if (!this.take(')')) throw new TemplateError('unclosed left paren')
        const field = this.next
        if (field?.t === 'field' && field.text !== '.') {
          this.at++
          return { t: 'field', base: inner, names: field.text.slice(1).split('.') }
        }
        return inner
      }
    }
  }
}

const functions = new Set([
  'and',
  'or',
  'not',
  'len',
  'index',
  'slice',
  'print',
  'printf',
  'println',
  'html',
  'js',
  'urlquery',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'exists',
  'base64decode',
  'call',
])

function expression(text: string): Expr {
  const e = new Expressions(tokens(text))
  const found = e.pipeline()
  if (e.next) throw new TemplateError(`unexpected ${JSON.stringify(e.next.text)} in command`)
  check(found)
  return found
}

function check(e: Expr): void {
  if (e.t === 'call') {
    if (!functions.has(e.name)) throw new TemplateError(`function ${JSON.stringify(e.name)} not defined`)
    e.args.forEach(check)
  }
  if (e.t === 'pipe') e.steps.forEach(check)
  if (e.t === 'field' && e.base) check(e.base)
}

interface Source {
  pieces: { text?: string; action?: string }[]
  at: number
  named: Map<string, Part[]>
}

/** Text and actions, with the trimming of `{{-` and `-}}` done. */
function pieces(template: string): Source['pieces'] {
  const out: Source['pieces'] = []
  let trim = false
  for (let at = 0; at <= template.length; ) {
    const open = template.indexOf('{{', at)
    let text = template.slice(at, open < 0 ? undefined : open)
    if (trim) text = text.trimStart()
    trim = false
    if (open < 0) {
      if (text) out.push({ text })
      break
    }
    const close = /(?:"(?:\\.|[^"\\])*"|`[^`]*`|[^"`])*?\}\}/y
    close.lastIndex = open + 2
    const m = close.exec(template)
    if (!m) throw new TemplateError('unclosed action')
    let action = m[0].slice(0, -2)
    if (/^-\s/.test(action)) {
      text = text.trimEnd()
      action = action.slice(1)
    }
    if (/\s-$/.test(action)) {
      trim = true
      action = action.slice(0, -1)
    }
    if (text) out.push({ text })
    at = open + 2 + m[0].length
    if (!/^\/\*/.test(action.trim())) out.push({ action: action.trim() })
  }
  return out
}

/** Parts until `end` or `else`; which of them it was. */
function parts(s: Source, inside: boolean): { body: Part[]; stop?: string } {
  const body: Part[] = []
  while (s.at < s.pieces.length) {
    const { text, action } = s.pieces[s.at++]!
    if (text !== undefined) {
      body.push({ t: 'text', text })
      continue
    }
    const [, word, rest] = /^(\w+)\b\s*([\s\S]*)$/.exec(action!) ?? []
    if (word === 'end' || word === 'else') {
      if (!inside) throw new TemplateError(`unexpected {{${word}}}`)
      return { body, stop: action! }
    }
    if (word === 'range' || word === 'if' || word === 'with') body.push(control(s, word, rest!))
    else if (word === 'define') {
      s.named.set(stringOf(rest!.trim()), parts(s, true).body)
    } else if (word === 'template') {
      const m = /^("(?:\\.|[^"\\])*")\s*([\s\S]*)$/.exec(rest!)
      if (!m) throw new TemplateError('template wants a name')
      body.push({ t: 'template', name: stringOf(m[1]!), ...(m[2] ? { arg: expression(m[2]) } : {}) })
    } else if (action === 'break' || action === 'continue') body.push({ t: action })
    else {
      const set = /^(\$\w+)\s*(:?=)\s*([\s\S]+)$/.exec(action!)
      if (set) body.push({ t: 'assign', name: set[1]!, expr: expression(set[3]!), declare: set[2] === ':=' })
      else if (!action) throw new TemplateError('missing value for command')
      else body.push({ t: 'print', expr: expression(action) })
    }
  }
  if (inside) throw new TemplateError('unexpected EOF')
  return { body }
}

function control(s: Source, word: 'range' | 'if' | 'with', head: string): Part {
  const { body, stop } = parts(s, true)
  let other: Part[] = []
  if (stop?.startsWith('else')) {
    const again = /^else\s+(if|with)\s+([\s\S]+)$/.exec(stop)
    other = again ? [control(s, again[1] as 'if' | 'with', again[2]!)] : parts(s, true).body
  }
  if (word === 'range') {
    const m = /^(?:(\$\w+)(?:\s*,\s*(\$\w+))?\s*:=\s*)?([\s\S]+)$/.exec(head)!
    const [key, value] = m[2] ? [m[1], m[2]] : [undefined, m[1]]
    return { t: 'range', ...(key ? { key } : {}), ...(value ? { value } : {}), over: expression(m[3]!), body, other }
  }
  const m = /^(?:(\$\w+)\s*:=\s*)?([\s\S]+)$/.exec(head)!
  return { t: word, test: expression(m[2]!), ...(m[1] ? { variable: m[1] } : {}), body, other }
}

const truth = (v: any): boolean =>
  v !== null &&
  v !== undefined &&
  v !== false &&
  v !== 0 &&
  v !== '' &&
  !(Array.isArray(v) && !v.length) &&
  !(typeof v === 'object' && !Array.isArray(v) && !Object.keys(v).length)

/** As fmt prints a value. */
export function goValue(v: any): string {
  if (v === undefined) return '<no value>'
  if (v === null) return '<nil>'
  if (Array.isArray(v)) return `[${v.map(goValue).join(' ')}]`
  if (typeof v === 'object')
    return `map[${Object.keys(v)
      .sort()
      .map((k) => `${k}:${goValue(v[k])}`)
      .join(' ')}]`
  return String(v)
}

function printf(format: string, args: any[]): string {
  let n = 0
  const out = format.replace(
    /%([-+ 0#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%'
      if (n >= args.length) return `%!${verb}(MISSING)`
      const v = args[n++]
      let text: string
      if (verb === 'q') text = JSON.stringify(String(v))
      else if (verb === 'd') text = typeof v === 'number' ? String(Math.trunc(v)) : `%!d(${typeof v}=${goValue(v)})`
      else if (verb === 'f') text = Number(v).toFixed(precision === undefined ? 6 : Number(precision))
      else if (verb === 'x')
        text =
          typeof v === 'number'
            ? v.toString(16)
            : [...new TextEncoder().encode(String(v))].map((b) => b.toString(16).padStart(2, '0')).join('')
      else if (verb === 'T')
        text =
          typeof v === 'object'
            ? Array.isArray(v)
              ? '[]interface {}'
              : 'map[string]interface {}'
            : typeof v === 'number'
              ? 'int64'
              : typeof v
      else text = verb === 's' && precision !== undefined ? goValue(v).slice(0, Number(precision)) : goValue(v)
      if (!width) return text
      return flags.includes('-') ? text.padEnd(Number(width)) : text.padStart(Number(width), flags.includes('0') ? '0' : ' ')
    },
  )
  return n < args.length
    ? `${out}%!(EXTRA ${args
        .slice(n)
        .map((a) => `${typeof a}=${goValue(a)}`)
        .join(', ')})`
    : out
}

function call(name: string, a: any[]): unknown {
  switch (name) {
    case 'and':
      return a.find((v) => !truth(v)) ?? a.at(-1)
    case 'or':
      return a.find(truth) ?? a.at(-1)
    case 'not':
      return !truth(a[0])
    case 'len':
      if (typeof a[0] === 'string') return new TextEncoder().encode(a[0]).length
      if (a[0] === null || a[0] === undefined) throw new TemplateError('error calling len: len of nil pointer')
      return Object.keys(a[0]).length
    case 'index':
      return a.slice(1).reduce((v, k) => {
        if (Array.isArray(v) && (k < 0 || k >= v.length)) throw new TemplateError(`error calling index: reflect: slice index out of range`)
        if (v === null || v === undefined) throw new TemplateError('error calling index: index of untyped nil')
        return v[k]
      }, a[0])
    case 'slice':
      return a[0].slice(a[1] ?? 0, a[2])
    case 'print':
      return a.map((v, i) => (i && typeof v !== 'string' && typeof a[i - 1] !== 'string' ? ` ${goValue(v)}` : goValue(v))).join('')
    case 'println':
      return `${a.map(goValue).join(' ')}\n`
    case 'printf':
      return printf(String(a[0]), a.slice(1))
    case 'html':
      return a
        .map(goValue)
        .join('')
        .replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' })[c]!)
    case 'js':
      return JSON.stringify(a.map(goValue).join('')).slice(1, -1)
    case 'urlquery':
      return encodeURIComponent(a.map(goValue).join('')).replaceAll('%20', '+')
    case 'base64decode':
      return Buffer.from(String(a[0]), 'base64').toString()
    case 'exists': {
      let v = a[0]
      for (const k of a.slice(1)) {
        if (v === null || typeof v !== 'object' || !(k in v)) return false
        v = v[k]
      }
      return true
    }
    case 'eq':
      return a.slice(1).some((v) => v === a[0])
    case 'ne':
      return a[0] !== a[1]
    case 'lt':
      return a[0] < a[1]
    case 'le':
      return a[0] <= a[1]
    case 'gt':
      return a[0] > a[1]
    case 'ge':
      return a[0] >= a[1]
    default:
      throw new TemplateError(`function ${JSON.stringify(name)} not defined`)
  }
}

class Leave extends Error {
  readonly how: 'break' | 'continue'
  constructor(how: 'break' | 'continue') {
    super(how)
    this.how = how
  }
}

class Run {
  readonly named: Map<string, Part[]>
  out = ''
  readonly scopes: Map<string, unknown>[] = []
  constructor(named: Map<string, Part[]>) {
    this.named = named
  }

  field(v: any, names: string[]): unknown {
    for (const n of names) {
      if (v === null || v === undefined) {
        if (v === null) throw new TemplateError(`nil data; no entry for key ${JSON.stringify(n)}`)
        return undefined
      }
      if (typeof v !== 'object' || Array.isArray(v))
        throw new TemplateError(
          `can't evaluate field ${n} in type ${Array.isArray(v) ? '[]interface {}' : typeof v === 'number' ? 'int64' : typeof v}`,
        )
      v = v[n]
    }
    return v
  }

  value(e: Expr, dot: unknown, piped?: { v: unknown }): unknown {
    switch (e.t) {
      case 'literal':
        return e.value
      case 'dot':
        return dot
      case 'field':
        return this.field(e.base ? this.value(e.base, dot) : dot, e.names)
      case 'variable': {
        const scope = this.scopes.findLast((s) => s.has(e.name))
        if (!scope) throw new TemplateError(`undefined variable ${JSON.stringify(e.name)}`)
        return this.field(scope.get(e.name), e.names)
      }
      case 'call':
        return call(e.name, [...e.args.map((a) => this.value(a, dot)), ...(piped ? [piped.v] : [])])
      case 'pipe':
        return e.steps.reduce<{ v: unknown } | undefined>((p, s) => ({ v: this.value(s, dot, p) }), undefined)!.v
    }
  }

  within(variables: [string, unknown][], body: () => void): void {
    this.scopes.push(new Map(variables))
    try {
      body()
    } finally {
      this.scopes.pop()
    }
  }

  parts(list: Part[], dot: unknown): void {
    for (const p of list) this.part(p, dot)
  }

  part(p: Part, dot: unknown): void {
    switch (p.t) {
      case 'text':
        this.out += p.text
        return
      case 'print':
        this.out += goValue(this.value(p.expr, dot))
        return
      case 'assign': {
        const scope = p.declare ? this.scopes.at(-1)! : (this.scopes.findLast((s) => s.has(p.name)) ?? this.scopes.at(-1)!)
        scope.set(p.name, this.value(p.expr, dot))
        return
      }
      case 'range': {
        const over: any = this.value(p.over, dot)
        const entries: [unknown, unknown][] =
          typeof over === 'number'
            ? Array.from({ length: over }, (_, i) => [i, i])
            : Array.isArray(over)
              ? over.map((v, i) => [i, v])
              : over && typeof over === 'object'
                ? Object.keys(over)
                    .sort()
                    .map((k) => [k, over[k]])
                : []
        if (!entries.length) this.within([], () => this.parts(p.other, dot))
        for (const [k, v] of entries) {
          try {
            this.within(
              [...(p.key ? [[p.key, k] as [string, unknown]] : []), ...(p.value ? [[p.value, v] as [string, unknown]] : [])],
              () => this.parts(p.body, v),
            )
          } catch (cause) {
            if (!(cause instanceof Leave)) throw cause
            if (cause.how === 'break') break
          }
        }
        return
      }
      case 'if':
      case 'with': {
        const v = this.value(p.test, dot)
        const inner = p.t === 'with' && truth(v) ? v : dot
        this.within(p.variable ? [[p.variable, v]] : [], () => this.parts(truth(v) ? p.body : p.other, inner))
        return
      }
      case 'template': {
        const body = this.named.get(p.name)
        if (!body) throw new TemplateError(`template ${JSON.stringify(p.name)} not defined`)
        const arg = p.arg ? this.value(p.arg, dot) : undefined
        this.within([['$', arg]], () => this.parts(body, arg))
        return
      }
      default:
        throw new Leave(p.t)
    }
  }
}

/** Fills a template in. Throws TemplateError. */
export function goTemplate(template: string, data: unknown): string {
  const s: Source = { pieces: pieces(template), at: 0, named: new Map() }
  const { body } = parts(s, false)
  const run = new Run(s.named)
  run.within([['$', data]], () => run.parts(body, data))
  return run.out
}
