// Label and field selectors: parsing with Kubernetes' messages, and matching. SQL for them is made in api/store.

import { badRequest } from '../status/index.ts'
import { dictionary } from './dictionary.ts'
import { labelValue, qualifiedName } from './names.ts'

type Operator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!'
interface Requirement {
  key: string
  operator: Operator
  values: string[]
}
export type Selector = Requirement[]

const MAX_LENGTH = 64 * 1024

interface Token {
  text: string
  symbol: boolean
}

function tokens(text: string): Token[] {
  const out: Token[] = []
  const re = /\s*(==|!=|[=!,()<>]|[^\s=!,()<>]+)/gy
  for (let m = re.exec(text); m; m = re.exec(text)) out.push({ text: m[1]!, symbol: /^[=!,()<>]/.test(m[1]!) })
  return out
}

/** Parses `a=b,c in (d,e),!f`. Throws 400 with the message that kube-apiserver gives. */
export function parseLabelSelector(text: string): Selector {
  if (text.length > MAX_LENGTH) throw badRequest('unable to parse requirement: selector is too long')
  const fail = (why: string): never => {
    throw badRequest(`unable to parse requirement: ${why}`)
  }
  const list = tokens(text.trim())
  const out: Selector = []
  let i = 0
  const checkKey = (key: string) => {
    const wrong = qualifiedName(key)
    if (wrong.length) fail(`<nil>: Invalid value: ${JSON.stringify(key)}: ${wrong.join('; ')}`)
  }
  const identifier = (): string => {
    const t = list[i]
    if (!t || t.symbol) return fail(`found '${t?.text ?? ''}', expected: identifier`)
    i++
    return t.text
  }
  while (i < list.length) {
    if (list[i]!.text === '!') {
      i++
      const key = identifier()
      checkKey(key)
      out.push({ key, operator: '!', values: [] })
    } else {
      if (list[i]!.symbol) fail(`found '${list[i]!.text}', expected: !, identifier, or 'end of string'`)
      const key = identifier()
      checkKey(key)
      const op = list[i]
      if (!op || op.text === ',') out.push({ key, operator: 'exists', values: [] })
      else if (op.text === '=' || op.text === '==' || op.text === '!=') {
        i++
        const value = list[i] && !list[i]!.symbol ? list[i++]!.text : ''
        out.push({ key, operator: op.text === '!=' ? '!=' : '=', values: [value] })
      } else if (op.text === 'in' || op.text === 'notin') {
        i++
        if (list[i]?.text !== '(') fail(`found '${list[i]?.text ?? ''}' expected: '('`)
        i++
        const values: string[] = []
        for (;;) {
          const t = list[i]
          if (!t) fail("found '', expected: ',', ')' or identifier")
          i++
          if (t!.text === ')') break
          if (t!.text === ',') {
            if (list[i]?.text === ',' || list[i]?.text === ')' || values.length === 0) values.push('')
            continue
          }
          if (t!.symbol) fail(`found '${t!.text}', expected: ',', or ')'`)
          values.push(t!.text)
        }
        out.push({ key, operator: op.text, values })
      } else fail(`found '${op.text}', expected: in, notin, =, ==, !=, gt, lt`)
    }
    const r = out.at(-1)!
    for (const v of r.values) {
      const wrong = labelValue(v)
      if (wrong.length) fail(`values[0][${r.key}]: Invalid value: ${JSON.stringify(v)}: ${wrong.join('; ')}`)
    }
    if (i < list.length) {
      if (list[i]!.text !== ',') fail(`found '${list[i]!.text}', expected: ',' or 'end of string'`)
      i++
      if (i >= list.length) fail("found '', expected: identifier after ','")
    }
  }
  return out
}

/** Parses `a.b=c,d!=e`; field selectors know no sets. */
export function parseFieldSelector(text: string): Selector {
  if (text.length > MAX_LENGTH) throw badRequest('invalid selector: too long')
  return text
    .split(/(?<!\\),/)
    .filter(Boolean)
    .map((part) => {
      const m = /^([^=!]+)(==|=|!=)(.*)$/.exec(part)
      if (!m) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`)
      return { key: m[1]!, operator: m[2] === '!=' ? '!=' : '=', values: [m[3]!.replace(/\\([\\,=])/g, '$1')] }
    })
}

/** Whether a set of labels (or fields) meets every requirement. */
export function matches(selector: Selector, labels: Record<string, string> | undefined): boolean {
  for (const r of selector) {
    const value = labels?.[r.key]
    const ok =
      r.operator === '='
        ? value === r.values[0]
        : r.operator === '!='
          ? value !== r.values[0]
          : r.operator === 'in'
            ? value !== undefined && r.values.includes(value)
            : r.operator === 'notin'
              ? value === undefined || !r.values.includes(value)
              : r.operator === 'exists'
                ? value !== undefined
                : value === undefined
    if (!ok) return false
  }
  return true
}

export interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

const expressionOperators: Record<string, Operator> = dictionary({ In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' })

/** A LabelSelector object as requirements. An absent selector matches nothing, an empty one everything: callers decide which they have. */
export function fromLabelSelector(selector: LabelSelector): Selector {
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, v]) => ({ key, operator: '=' as const, values: [v] })),
    ...(selector.matchExpressions ?? []).map((e) => ({
      key: e.key,
      operator: expressionOperators[e.operator] ?? ('!' as const),
      values: e.values ?? [],
    })),
  ]
}

/** A selector's canonical text, as `kubectl get deploy -o wide` and scale's status print it. */
export function printSelector(selector: LabelSelector | undefined): string {
  if (!selector) return '<none>'
  return fromLabelSelector(selector)
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map((r) =>
      r.operator === 'exists'
        ? r.key
        : r.operator === '!'
          ? `!${r.key}`
          : r.operator === '='
            ? `${r.key}=${r.values[0]}`
            : `${r.key} ${r.operator} (${[...r.values].sort().join(',')})`,
    )
    .join(',')
}
