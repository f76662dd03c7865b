// What the kinds with a pod template share: defaults, validation and the columns that name containers.
import type { FieldErrors } from '../meta/field-error.ts'
import type { KObject } from '../meta/object.ts'
import { fromLabelSelector, matches, printSelector } from '../meta/selector.ts'
import { equal } from '../schema/field-set.ts'
import { type Column, text } from './kind.ts'
import { defaultPodSpec } from './pod-defaults.ts'
import { validateLabelSelector, validateLabels, validatePodSpec } from './pod-validation.ts'

/** The condition of sets that cannot make their pods. */
export const REPLICA_FAILURE = 'ReplicaFailure'

export function defaultTemplate(template: any): void {
  if (!template) return
  template.spec ??= {}
  template.metadata ??= {}
  defaultPodSpec(template.spec)
}

/** Selector present, not empty and met by the template; template valid; restart policy Always. `what` is for messages. */
export function validateWorkload(o: KObject, e: FieldErrors, what = 'deployment', deadline = 'ReplicaSet'): void {
  const { selector, template, replicas } = o.spec ?? {}
  if (replicas !== undefined && replicas < 0) e.invalid('spec.replicas', replicas, 'must be greater than or equal to 0')
  if (!selector) e.required('spec.selector')
  else {
    validateLabelSelector(selector, 'spec.selector', e)
    if (!Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length)
      e.invalid('spec.selector', {}, `empty selector is invalid for ${what}`)
  }
  if (!template) {
    e.required('spec.template')
    return
  }
  validateLabels(template.metadata?.labels, 'spec.template.metadata.labels', e)
  const usable = selector && (Object.keys(selector.matchLabels ?? {}).length || selector.matchExpressions?.length)
  if (usable && !matches(fromLabelSelector(selector), template.metadata?.labels))
    e.invalidType('spec.template.metadata.labels', `${goMap(template.metadata?.labels)}: \`selector\` does not match template \`labels\``)
  validatePodSpec(template.spec ?? {}, 'spec.template.spec', e)
  const { restartPolicy } = template.spec ?? {}
  if (restartPolicy === 'OnFailure' || restartPolicy === 'Never')
    e.notSupported('spec.template.spec.restartPolicy', restartPolicy, ['Always'])
  if (template.spec?.activeDeadlineSeconds !== undefined)
    e.forbidden('spec.template.spec.activeDeadlineSeconds', `activeDeadlineSeconds in ${deadline} is not Supported`)
}

export const goMap = (m: Record<string, string> | undefined) =>
  m
    ? `map[string]string{${Object.keys(m)
        .sort()
        .map((k) => `${JSON.stringify(k)}:${JSON.stringify(m[k])}`)
        .join(', ')}}`
    : 'map[string]string(nil)'

/** The selector may not change; the message shows the new one as Go prints it. */
export function validateSelectorUnchanged(o: KObject, old: KObject, e: FieldErrors): void {
  const s = o.spec?.selector
  if (!equal(s, old.spec?.selector)) {
    const expressions = s?.matchExpressions
      ? `[]v1.LabelSelectorRequirement{${s.matchExpressions
          .map(
            (r: any) =>
              `v1.LabelSelectorRequirement{Key:${JSON.stringify(r.key)}, Operator:${JSON.stringify(r.operator)}, Values:[]string{${(r.values ?? []).map((v: string) => JSON.stringify(v)).join(', ')}}}`,
          )
          .join(', ')}}`
      : '[]v1.LabelSelectorRequirement(nil)'
    e.invalidType(
      'spec.selector',
      `v1.LabelSelector{MatchLabels:${goMap(s?.matchLabels)}, MatchExpressions:${expressions}}: field is immutable`,
    )
  }
}

export const containerColumns: Column[] = [
  text('Containers', 'Names of each container in the template.', 1),
  text('Images', 'Images referenced by each container in the template.', 1),
  text('Selector', 'Label selector for pods.', 1),
]

export function containerCells(o: KObject): string[] {
  const containers: any[] = o.spec?.template?.spec?.containers ?? []
  return [containers.map((c) => c.name).join(','), containers.map((c) => c.image).join(','), printSelector(o.spec?.selector)]
}

/** An int-or-percent against a total; percentages round as told. */
export function scaledValue(value: number | string | undefined, total: number, roundUp: boolean): number {
  if (value === undefined) return 0
  if (typeof value === 'number') return value
  const share = (Number.parseInt(value, 10) * total) / 100
  return roundUp ? Math.ceil(share) : Math.floor(share)
}

const PERCENT =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"

/** A number that is not negative, or a percentage; at most the whole where told so. */
export function validateShare(value: unknown, at: string, e: FieldErrors, atMostAll: boolean): void {
  if (value === undefined) return
  if (typeof value === 'number') {
    if (value < 0) e.invalid(at, value, 'must be greater than or equal to 0')
  } else if (!isPercent(value)) e.invalid(at, value, PERCENT)
  else if (atMostAll && Number.parseInt(value as string, 10) > 100) e.invalid(at, value, 'must not be greater than 100%')
}

const isPercent = (v: unknown): boolean => typeof v === 'string' && /^\d+%$/.test(v)
