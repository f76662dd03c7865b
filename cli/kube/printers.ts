// `-o`: every output format that kubectl has, over objects.
import { readFileSync } from 'node:fs'
import { json } from '../../shared/print/json.ts'
import { find, JsonPathError, jsonPath, relaxed } from '../../shared/print/jsonpath.ts'
import { goTemplate, goValue, TemplateError } from '../print/template.ts'
import { yaml } from '../print/yaml.ts'
import { Failure } from './command.ts'
import type { Flags } from './flags.ts'

export const printFlags: Flags = {
  output: {
    type: 'string',
    short: 'o',
    about:
      'Output format. One of: (json, yaml, name, go-template, go-template-file, template, templatefile, jsonpath, jsonpath-as-json, jsonpath-file).',
  },
  template: { type: 'string', about: 'Template string or path to template file to use when -o=go-template, -o=go-template-file.' },
  'show-managed-fields': { type: 'bool', about: 'If true, keep the managedFields when printing objects in JSON or YAML format.' },
  'allow-missing-template-keys': {
    type: 'bool',
    default: true,
    about: 'If true, ignore any errors in templates when a field or map key is missing in the template.',
  },
}

const plain = ['json', 'yaml', 'name']
const templated = ['go-template', 'go-template-file', 'template', 'templatefile', 'jsonpath', 'jsonpath-as-json', 'jsonpath-file']
const columns = ['custom-columns', 'custom-columns-file']

/** Prints objects one after another; `end` says what comes after the last. */
export interface Printer {
  print(object: any): string
  end(): string
}

/** Tables with kubectl's gaps; the widths are those of all rows together. */
export function tabulate(rows: string[][], minimum = 6): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, c] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, c.length)
  return rows
    .map((row) => `${row.map((c, i) => (i === row.length - 1 ? c : c.padEnd(Math.max(widths[i]! + 3, minimum)))).join('')}\n`)
    .join('')
}

const groupOf = (o: any): string => (o.apiVersion?.includes('/') ? o.apiVersion.split('/')[0] : '')
/** `deployment.apps/web` */
const nameOf = (o: any): string => `${String(o.kind ?? '').toLowerCase()}${groupOf(o) ? `.${groupOf(o)}` : ''}/${o.metadata?.name ?? ''}`

const withoutManagedFields = (o: any): any => {
  if (!o?.metadata?.managedFields && !o?.items) return o
  const { managedFields: _, ...metadata } = o.metadata ?? {}
  return { ...o, ...(o.metadata ? { metadata } : {}), ...(o.items ? { items: o.items.map(withoutManagedFields) } : {}) }
}

function customColumns(spec: string, noHeaders: boolean): Printer {
  const parsed = spec.split(',').map((part) => {
    const at = part.indexOf(':')
    if (at < 0) throw new Failure(`unexpected custom-columns spec: ${part}, expected <header>:<json-path-expr>`)
    return { header: part.slice(0, at), path: relaxed(part.slice(at + 1)) }
  })
  const rows: string[][] = noHeaders ? [] : [parsed.map((c) => c.header)]
  return {
    print: (o) => {
      for (const item of o.items && /List$/.test(o.kind ?? '') ? o.items : [o])
        rows.push(
          parsed.map((c) => {
            const found = find(c.path, item).filter((v) => v !== undefined)
            return found.length ? found.map((v) => (v === null ? '<none>' : goValue(v))).join(',') : '<none>'
          }),
        )
      return ''
    },
    end: () => tabulate(rows, 0),
  }
}

/** By the flags output and template; undefined for the human forms. Throws Failure on what is no format. */
export function printerFor(f: Record<string, any>, more: string[] = []): Printer | undefined {
  const output: string = f.output || (f.template ? 'go-template' : '')
  if (!output || output === 'wide') return undefined
  const strip = f['show-managed-fields'] ? (o: any) => o : withoutManagedFields
  const at = output.indexOf('=')
  const format = at < 0 ? output : output.slice(0, at)
  const argument: string = at < 0 ? (f.template ?? '') : output.slice(at + 1)
  if (format === 'json') return { print: (o) => json(strip(o)), end: () => '' }
  if (format === 'yaml') {
    let first = true
    return {
      print: (o) => {
        const text = `${first ? '' : '---\n'}${yaml(strip(o))}`
        first = false
        return text
      },
      end: () => '',
    }
  }
  if (format === 'name')
    return {
      print: (o) => (o.items && /List$/.test(o.kind ?? '') ? o.items : [o]).map((i: any) => `${nameOf(i)}\n`).join(''),
      end: () => '',
    }
  const text = () => {
    if (!/file$/.test(format)) return argument
    try {
      return readFileSync(argument, 'utf8')
    } catch {
      throw new Failure(`error reading --template ${argument}, open ${argument}: no such file or directory\n`)
    }
  }
  if (format.startsWith('jsonpath')) {
    if (!argument) throw new Failure('template format specified but no template given')
    const allowMissing = f['allow-missing-template-keys'] !== false
    const fill = (o: any) => {
      try {
        if (format === 'jsonpath-as-json') return json(find(argument, o, { allowMissing }))
        return jsonPath(text().replace(/^'(.*)'$/s, '$1'), o, { allowMissing })
      } catch (cause) {
        if (!(cause instanceof JsonPathError)) throw cause
        throw new Failure(
          `error executing jsonpath ${JSON.stringify(argument)}: Error executing template: ${cause.message}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t${argument}\n\tobject given to jsonpath engine was:\n\t\t${goValue(o)}\n\n`,
        )
      }
    }
    if (format !== 'jsonpath-as-json') jsonPathSyntax(text().replace(/^'(.*)'$/s, '$1'))
    return { print: (o) => fill(strip(o)), end: () => '' }
  }
  if (templated.includes(format)) {
    if (!argument) throw new Failure('template format specified but no template given')
    return {
      print: (o) => {
        try {
          return goTemplate(text(), strip(o))
        } catch (cause) {
          if (!(cause instanceof TemplateError)) throw cause
          throw new Failure(`error executing template ${JSON.stringify(argument)}: template: output: ${cause.message}`)
        }
      },
      end: () => '',
    }
  }
  if (more.includes('custom-columns') && columns.includes(format)) {
    if (!argument) throw new Failure('custom-columns format specified but no custom columns given')
    return customColumns(format === 'custom-columns-file' ? columnsFile(text()) : argument, !!f['no-headers'])
  }
  const allowed = [
    ...(more.includes('custom-columns') ? columns : []),
    'go-template',
    'go-template-file',
    'json',
    'jsonpath',
    'jsonpath-as-json',
    'jsonpath-file',
    'name',
    'template',
    'templatefile',
    ...(more.includes('wide') ? ['wide'] : []),
    'yaml',
  ]
  throw new Failure(
    `unable to match a printer suitable for the output format ${JSON.stringify(output)}, allowed formats are: ${[...allowed, ...plain.filter((p) => !allowed.includes(p))].join(',')}`,
  )
}

/** A template that is none is said before anything is asked of the server. */
function jsonPathSyntax(text: string): void {
  try {
    jsonPath(text, {})
  } catch (cause) {
    if (cause instanceof JsonPathError && !/is not found|out of bounds/.test(cause.message))
      throw new Failure(`error parsing jsonpath ${text}, ${cause.message}`)
  }
}

/** A line of heads and a line of paths. */
function columnsFile(text: string): string {
  const [heads, paths] = text.split('\n').map((l) => l.trim().split(/\s+/))
  return heads!.map((h, i) => `${h}:${paths?.[i] ?? ''}`).join(',')
}
