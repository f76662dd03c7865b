// Which level a namespace asks for, by its labels: to refuse (enforce), to warn, to note (audit).
import { type FieldErrors as Errors, FieldErrors } from '../meta/field-error.ts'
import { type Level, type Violation, violations } from './checks.ts'

const PREFIX = 'pod-security.kubernetes.io/'
const LEVELS: readonly Level[] = ['privileged', 'baseline', 'restricted']
const LATEST = 1_000_000

/** A level as of a version of Kubernetes; `minor` is huge for the latest. */
export interface Standard {
  level: Level
  minor: number
}

export interface Policy {
  enforce: Standard
  audit: Standard
  warn: Standard
}

export const standardText = (s: Standard): string => `${s.level}:${s.minor === LATEST ? 'latest' : `v1.${s.minor}`}`
export const stricter = (a: Level, b: Level): boolean => LEVELS.indexOf(a) > LEVELS.indexOf(b)
export const sameStandard = (a: Standard, b: Standard): boolean => a.level === b.level && a.minor === b.minor
export const detailsText = (found: Violation[]): string => found.map((v) => `${v.reason}${v.detail ? ` (${v.detail})` : ''}`).join(', ')

/** What an operator says of it (pod-security.admission.config.k8s.io/v1): the levels where labels are silent, and whom no level binds. */
export interface PodSecurityConfiguration {
  defaults?: Record<string, string>
  exemptions?: { usernames?: string[]; runtimeClasses?: string[]; namespaces?: string[] }
}

/** A configuration as its file has it, inside an AdmissionConfiguration or alone. Throws on what is none. */
export function parseConfiguration(o: any): PodSecurityConfiguration {
  const found = o?.kind === 'AdmissionConfiguration' ? o.plugins?.find((x: any) => x.name === 'PodSecurity')?.configuration : o
  if (o?.kind === 'AdmissionConfiguration' && !found) return {}
  if (found?.kind !== 'PodSecurityConfiguration') throw new Error('admission configuration: only PodSecurity can be configured')
  const defaults = Object.entries((found.defaults ?? {}) as Record<string, string>)
  const e = new FieldErrors()
  policyOf(Object.fromEntries(defaults.map(([k, v]) => [PREFIX + k, v])), e)
  if (e.any) throw new Error(`admission configuration: ${e.causes[0]!.message}`)
  return { defaults: Object.fromEntries(defaults), exemptions: found.exemptions ?? {} }
}

/** The policy of a namespace; wrong labels go to `e`. A wrong level is enforced as restricted, and neither warned of nor noted. */
export function policyOf(
  own: Record<string, string> | undefined,
  e: Errors = new FieldErrors(),
  defaults: Record<string, string> = {},
): Policy {
  const labels = { ...Object.fromEntries(Object.entries(defaults).map(([k, v]) => [PREFIX + k, v])), ...own }
  const at = (mode: string): string => `metadata.labels[${PREFIX}${mode}]`
  const level = (mode: 'enforce' | 'audit' | 'warn', wrong: Level): Level => {
    const given = labels?.[PREFIX + mode]
    if (given === undefined) return 'privileged'
    if ((LEVELS as readonly string[]).includes(given)) return given as Level
    e.invalid(at(mode), given, `must be one of ${LEVELS.join(', ')}`)
    return wrong
  }
  const minor = (mode: string): number => {
    const given = labels?.[`${PREFIX}${mode}-version`]
    if (given === undefined || given === 'latest') return LATEST
    const found = /^v1\.([0-9]|[1-9][0-9]*)$/.exec(given)
    if (found) return Number(found[1])
    e.invalid(at(`${mode}-version`), given, 'must be "latest" or "v1.x"')
    return LATEST
  }
  const enforce = { level: level('enforce', 'restricted'), minor: minor('enforce') }
  const audit = { level: level('audit', 'privileged'), minor: minor('audit') }
  const warn = { level: level('warn', 'privileged'), minor: minor('warn') }
  // Who is told of an error at once need not be warned by another label.
  const said = labels?.[`${PREFIX}warn`] !== undefined
  const known = (LEVELS as readonly string[]).includes(labels?.[`${PREFIX}enforce`] ?? '')
  if (!said && known) {
    warn.level = enforce.level
    if (labels?.[`${PREFIX}warn-version`] === undefined) warn.minor = enforce.minor
  }
  return { enforce, audit, warn }
}

export const against = (s: Standard, pod: Parameters<typeof violations>[2]): Violation[] => violations(s.level, s.minor, pod)
