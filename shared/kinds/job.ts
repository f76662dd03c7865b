// Job: pods that run until enough of them have succeeded; CronJob: a job at every time of a schedule.
import { parseSchedule } from '../meta/cron.ts'
import { humanDuration } from '../meta/duration.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import type { KObject } from '../meta/object.ts'
import { fromLabelSelector, matches, printSelector } from '../meta/selector.ts'
import { equal } from '../schema/field-set.ts'
import {
  ageColumn,
  ageOf,
  boolean,
  integer,
  type Kind,
  nameColumn,
  notNegative,
  plainKind,
  since,
  statusSubresource,
  text,
  withStatus,
} from './kind.ts'
import { validateLabelSelector, validateLabels, validatePodSpec } from './pod-validation.ts'
import { containerCells, containerColumns, defaultTemplate, goMap } from './workloads.ts'

const MAX_INT = 2_147_483_647
const MAX_NAME = 63
/** A cron job's own name leaves room for the time that its jobs carry. */
const MAX_CRON_NAME = 52

function defaultJobSpec(s: any): void {
  if (s.completions === undefined && s.parallelism === undefined) s.completions = 1
  s.parallelism ??= 1
  s.backoffLimit ??= s.backoffLimitPerIndex === undefined ? 6 : MAX_INT
  s.completionMode ??= 'NonIndexed'
  s.suspend ??= false
  s.podReplacementPolicy ??= s.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed'
  s.manualSelector ??= false
  for (const r of s.podFailurePolicy?.rules ?? []) for (const p of r.onPodConditions ?? []) p.status ||= 'True'
  defaultTemplate(s.template)
}

function validateFailurePolicy(s: any, at: string, e: FieldErrors): void {
  const { rules } = s.podFailurePolicy
  const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']
  if ((rules?.length ?? 0) > 20) e.invalidType(`${at}.rules`, `Too many: ${rules.length}: must have at most 20 items`)
  const containers = [...(s.template?.spec?.containers ?? []), ...(s.template?.spec?.initContainers ?? [])].map((c: any) => c.name)
  rules?.forEach((r: any, i: number) => {
    const here = `${at}.rules[${i}]`
    if (!r.action) e.required(`${here}.action`, `valid values: ${actions.map((a) => JSON.stringify(a)).join(', ')}`)
    else if (r.action === 'FailIndex' && s.backoffLimitPerIndex === undefined)
      e.invalid(`${here}.action`, r.action, 'requires the backoffLimitPerIndex to be set')
    else if (!actions.includes(r.action)) e.notSupported(`${here}.action`, r.action, actions)
    const conditions = r.onPodConditions?.length ?? 0
    if (r.onExitCodes && conditions) e.invalid(here, '', 'specifying both OnExitCodes and OnPodConditions is not supported')
    if (!r.onExitCodes && !conditions) e.invalid(here, '', 'specifying one of OnExitCodes and OnPodConditions is required')
    if (!r.onExitCodes) return
    const { operator, values, containerName } = r.onExitCodes
    const codes = `${here}.onExitCodes`
    if (operator !== 'In' && operator !== 'NotIn') e.notSupported(`${codes}.operator`, operator, ['In', 'NotIn'])
    if (!values?.length) e.invalid(`${codes}.values`, values ?? [], 'at least one value is required')
    values?.forEach((v: number, j: number) => {
      if (operator === 'In' && v === 0) e.invalid(`${codes}.values[${j}]`, v, 'must not be 0 for the In operator')
      if (values.indexOf(v) !== j) e.duplicate(`${codes}.values[${j}]`, v)
      else if (j > 0 && v < values[j - 1]) e.invalid(`${codes}.values`, values, 'must be ordered')
    })
    if (containerName !== undefined && !containers.includes(containerName))
      e.invalid(`${codes}.containerName`, containerName, 'must be one of the container or initContainer names in the pod template')
  })
}

