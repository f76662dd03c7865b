// kedge explain: fields and what they are for, from the server's OpenAPI documents.
import { Failure, kubeCommand, out, Plain } from '../kube/command.ts'

const WIDTH = 80

/** Words in lines of at most 80 columns, as kubectl wraps them. */
function wrap(text: string, indent: number): string {
  const width = WIDTH - indent
  const pad = ' '.repeat(indent)
  return text
    .split('\n')
    .map((paragraph) => {
      const lines: string[] = []
      let line = ''
      for (const word of paragraph.trim().split(' ')) {
        if (line && line.length + 1 + word.length > width) {
          lines.push(line)
          line = word
        } else line = line ? `${line} ${word}` : word
      }
      if (line || !lines.length) lines.push(line)
      return lines.map((l) => (l ? (pad + l).trimEnd() : '')).join('\n')
    })
    .join('\n')
}

class Document {
  readonly #schemas: Record<string, any>
  constructor(document: any) {
    this.#schemas = document.components.schemas
  }
  resolve(s: any): any {
    const ref = s?.$ref ?? s?.allOf?.[0]?.$ref
    if (!ref) return s
    const target = this.#schemas[ref.split('/').at(-1)]
    return {
      ...target,
      description: s.description || target?.description,
      ownDescription: target?.description,
      refName: ref.split('.').at(-1),
    }
  }
  ofKind(group: string, version: string, kind: string): any {
    return Object.values(this.#schemas).find((s) =>
      s['x-kubernetes-group-version-kind']?.some((g: any) => g.group === group && g.version === version && g.kind === kind),
    )
  }
  typeOf(s: any): string {
    const r = this.resolve(s)
    if (s?.$ref || s?.allOf) return r.properties || r.type === 'object' ? (r.refName ?? 'Object') : r.type
    if (r?.type === 'array') return `[]${this.typeOf(r.items)}`
    if (r?.type === 'object' && r.additionalProperties) return `map[string]${this.typeOf(r.additionalProperties)}`
    if (r?.type === 'object') return 'Object'
    if (r?.oneOf) return 'Object'
    return r?.type ?? 'Object'
  }
  /** What is below lists and maps. */
  element(s: any): any {
    let r = this.resolve(s)
    while (r && !r.properties && (r.items || r.additionalProperties)) r = { ...this.resolve(r.items ?? r.additionalProperties) }
    return r
  }
}

export const run = kubeCommand(
  {
    name: 'explain',
    usage: 'TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2] [options]',
    about: 'Describe fields and structure of various resources.',
    flags: {
      'api-version': { type: 'string', about: 'Use given api-version (group/version) of the resource.' },
      output: {
        type: 'string',
        short: 'o',
        default: 'plaintext',
        about: 'Format in which to render the schema. Valid values are: (plaintext, plaintext-openapiv2).',
      },
      recursive: { type: 'bool', about: 'When true, print the name of all the fields recursively.' },
    },
  },
  async (k) => {
    if (!k.args.length)
      throw new Failure(
        'You must specify the type of resource to explain. Use "kedge api-resources" for a complete list of supported resources.',
      )
    if (k.args.length > 1) throw new Failure('We accept only this format: explain RESOURCE')
    const [first, ...path] = k.args[0]!.split('.') as [string, ...string[]]
    let resource = await k.resources.find(first).catch(() => undefined)
    let fields = path
    if (!resource) {
      // `deployments.apps.spec`: as much of it as names a type.
      for (let n = k.args[0]!.split('.').length; n > 0 && !resource; n--) {
        resource = await k.resources.find(k.args[0]!.split('.').slice(0, n).join('.')).catch(() => undefined)
        fields = k.args[0]!.split('.').slice(n)
      }
      if (!resource) throw new Plain(`the server doesn't have a resource type ${JSON.stringify(first)}`)
    }
    let { group, version } = resource
    if (k.f['api-version']) [group, version] = k.f['api-version'].includes('/') ? k.f['api-version'].split('/') : ['', k.f['api-version']]
    const document = new Document(await k.client.get(`/openapi/v3/${group ? `apis/${group}` : 'api'}/${version}`))
    const root = document.ofKind(group, version, resource.kind)
    if (!root) throw new Failure(`couldn't find resource for ${JSON.stringify(`${group}/${version}, Kind=${resource.kind}`)}`)
    let schema = root
    let field: { name: string; schema: any } | undefined
    for (const name of fields) {
      const inside = document.element(schema)
      const next = inside?.properties?.[name]
      if (!next) {
        out(`${head(group, resource.kind, version)}\n`)
        throw new Failure(`field ${JSON.stringify(name)} does not exist`)
      }
      field = { name, schema: next }
      schema = next
    }
    const inside = document.element(schema)
    const lines: string[] = []
    lines.push(head(group, resource.kind, version))
    if (field) lines.push(`FIELD: ${field.name} <${document.typeOf(field.schema)}>${enumOf(document.resolve(field.schema), 0)}`, '', '')
    const own = field?.schema.description
    lines.push('DESCRIPTION:')
    const texts = field
      ? [
          own,
          inside !== document.resolve(field.schema) || inside?.ownDescription !== own
            ? (inside?.ownDescription ?? inside?.description)
            : undefined,
        ].filter((t, i, all) => t && all.indexOf(t) === i)
      : [inside?.description]
    lines.push(...(texts.length ? texts.map((t) => wrap(t as string, 4)) : ['    <empty>']), '    ')
    if (inside?.properties) {
      lines.push('FIELDS:')
      lines.push(...(k.f.recursive ? recursive(document, inside, 2, []) : [...listed(document, inside), '']))
    }
    out(`${lines.join('\n')}\n${inside?.properties ? '\n' : '\n'}`)
    return 0
  },
)

const head = (group: string, kind: string, version: string): string =>
  `${group ? `GROUP:      ${group}\n` : ''}KIND:       ${kind}\nVERSION:    ${version}\n`

const enumOf = (s: any, indent: number): string =>
  s?.enum ? `\n${' '.repeat(indent)}enum: ${s.enum.slice(0, 4).join(', ')}${s.enum.length > 4 ? ', ....' : ''}` : ''

function listed(d: Document, s: any): string[] {
  return Object.keys(s.properties)
    .sort()
    .flatMap((name) => {
      const p = s.properties[name]
      const text = p.description
      return [
        `  ${name}\t<${d.typeOf(p)}>${s.required?.includes(name) ? ' -required-' : ''}${enumOf(d.resolve(p), 2)}`,
        text ? wrap(text, 4) : '    <no description>',
        '',
      ]
    })
    .slice(0, -1)
}

function recursive(d: Document, s: any, indent: number, above: any[]): string[] {
  return Object.keys(s.properties)
    .sort()
    .flatMap((name) => {
      const p = s.properties[name]
      const inside = d.element(p)
      const key = inside?.properties
      const line = `${' '.repeat(indent)}${name}\t<${d.typeOf(p)}>${s.required?.includes(name) ? ' -required-' : ''}${enumOf(d.resolve(p), indent)}`
      return key && !above.includes(key) ? [line, ...recursive(d, inside, indent + 2, [...above, key])] : [line]
    })
}
