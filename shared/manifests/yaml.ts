// YAML as Kubernetes reads it: 1.1, yes and no are booleans, but times and binaries stay text; aliases are bounded.
import { type ParseOptions, parse, parseAllDocuments, type SchemaOptions, type Tags } from 'yaml'

const options: ParseOptions & SchemaOptions & { version: '1.1'; maxAliasCount: number } = {
  version: '1.1',
  schema: 'yaml-1.1',
  maxAliasCount: 100,
  customTags: (tags: Tags) =>
    tags.filter(
      (t) =>
        typeof t === 'string' ||
        !/timestamp|binary|:time|:float-time|:int-time/i.test(`${t.tag}${'format' in t && t.format === 'TIME' ? ':time' : ''}`),
    ),
}

/** One document. Throws on what is no YAML. */
export const parseYaml = (text: string): unknown => parse(text, options)

/** Every document of a stream but the empty ones; a List gives its items. Throws with the line on what is no YAML. */
export function parseManifests(text: string): any[] {
  const documents = parseAllDocuments(text, options)
  if (!Array.isArray(documents)) return []
  return documents.flatMap((d) => {
    if (d.errors.length) throw new Error(d.errors[0]!.message.split('\n')[0])
    const value = d.toJS({ maxAliasCount: 100 })
    if (value === null || value === undefined) return []
    return value.kind?.endsWith?.('List') && Array.isArray(value.items) ? value.items : [value]
  })
}
