// Rules of custom resources: what they refuse, what of the old they see, and which of them are no rules.
import { describe, expect, test } from 'vitest'
import { FieldErrors } from '../meta/field-error.ts'
import { checkRules, validateRules } from './rules.ts'
import type { Structural } from './structural.ts'

const rule = (text: string, more: object = {}) => ({ 'x-kubernetes-validations': [{ rule: text, ...more }] })
const integer: Structural = { type: 'integer' }
const spec = (properties: Record<string, Structural>, more: object = {}): Structural => ({
  type: 'object',
  properties: { spec: { type: 'object', properties, ...more } },
})
const object = (s: object) => ({ apiVersion: 'a.b/v1', kind: 'K', metadata: { name: 'x' }, spec: s })

const said = (s: Structural, now: object, before?: object) => {
  const e = new FieldErrors()
  checkRules(s, object(now), before && object(before), e)
  return [...e.causes.map((c) => `${c.field}: ${c.message}`), ...e.warnings.map((w) => `warning: ${w}`)]
}

const bounds = spec({ min: integer, max: integer }, rule('self.min <= self.max', { message: 'min over max' }))
const ports: Structural = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
  items: { type: 'object', properties: { name: { type: 'string' }, port: { ...integer, ...rule('self == oldSelf') } } },
}

describe('what rules say', () => {
  const cases: [name: string, s: Structural, now: object, before: object | undefined, said: string[]][] = [
    ['nothing of what holds', bounds, { min: 1, max: 2 }, undefined, []],
    ['their message', bounds, { min: 3, max: 2 }, undefined, ['spec: Invalid value: min over max']],
    [
      'themselves, without one',
      spec({ n: { ...integer, ...rule('self > 2') } }),
      { n: 1 },
      undefined,
      ['spec.n: Invalid value: 1: failed rule: self > 2'],
    ],
    [
      'a message made for the case',
      spec({ n: { ...integer, ...rule('self > 2', { messageExpression: '"%d is small".format([self])' }) } }),
      { n: 1 },
      undefined,
      ['spec.n: Invalid value: 1: 1 is small'],
    ],
    [
      'another reason, elsewhere',
      spec({ n: integer }, rule('self.n > 2', { reason: 'FieldValueForbidden', fieldPath: '.n', message: 'no' })),
      { n: 1 },
      undefined,
      ['spec.n: Forbidden: no'],
    ],
    [
      'of the whole object, with its name',
      { ...spec({ n: integer }), ...rule('self.metadata.name != "x"', { message: 'not x' }) },
      { n: 1 },
      undefined,
      ['<nil>: Invalid value: not x'],
    ],
    [
      'of what is not there, at run time',
      spec({ n: integer }, rule('self.n > 2')),
      {},
      undefined,
      ['spec: Invalid value: "object": no such key: n evaluating rule: self.n > 2'],
    ],
    ['of changes: nothing when it is new', spec({ n: { ...integer, ...rule('self == oldSelf') } }), { n: 1 }, undefined, []],
    [
      'of changes',
      spec({ n: { ...integer, ...rule('self == oldSelf', { message: 'fixed' }) } }),
      { n: 1 },
      { n: 2 },
      ['spec.n: Invalid value: 1: fixed'],
    ],
    [
      'of changes where the old may be missing',
      spec({ n: { ...integer, ...rule('oldSelf.hasValue() || self == 1', { optionalOldSelf: true }) } }),
      { n: 2 },
      undefined,
      ['spec.n: Invalid value: 2: failed rule: oldSelf.hasValue() || self == 1'],
    ],
    [
      'of the elements of lists by key',
      spec({ ports }),
      {
        ports: [
          { name: 'b', port: 1 },
          { name: 'a', port: 1 },
        ],
      },
      {
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 2 },
        ],
      },
      ['spec.ports[0].port: Invalid value: 1: failed rule: self == oldSelf'],
    ],
    [
      'of maps',
      spec({ m: { type: 'object', additionalProperties: { ...integer, ...rule('self > 0') } } }),
      { m: { k: 0 } },
      undefined,
      ['spec.m[k]: Invalid value: 0: failed rule: self > 0'],
    ],
    ['what was wrong before, as a warning', bounds, { min: 3, max: 2 }, { min: 3, max: 2 }, ['warning: spec: min over max']],
    [
      'with names that the language reserves',
      spec({ namespace: { type: 'string' }, 'a-b': integer }, rule('self.__namespace__ == "x" && self.a__dash__b > 1')),
      { namespace: 'x', 'a-b': 1 },
      undefined,
      ['spec: Invalid value: failed rule: self.__namespace__ == "x" && self.a__dash__b > 1'],
    ],
    [
      'of objects as wholes',
      spec({ o: { type: 'object', properties: { a: integer }, ...rule('self == oldSelf') } }),
      { o: { a: 1 } },
      { o: { a: 1 } },
      [],
    ],
    [
      'of texts with a format',
      spec(
        { at: { type: 'string', format: 'date-time' }, for: { type: 'string', format: 'duration' } },
        rule('self.at > timestamp("2024-01-01T00:00:00Z") && self.__for__ > duration("1m")', { message: 'soon' }),
      ),
      { at: '2023-01-01T00:00:00Z', for: '2h' },
      undefined,
      ['spec: Invalid value: soon'],
    ],
    [
      'of what is either',
      spec(
        { v: { 'x-kubernetes-int-or-string': true } },
        rule('type(self.v) == int ? self.v < 5 : self.v.endsWith("%")', { message: 'odd' }),
      ),
      { v: 7 },
      undefined,
      ['spec: Invalid value: odd'],
    ],
    [
      'that they cost too much',
      spec({ l: { type: 'array', items: integer } }, rule('self.l.all(a, self.l.all(b, self.l.all(c, true)))')),
      { l: Array.from({ length: 200 }, (_, i) => i) },
      undefined,
      [
        'spec: Invalid value: "object": \'operation cancelled: actual cost limit exceeded\': no further validation rules will be run due to call cost exceeds limit for rule: self.l.all(a, self.l.all(b, self.l.all(c, true)))',
      ],
    ],
  ]
  test.each(cases)('%s', (_, s, now, before, expected) => {
    expect(said(s, now, before)).toEqual(expected)
  })
})