function validateJobSpec(s: any, at: string, e: FieldErrors): void {
  notNegative(
    e,
    at,
    s,
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  )
  const indexed = s.completionMode === 'Indexed'
  if (s.maxFailedIndexes !== undefined && s.backoffLimitPerIndex === undefined)
    e.required(`${at}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')
  if (!indexed && s.completionMode !== 'NonIndexed') e.notSupported(`${at}.completionMode`, s.completionMode, ['Indexed', 'NonIndexed'])
  if (indexed) {
    if (s.completions === undefined) e.required(`${at}.completions`, 'when completion mode is Indexed')
    if (s.parallelism > 100_000)
      e.invalid(`${at}.parallelism`, s.parallelism, 'must be less than or equal to 100000 when completion mode is Indexed')
    if (s.completions !== undefined && s.maxFailedIndexes > s.completions)
      e.invalid(`${at}.maxFailedIndexes`, s.maxFailedIndexes, 'must be less than or equal to completions')
  } else
    for (const f of ['backoffLimitPerIndex', 'maxFailedIndexes'])
      if (s[f] !== undefined) e.invalid(`${at}.${f}`, s[f], 'requires indexed completion mode')
  if (s.podFailurePolicy) validateFailurePolicy(s, `${at}.podFailurePolicy`, e)
  if (s.successPolicy && !indexed) e.invalid(`${at}.successPolicy`, s.successPolicy, 'requires indexed completion mode')
  else if (s.successPolicy && !s.successPolicy.rules?.length)
    e.required(`${at}.successPolicy.rules`, 'at least one rules must be specified when the successPolicy is specified')
  const policies = s.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  if (!policies.includes(s.podReplacementPolicy)) e.notSupported(`${at}.podReplacementPolicy`, s.podReplacementPolicy, policies)
  if (!s.template) return void e.required(`${at}.template`)
  validateLabels(s.template.metadata?.labels, `${at}.template.metadata.labels`, e)
  validatePodSpec(s.template.spec ?? {}, `${at}.template.spec`, e)
  const policy = s.template.spec?.restartPolicy
  if (policy === 'Always' || !policy) e.required(`${at}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"')
  else if (s.podFailurePolicy && policy !== 'Never')
    e.invalid(`${at}.template.spec.restartPolicy`, policy, 'only "Never" is supported when podFailurePolicy is specified')
}

const UID = 'batch.kubernetes.io/controller-uid'
const NAME = 'batch.kubernetes.io/job-name'
const status = withStatus()

/** Unless the user chose a selector, the job's pods are told by its uid, under the names of today and of before. */
function ownPods(o: KObject): void {
  const s = o.spec
  if (s.manualSelector || !s.template) return
  const { uid, name } = o.metadata
  s.template.metadata ??= {}
  s.template.metadata.labels = { ...s.template.metadata.labels, [UID]: uid, [NAME]: name, 'controller-uid': uid, 'job-name': name }
  s.selector ??= {}
  s.selector.matchLabels = { ...s.selector.matchLabels, [UID]: uid }
  // As after every read of kube-apiserver's: a job without labels has those of its pods.
  if (!Object.keys(o.metadata.labels ?? {}).length) o.metadata.labels = { ...s.template.metadata.labels }
}

const jobStatus = (o: KObject): string => {
  const has = (type: string) => o.status?.conditions?.some((c: any) => c.type === type && c.status === 'True')
  if (has('Complete')) return 'Complete'
  if (has('Failed')) return 'Failed'
  if (o.metadata.deletionTimestamp) return 'Terminating'
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running'
}

function completions(o: KObject): string {
  const { completions: wanted, parallelism = 0 } = o.spec ?? {}
  const done = o.status?.succeeded ?? 0
  if (wanted !== undefined) return `${done}/${wanted}`
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`
}

const templateFields = ['nodeSelector', 'affinity', 'tolerations', 'schedulingGates']

export const job: Kind = plainKind({
  group: 'batch',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  namespaced: true,
  type: 'V1Job',
  subresources: statusSubresource,
  ...status,
  prepareForCreate: (o) => {
    status.prepareForCreate!(o)
    ownPods(o)
  },
  defaults: (o) => {
    o.spec ??= {}
    const labels = o.spec.template?.metadata?.labels
    if (labels && !Object.keys(o.metadata.labels ?? {}).length) o.metadata.labels = { ...labels }
    defaultJobSpec(o.spec)
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    validateJobSpec(s, 'spec', e)
    if (!s.selector) return e.required('spec.selector')
    validateLabelSelector(s.selector, 'spec.selector', e)
    if (s.template && !matches(fromLabelSelector(s.selector), s.template.metadata?.labels))
      e.invalidType(
        'spec.template.metadata.labels',
        `${goMap(s.template.metadata?.labels)}: \`selector\` does not match template \`labels\``,
      )
  },
  validateCreate: (o, e) => {
    if (o.metadata.name?.length > MAX_NAME && o.spec?.completionMode === 'Indexed')
      e.invalid('metadata.name', o.metadata.name, `must be no more than ${MAX_NAME} characters`)
  },
  validateUpdate: (o, old, e) => {
    for (const f of ['selector', 'completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'])
      if (!equal(o.spec[f], old.spec[f])) e.invalid(`spec.${f}`, o.spec[f], 'field is immutable')
    const elastic = o.spec.completionMode === 'Indexed' && o.spec.completions === o.spec.parallelism
    if (o.spec.completions !== old.spec.completions && !elastic) e.invalid('spec.completions', o.spec.completions, 'field is immutable')
    // While it is suspended and has not begun, where its pods go may still change.
    const open = old.spec.suspend && !old.status?.startTime
    const fixed = (template: any, from: any) =>
      open ? { ...template, spec: { ...template.spec, ...Object.fromEntries(templateFields.map((f) => [f, from.spec?.[f]])) } } : template
    if (!equal(fixed(o.spec.template, old.spec.template), old.spec.template))
      e.invalidType('spec.template', `${JSON.stringify(o.spec.template)}: field is immutable`)
  },
  fields: (o) => ({ 'status.successful': String(o.status?.succeeded ?? 0) }),
  columns: [
    nameColumn,
    text('Status', 'Status of the job.'),
    text('Completions', 'How many pods have succeeded, of how many.'),
    text('Duration', 'Time required to complete the job.'),
    ageColumn,
    ...containerColumns,
  ],
  cells: (o, now) => {
    const { startTime, completionTime } = o.status ?? {}
    const end = completionTime ? Date.parse(completionTime) : now
    return [
      o.metadata.name,
      jobStatus(o),
      completions(o),
      startTime ? humanDuration(end - Date.parse(startTime)) : '',
      ageOf(o, now),
      ...containerCells(o),
    ]
  },
})

