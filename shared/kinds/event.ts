// Event: what happened to an object, counted and kept for an hour.

import type { FieldErrors } from '../meta/field-error.ts'
import { qualifiedName } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { type Kind, plainKind, since, text } from './kind.ts'

const lastSeen = (o: KObject) =>
  o.series?.lastObservedTime ?? o.lastTimestamp ?? o.eventTime ?? o.firstTimestamp ?? o.metadata.creationTimestamp
const firstSeen = (o: KObject) => o.firstTimestamp ?? o.eventTime ?? o.metadata.creationTimestamp

const limits: [string, number][] = [
  ['reportingInstance', 128],
  ['action', 128],
  ['reason', 128],
]

/** What an event with a time of its own has to say, by whichever API it came. */
function validateNew(o: KObject, e: FieldErrors): void {
  const { namespace } = o.metadata
  if (!o.involvedObject?.namespace && namespace !== 'default' && namespace !== 'kube-system')
    e.invalid('involvedObject.namespace', '', 'does not match event.namespace')
  if (!o.reportingComponent) e.required('reportingController')
  else e.format('reportingController', o.reportingComponent, qualifiedName(o.reportingComponent))
  for (const [field, most] of limits) {
    if (!o[field]) e.required(field)
    else if (o[field].length > most) e.invalid(field, '', `can have at most ${most} characters`)
  }
  if (o.message?.length > 1024) e.invalid('message', '', 'can have at most 1024 characters')
}

export const event: Kind = plainKind({
  group: '',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  namespaced: true,
  type: 'CoreV1Event',
  defaults: (o) => {
    o.source ??= {}
    // Written even when it is not set.
    o.eventTime ??= null
    o.reportingComponent ??= ''
    o.reportingInstance ??= ''
  },
  validate: (o, e) => {
    const involved = o.involvedObject?.namespace
    if (o.eventTime) return validateNew(o, e)
    if (involved ? involved !== o.metadata.namespace : o.metadata.namespace !== 'default' && involved !== undefined)
      e.invalid('involvedObject.namespace', involved ?? '', 'does not match event.namespace')
  },
  fields: (o) => ({
    'involvedObject.kind': o.involvedObject?.kind ?? '',
    'involvedObject.namespace': o.involvedObject?.namespace ?? '',
    'involvedObject.name': o.involvedObject?.name ?? '',
    'involvedObject.uid': o.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': o.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': o.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': o.involvedObject?.fieldPath ?? '',
    reason: o.reason ?? '',
    reportingComponent: o.reportingComponent ?? '',
    source: o.source?.component || o.reportingComponent || '',
    type: o.type ?? '',
  }),
  columns: [
    text('Last Seen', 'Time when this event was last observed.'),
    text('Type', 'Type of this event.'),
    text('Reason', 'Short machine understandable reason.'),
    text('Object', 'The object that this event is about.'),
    text('Subobject', 'Part of the object that this event is about.', 1),
    text('Source', 'Component that reports the event.', 1),
    text('Message', 'Human readable description.'),
    text('First Seen', 'Time when this event was first observed.', 1),
    text('Count', 'How often it has happened.', 1),
    { ...text('Name', 'Name of the event.', 1), format: 'name' },
  ],
  cells: (o, now) => [
    since(lastSeen(o), now),
    o.type ?? '',
    o.reason ?? '',
    `${(o.involvedObject?.kind ?? '').toLowerCase()}/${o.involvedObject?.name ?? ''}`,
    o.involvedObject?.fieldPath ?? '',
    [o.source?.component || o.reportingComponent, o.source?.host || o.reportingInstance].filter(Boolean).join(', '),
    (o.message ?? '').trim(),
    since(firstSeen(o), now),
    String(o.series?.count ?? o.count ?? 1),
    o.metadata.name,
  ],
})

const renamed: [string, string][] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
]

function rename(o: KObject, pairs: [string, string][]): KObject {
  const out: KObject = { ...o }
  for (const [from, to] of pairs) {
    if (out[from] === undefined) continue
    out[to] = out[from]
    delete out[from]
  }
  return out
}

/** events.k8s.io: the same events under other names. */
export const eventV1: Kind = {
  ...event,
  group: 'events.k8s.io',
  type: 'EventsV1Event',
  defaults: (o) => {
    o.eventTime ??= null
  },
  validateCreate: (o, e) => {
    if (!o.eventTime) e.required('eventTime')
    if (o.type !== 'Normal' && o.type !== 'Warning') e.invalid('type', '', `has invalid value: ${o.type ?? ''}`)
    for (const [field, name] of renamed.slice(4)) if (o[field]) e.invalid(name, '', 'needs to be unset')
    if (o.deprecatedSource?.component || o.deprecatedSource?.host) e.invalid('source', '', 'needs to be unset')
    if (o.series?.count < 2) e.invalid('series.count', '', 'should be at least 2')
    if (o.series && !o.series.lastObservedTime) e.required('series.lastObservedTime')
  },
  fields: () =>
    Object.fromEntries(
      ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath']
        .map((f) => `regarding.${f}`)
        .concat('reason', 'reportingController', 'type')
        .map((f) => [f, '']),
    ),
  stored: {
    kind: event,
    up: (o) => rename(o, renamed),
    down: (o) =>
      rename(
        o,
        renamed.map(([a, b]) => [b, a]),
      ),
    field: (name) => name.replace(/^regarding/, 'involvedObject').replace('reportingController', 'reportingComponent'),
  },
}
