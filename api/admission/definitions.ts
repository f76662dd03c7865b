// CustomResourceDefinition: whether its names are free is known at once, so it is served as soon as it is stored. Names that others have leave it
// waiting, as upstream: the conditions say which.
import type { KObject } from '../../shared/meta/object.ts'
import { timeString } from '../../shared/meta/object.ts'
import { equal } from '../../shared/schema/field-set.ts'
import type { Request, Step } from './index.ts'

interface Names {
  plural: string
  singular?: string
  shortNames?: string[]
  kind: string
  listKind?: string
}

/** The names of everything else in the group. */
function taken(all: KObject[], crd: KObject): { resources: Set<string>; kinds: Set<string> } {
  const others = all.filter((o) => o.metadata.name !== crd.metadata.name && o.spec.group === crd.spec.group)
  const names: Names[] = others.map((o) => o.status?.acceptedNames).filter((n) => n?.plural)
  return {
    resources: new Set(names.flatMap((n) => [n.plural, n.singular ?? '', ...(n.shortNames ?? [])])),
    kinds: new Set(names.flatMap((n) => [n.kind, n.listKind ?? ''])),
  }
}

function conflictIn(names: Names, other: ReturnType<typeof taken>): { reason: string; message: string } | undefined {
  const used = (n: string) => `${JSON.stringify(n)} is already in use`
  if (other.resources.has(names.plural)) return { reason: 'PluralConflict', message: used(names.plural) }
  if (names.singular && other.resources.has(names.singular)) return { reason: 'SingularConflict', message: used(names.singular) }
  const short = names.shortNames?.find((n) => other.resources.has(n))
  if (short) return { reason: 'ShortNamesConflict', message: used(short) }
  if (other.kinds.has(names.kind)) return { reason: 'KindConflict', message: used(names.kind) }
  if (names.listKind && other.kinds.has(names.listKind)) return { reason: 'ListKindConflict', message: used(names.listKind) }
  return undefined
}

async function accept({ env, kind, object: o, old, part }: Request): Promise<undefined> {
  if (kind.kind !== 'CustomResourceDefinition' || part !== 'main') return
  const { names } = o.spec
  const now = timeString(env.clock.now())
  const clash = conflictIn(names, taken(await env.lookup.list(`${kind.plural}.${kind.group}`, ''), o))
  const before: any[] = old?.status?.conditions ?? []
  const condition = (type: string, status: boolean, reason: string, message: string) => {
    const was = before.find((c) => c.type === type)
    const text = status ? 'True' : 'False'
    return { type, status: text, lastTransitionTime: was?.status === text ? was.lastTransitionTime : now, reason, message }
  }
  // Once established it stays so, whatever happens to new names.
  const established = before.some((c) => c.type === 'Established' && c.status === 'True')
  const storage = o.spec.versions?.find((v: any) => v.storage)?.name
  const stored: string[] = old?.status?.storedVersions ?? []
  const status = {
    conditions: [
      ...before.filter((c) => c.type !== 'NamesAccepted' && c.type !== 'Established'),
      clash
        ? condition('NamesAccepted', false, clash.reason, clash.message)
        : condition('NamesAccepted', true, 'NoConflicts', 'no conflicts found'),
      established || !clash
        ? condition('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted')
        : condition('Established', false, 'NotAccepted', 'not all names are accepted'),
    ],
    acceptedNames: clash ? (old?.status?.acceptedNames ?? { plural: '', kind: '' }) : structuredClone(names),
    storedVersions: storage && !stored.includes(storage) ? [...stored, storage] : stored,
  }
  if (!equal(o.status, status)) o.status = status
}

export const definitions: Step = { name: 'CustomResourceDefinition', create: accept, update: accept }
