// What may stand where in a manifest, from the published OpenAPI: for completion and for what is said of a field. Pure.

export interface Field {
  name: string
  /** `string`, `[]Container`, `map[string]string`. */
  type: string
  about: string
  required: boolean
}

type Schema = any

const REF = '#/components/schemas/'

/** A schema behind references and what wraps them. */
function resolved(document: any, schema: Schema | undefined): Schema | undefined {
  let s = schema
  for (let i = 0; s && i < 10; i++) {
    if (s.$ref?.startsWith(REF))
      s = { ...document.components.schemas[s.$ref.slice(REF.length)], ...(s.description ? { description: s.description } : {}) }
    else if (s.allOf?.length === 1 && !s.properties)
      s = { ...resolved(document, s.allOf[0]), ...(s.description ? { description: s.description } : {}) }
    else return s
  }
  return s
}

const nameOf = (s: Schema | undefined): string | undefined =>
  (s?.$ref ?? (s?.allOf?.length === 1 ? s.allOf[0].$ref : undefined))?.split('.').at(-1)

function typeOf(document: any, schema: Schema): string {
  const named = nameOf(schema)
  const s = resolved(document, schema)
  if (s?.type === 'array') return `[]${typeOf(document, s.items ?? {})}`
  if (s?.additionalProperties) return `map[string]${typeOf(document, s.additionalProperties)}`
  return named ?? s?.type ?? 'any'
}

/** The schema of a kind, by the document of its group and version. */
export function schemaOfKind(document: any, group: string, version: string, kind: string): Schema | undefined {
  return Object.values<any>(document.components?.schemas ?? {}).find((s) =>
    s['x-kubernetes-group-version-kind']?.some((g: any) => g.group === group && g.version === version && g.kind === kind),
  )
}

/** The schema at a path of field names; lists are stepped into. */
export function schemaAt(document: any, root: Schema, path: readonly string[]): Schema | undefined {
  let s = resolved(document, root)
  for (const part of path) {
    while (s?.type === 'array') s = resolved(document, s.items)
    s = resolved(document, s?.properties?.[part] ?? s?.additionalProperties)
    if (!s) return undefined
  }
  while (s?.type === 'array') s = resolved(document, s.items)
  return s
}

/** What may stand in the object at a path, the required ones first. */
export function fieldsAt(document: any, root: Schema, path: readonly string[]): Field[] {
  const s = schemaAt(document, root, path)
  const required = new Set<string>(s?.required ?? [])
  return Object.entries<Schema>(s?.properties ?? {})
    .map(([name, schema]) => ({
      name,
      type: typeOf(document, schema),
      about: resolved(document, schema)?.description ?? '',
      required: required.has(name),
    }))
    .toSorted((a, b) => Number(b.required) - Number(a.required) || a.name.localeCompare(b.name))
}

/** Words that a field may be, where there are only some. */
export const wordsAt = (document: any, root: Schema, path: readonly string[]): string[] => {
  const s = schemaAt(document, root, path)
  return s?.enum ?? (s?.type === 'boolean' ? ['true', 'false'] : [])
}

const KEY = /^(\s*)((?:- +)*)(?:"([^"]+)"|'([^']+)'|([\w./-]+)):(?:\s|$)/

/**
 * Where a line of YAML is, by what is indented less above it: `['spec', 'template']`. Works on text that is not whole yet. `indent` is that of the line's
 * own key, where a list's dashes count as spaces.
 */
export function pathAt(lines: readonly string[], index: number, indent: number): string[] {
  const path: string[] = []
  let below = indent
  for (let i = index - 1; i >= 0 && below > 0; i--) {
    if (lines[i]!.startsWith('---')) break
    const m = KEY.exec(lines[i]!)
    if (!m) continue
    const dashes = m[2]!.length
    const column = m[1]!.length + dashes
    const key = m[3] ?? m[4] ?? m[5]!
    if (column < below) {
      path.unshift(key)
      below = column
      // The list that it is an item of may stand as far left as its dash.
      if (dashes) below = m[1]!.length + 1
    }
  }
  return path
}

/** The key that a line begins with, and its indent with dashes as spaces. */
export function keyOfLine(line: string): { key: string; indent: number } | undefined {
  const m = KEY.exec(line)
  return m ? { key: m[3] ?? m[4] ?? m[5]!, indent: m[1]!.length + m[2]!.length } : undefined
}
