// Writes shared/schema/generated/: the structure of Kubernetes' built-in types (fields, types, required, descriptions),
// read from the models of the dependency @kubernetes/client-node. Nothing generated is committed; a stamp makes reruns free.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const client = path.join(root, 'node_modules/@kubernetes/client-node')
const models = path.join(client, 'dist/gen/models')
const out = path.join(root, 'shared/schema/generated')
const stamp = `${JSON.parse(readFileSync(path.join(client, 'package.json'), 'utf8')).version} 4`

/** Versions that are not stable yet, and served: each has no stable one. */
const beta = /^V1beta1ClusterTrustBundle(Spec)?$/

interface Attribute {
  baseName: string
  type: string
  format: string
}

/** One line per property: the compact type, `string`, `int32`, `Array<V1Container>`, `{string}`, … */
function compactType({ type, format }: Attribute): string {
  const map = type.match(/^\{ \[key: string\]: (.+); \}$/)
  if (map) return `{${compactType({ baseName: '', type: map[1]!, format })}}`
  const list = type.match(/^Array<(.+)>$/)
  if (list) return `[${compactType({ baseName: '', type: list[1]!, format })}]`
  if (type === 'number') return format || 'number'
  if (type === 'Date') return 'time'
  if (type === 'V1MicroTime') return 'micro-time'
  if (type === 'string' && format === 'byte') return 'bytes'
  return type === 'IntOrString' ? 'int-or-string' : type
}

/** Required properties and descriptions, from the declaration file beside the model. */
function declared(name: string) {
  const text = readFileSync(path.join(models, `${name}.d.ts`), 'utf8')
  const clean = (s: string) =>
    s
      .split('\n')
      .map((l) => l.replace(/^\s*\* ?/, ''))
      .join(' ')
      .replace(/\\(['"`])/g, '$1')
      .trim()
  const about = text.match(/\/\*\*\n([^/]*?)\*\/\nexport declare class/s)?.[1] ?? ''
  const required: string[] = []
  const descriptions: Record<string, string> = { '': clean(about) }
  for (const m of text.matchAll(/\/\*\*\n((?:(?!\*\/)[\s\S])*?)\*\/\s*'([^']+)'(\?)?: /g)) {
    descriptions[m[2]!] = clean(m[1]!)
    if (!m[3]) required.push(m[2]!)
  }
  return { required, descriptions }
}

async function generate() {
  const types: Record<string, { p: Record<string, string>; r?: string[] }> = {}
  const descriptions: Record<string, Record<string, string>> = {}
  for (const file of readdirSync(models)) {
    const name = file.match(/^([A-Z]\w+)\.js$/)?.[1]
    if (!name || (/alpha\d|beta\d/.test(name) && !beta.test(name)) || name === 'ObjectSerializer') continue
    const model = (await import(pathToFileURL(path.join(models, file)).href))[name] as { attributeTypeMap?: Attribute[] }
    if (!model?.attributeTypeMap) continue
    const d = declared(name)
    types[name] = {
      p: Object.fromEntries(model.attributeTypeMap.map((a) => [a.baseName, compactType(a)])),
      ...(d.required.length ? { r: d.required } : {}),
    }
    descriptions[name] = d.descriptions
  }
  mkdirSync(out, { recursive: true })
  writeFileSync(path.join(out, 'types.json'), JSON.stringify(types))
  writeFileSync(path.join(out, 'descriptions.json'), JSON.stringify(descriptions))
  writeFileSync(path.join(out, 'stamp'), stamp)
  console.log(`generated the structure of ${Object.keys(types).length} types`)
}

const stampFile = path.join(out, 'stamp')
if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) await generate()
