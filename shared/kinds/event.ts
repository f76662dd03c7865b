// Event: what happened to an object, counted and kept for an hour.
import type { KObject } from '../meta/object.ts'
import { type Kind, plainKind, since, text } from './kind.ts'

const lastSeen = (o: KObject) =>
  o.series?.lastObservedTime ?? o.lastTimestamp ?? o.eventTime ?? o.firstTimestamp ?? o.metadata.creationTimestamp
const firstSeen = (o: KObject) => o.firstTimestamp ?? o.eventTime ?? o.metadata.creationTimestamp

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