const ZONE_PART = /^[A-Za-z0-9._+][A-Za-z0-9._+-]{0,13}$/

function validateZone(zone: string | undefined, e: FieldErrors): void {
  if (zone === undefined) return
  const at = 'spec.timeZone'
  if (!zone) return void e.invalid(at, zone, 'timeZone must be nil or non-empty string')
  if (zone.toLowerCase() === 'local')
    e.invalid(at, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones')
  else if (!zone.split('/').every((p) => p !== '.' && p !== '..' && ZONE_PART.test(p))) e.invalid(at, zone, `unknown time zone ${zone}`)
  else
    try {
      new Intl.DateTimeFormat('en', { timeZone: zone })
    } catch {
      e.invalid(at, zone, `unknown time zone ${zone}`)
    }
}

export const cronJob: Kind = plainKind({
  group: 'batch',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  namespaced: true,
  type: 'V1CronJob',
  subresources: statusSubresource,
  ...withStatus(),
  defaults: (o) => {
    o.spec ??= {}
    const s = o.spec
    s.concurrencyPolicy ||= 'Allow'
    s.suspend ??= false
    s.successfulJobsHistoryLimit ??= 3
    s.failedJobsHistoryLimit ??= 1
    if (s.jobTemplate) {
      s.jobTemplate.metadata ??= {}
      s.jobTemplate.spec ??= {}
      // The job fills the rest in when it is made.
      defaultTemplate(s.jobTemplate.spec.template)
    }
  },
  validate: (o, e) => {
    const s = o.spec ?? {}
    if (!s.schedule) e.required('spec.schedule')
    else {
      if (s.schedule.includes('TZ'))
        e.invalid('spec.schedule', s.schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead')
      else
        try {
          parseSchedule(s.schedule)
        } catch (cause) {
          e.invalid('spec.schedule', s.schedule, (cause as Error).message)
        }
    }
    notNegative(e, 'spec', s, 'startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit')
    validateZone(s.timeZone, e)
    const policies = ['Allow', 'Forbid', 'Replace']
    if (!policies.includes(s.concurrencyPolicy)) e.notSupported('spec.concurrencyPolicy', s.concurrencyPolicy, policies)
    if (!s.jobTemplate) return e.required('spec.jobTemplate')
    const template = structuredClone(s.jobTemplate.spec ?? {})
    defaultJobSpec(template)
    validateJobSpec(template, 'spec.jobTemplate.spec', e)
    if (template.manualSelector) e.notSupported('spec.jobTemplate.spec.manualSelector', true, ['nil', 'false'])
  },
  validateCreate: (o, e) => {
    if (o.metadata.name?.length > MAX_CRON_NAME)
      e.invalid('metadata.name', o.metadata.name, `must be no more than ${MAX_CRON_NAME} characters`)
  },
  columns: [
    nameColumn,
    text('Schedule', 'The schedule in Cron format.'),
    text('Timezone', 'The time zone of the schedule.'),
    boolean('Suspend', 'Whether no job is started.'),
    integer('Active', 'How many jobs run.'),
    text('Last Schedule', 'When the last one was due.'),
    ageColumn,
    ...containerColumns,
  ],
  cells: (o, now) => {
    const inner = { ...o, spec: o.spec?.jobTemplate?.spec }
    const [names, images] = containerCells(inner)
    return [
      o.metadata.name,
      o.spec?.schedule ?? '',
      o.spec?.timeZone ?? '<none>',
      o.spec?.suspend === undefined ? '<unset>' : o.spec.suspend ? 'True' : 'False',
      o.status?.active?.length ?? 0,
      o.status?.lastScheduleTime ? since(o.status.lastScheduleTime, now) : '<none>',
      ageOf(o, now),
      names,
      images,
      printSelector(inner.spec?.selector),
    ]
  },
})