describe('what is no rule', () => {
  const faults = (s: Structural) => {
    const e = new FieldErrors()
    validateRules(s, 'schema', e)
    return e.causes.map((c) => `${c.field}: ${c.message}`.replace(/Invalid value: \{.*?\}: /, ''))
  }
  const at = 'schema.properties[spec].x-kubernetes-validations[0]'
  const cases: [string, Structural, string[]][] = [
    ['one that is fine', bounds, []],
    [
      'a field that the schema does not have',
      spec({ n: integer }, rule('self.m > 1')),
      [`${at}.rule: compilation failed: ERROR: <input>:1:6: undefined field 'm'\n | self.m > 1\n | .....^`],
    ],
    ['no truth', spec({ n: integer }, rule('self.n + 1')), [`${at}.rule: must evaluate to a bool`]],
    ['no text', spec({ n: integer }, rule(' ')), [`${at}.rule: Required value: rule is not specified`]],
    [
      'a message over two lines',
      spec({ n: integer }, rule('self.n > 1', { message: 'a\nb' })),
      [`${at}.message: Invalid value: "a\\nb": message must not contain line breaks`],
    ],
    [
      'a reason that is none',
      spec({ n: integer }, rule('self.n > 1', { reason: 'Why' })),
      [
        `${at}.reason: Unsupported value: "Why": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"`,
      ],
    ],
    [
      'a message that does not compile',
      spec({ n: integer }, rule('self.n > 1', { messageExpression: 'self.m' })),
      [`${at}.messageExpression: messageExpression compilation failed: ERROR: <input>:1:6: undefined field 'm'\n | self.m\n | .....^`],
    ],
    [
      'the old of what cannot be told apart',
      spec({ l: { type: 'array', items: { ...integer, ...rule('self == oldSelf') } } }),
      [
        'schema.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema',
      ],
    ],
  ]
  test.each(cases)('%s', (_, s, expected) => {
    expect(faults(s)).toEqual(expected)
  })
})
