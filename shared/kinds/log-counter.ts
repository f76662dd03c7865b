// LogCounter: our own kind. What pods of a namespace say becomes a metric: lines that fit a pattern are counted by the nodes that they run on.
import { RE2JS } from 're2js'
import { OBSERVE_GROUP } from '../logs.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import type { KObject } from '../meta/object.ts'
import { fromLabelSelector } from '../meta/selector.ts'
import { ageColumn, ageOf, allVerbs, type Kind, nameColumn, text } from './kind.ts'

const METRIC = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const MAX_PATTERN = 1000
const MAX_LABELS = 8
const MAX_SERIES = 1000
const STREAMS = ['stdout', 'stderr']
/** What whoever counts says itself. */
const TAKEN = ['namespace', 'pod', 'container', 'node', 'counter', 'instance', 'job']

/** A pattern as it is searched for in a line; undefined where it is none. Linear in the line's length, whatever the pattern. */
export function logPattern(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern)
  } catch {
    return undefined
  }
}

function validate(o: KObject, e: FieldErrors) {
  const s = o.spec ?? {}
  const pattern = s.pattern && s.pattern.length <= MAX_PATTERN ? logPattern(s.pattern) : undefined
  if (!s.pattern) e.required('spec.pattern')
  else if (s.pattern.length > MAX_PATTERN)
    e.invalid('spec.pattern', s.pattern.slice(0, 50), `must be no longer than ${MAX_PATTERN} characters`)
  else if (!pattern) e.invalid('spec.pattern', s.pattern, 'must be a regular expression as RE2 has it')
  if (!s.metric) e.required('spec.metric')
  else if (!METRIC.test(s.metric) || s.metric.startsWith('__')) e.invalid('spec.metric', s.metric, 'must be a name as Prometheus has it')
  else if (!s.metric.endsWith('_total')) e.invalid('spec.metric', s.metric, 'must end with _total, as counters do')
  const groups = Object.keys(pattern?.namedGroups() ?? {})
  if (s.stream && !STREAMS.includes(s.stream)) e.notSupported('spec.stream', s.stream, STREAMS)
  const labels: string[] = s.labels ?? []
  if (labels.length > MAX_LABELS) e.invalid('spec.labels', labels.length, `at most ${MAX_LABELS}`)
  for (const [i, name] of labels.entries()) {
    if (TAKEN.includes(name) || !METRIC.test(name) || name.startsWith('__'))
      e.invalid(`spec.labels[${i}]`, name, 'cannot be the name of a label here')
    else if (!groups.includes(name)) e.invalid(`spec.labels[${i}]`, name, 'must be a named group of the pattern, as (?P<name>…)')
  }
  if (s.maxSeries < 1 || s.maxSeries > MAX_SERIES) e.invalid('spec.maxSeries', s.maxSeries, `must be between 1 and ${MAX_SERIES}`)
  try {
    fromLabelSelector(s.selector ?? {})
  } catch (cause) {
    e.invalid('spec.selector', JSON.stringify(s.selector), (cause as Error).message)
  }
}

export const logCounter: Kind = {
  group: OBSERVE_GROUP,
  version: 'v1',
  kind: 'LogCounter',
  plural: 'logcounters',
  singular: 'logcounter',
  shortNames: ['lc'],
  namespaced: true,
  type: 'V1LogCounter',
  verbs: allVerbs,
  generation: true,
  defaults: (o) => {
    const s = (o.spec ??= {})
    s.maxSeries ??= 100
  },
  validate,
  columns: [
    nameColumn,
    text('Metric', 'What the counter is called.'),
    text('Pattern', 'Which lines are counted.'),
    ageColumn,
    text('Container', 'Whose lines, where not all.', 1),
  ],
  cells: (o, now) => [o.metadata.name, o.spec?.metric ?? '', o.spec?.pattern ?? '', ageOf(o, now), o.spec?.container ?? ''],
}
