// A YAML editor (CodeMirror) that knows what the cluster publishes of its kinds: completion, what a field means, and problems where they are.
import { autocompletion, type CompletionContext } from '@codemirror/autocomplete'
import { yaml } from '@codemirror/lang-yaml'
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { type Diagnostic, setDiagnostics } from '@codemirror/lint'
import { EditorState } from '@codemirror/state'
import { EditorView, hoverTooltip } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { basicSetup } from 'codemirror'
import { useEffect, useRef } from 'preact/hooks'
import { LineCounter, parseAllDocuments } from 'yaml'
import { call } from '../client.ts'
import { fieldsAt, keyOfLine, pathAt, schemaAt, schemaOfKind, wordsAt } from '../schema-help.ts'

export interface Trouble {
  /** Which document of the text. */
  document: number
  /** `spec.template.spec.containers[0].image`. */
  field: string
  message: string
}

export interface CodeEditorProps {
  /** What it begins with; another value begins anew. */
  value: string
  onChange(text: string): void
  troubles: Trouble[]
  label: string
  readOnly?: boolean
}

const documents = new Map<string, Promise<any>>()
function openapi(group: string, version: string): Promise<any> {
  const at = group ? `/openapi/v3/apis/${group}/${version}` : `/openapi/v3/api/${version}`
  let found = documents.get(at)
  if (!found) {
    found = call('GET', at)
    found.catch(() => documents.delete(at))
    documents.set(at, found)
  }
  return found
}

/** The schema of the document that a line is in, by its apiVersion and kind. */
async function schemaHere(lines: string[], index: number): Promise<{ document: any; root: any } | undefined> {
  let from = index
  while (from > 0 && !lines[from]!.startsWith('---')) from--
  let to = index + 1
  while (to < lines.length && !lines[to]!.startsWith('---')) to++
  const value = (key: string) => {
    const line = lines.slice(from, to).find((l) => l.startsWith(`${key}:`))
    return line
      ?.slice(key.length + 1)
      .trim()
      .replace(/^["']|["']$/g, '')
  }
  const [apiVersion, kind] = [value('apiVersion'), value('kind')]
  if (!apiVersion || !kind) return undefined
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion]
  const document = await openapi(group, version).catch(() => undefined)
  const root = document && schemaOfKind(document, group, version, kind)
  return root ? { document, root } : undefined
}

async function complete(c: CompletionContext) {
  const line = c.state.doc.lineAt(c.pos)
  const before = line.text.slice(0, c.pos - line.from)
  const lines = c.state.doc.toString().split('\n')
  const index = line.number - 1
  const ofValue = /^(\s*(?:- +)*)([\w./-]+):\s+([\w-]*)$/.exec(before)
  const ofKey = /^(\s*(?:- +)*)([\w-]*)$/.exec(before)
  if (!ofValue && (!ofKey || (!ofKey[2] && !c.explicit))) return null
  const here = await schemaHere(lines, index)
  if (!here) return null
  const indent = (ofValue ?? ofKey)![1]!.length
  const path = pathAt(lines, index, indent)
  if (ofValue) {
    const words = wordsAt(here.document, here.root, [...path, ofValue[2]!])
    return words.length ? { from: c.pos - ofValue[3]!.length, options: words.map((label) => ({ label, type: 'constant' })) } : null
  }
  const options = fieldsAt(here.document, here.root, path).map((f) => ({
    label: f.name,
    apply: /^(string|integer|boolean|number|any|IntOrString|Quantity|Time)$/.test(f.type) ? `${f.name}: ` : `${f.name}:`,
    detail: f.type,
    info: f.about,
    type: 'property',
    boost: f.required ? 10 : 0,
  }))
  return { from: c.pos - ofKey![2]!.length, options, validFor: /^[\w-]*$/ }
}

const hover = hoverTooltip(async (view, pos) => {
  const line = view.state.doc.lineAt(pos)
  const found = keyOfLine(line.text)
  if (!found || pos - line.from > found.indent + found.key.length || pos - line.from < found.indent) return null
  const lines = view.state.doc.toString().split('\n')
  const here = await schemaHere(lines, line.number - 1)
  if (!here) return null
  const path = pathAt(lines, line.number - 1, found.indent)
  const field = fieldsAt(here.document, here.root, path).find((f) => f.name === found.key)
  const about = field?.about || schemaAt(here.document, here.root, [...path, found.key])?.description
  if (!field && !about) return null
  return {
    pos: line.from + found.indent,
    end: line.from + found.indent + found.key.length,
    above: true,
    create: () => {
      const dom = document.createElement('div')
      dom.className = 'field-help'
      const head = document.createElement('b')
      head.textContent = `${found.key} ${field?.type ?? ''}${field?.required ? ', required' : ''}`
      const text = document.createElement('p')
      text.textContent = about ?? ''
      dom.appendChild(head)
      dom.appendChild(text)
      return { dom }
    },
  }
})

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--code-key)' },
  { tag: [tags.string, tags.content], color: 'var(--code-text)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--code-word)' },
  { tag: tags.comment, color: 'var(--dim)' },
])

/** Where a field is in the text; where it is missing, the nearest that it would be in. */
function placeOf(text: string, t: Trouble): { from: number; to: number } {
  const counter = new LineCounter()
  const doc = parseAllDocuments(text, { lineCounter: counter })[t.document]
  const path = t.field
    .replace(/\[(\w+)\]/g, '.$1')
    .split('.')
    .filter(Boolean)
    .map((p) => (/^\d+$/.test(p) ? Number(p) : p))
  for (let n = path.length; doc && 'getIn' in doc && n > 0; n--) {
    const node = doc.getIn(path.slice(0, n), true) as { range?: [number, number, number] } | undefined
    if (node?.range) {
      const end = text.indexOf('\n', node.range[0])
      return { from: node.range[0], to: Math.max(node.range[0] + 1, Math.min(node.range[1], end < 0 ? text.length : end)) }
    }
  }
  const start = doc && 'range' in doc ? (doc.range?.[0] ?? 0) : 0
  return { from: start, to: Math.min(text.length, start + 1) }
}

export function CodeEditor({ value, onChange, troubles, label, readOnly }: CodeEditorProps) {
  const box = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView>(undefined)
  const changed = useRef(onChange)
  changed.current = onChange
  // Made anew for another text alone.
  useEffect(() => {
    const made = new EditorView({
      parent: box.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          basicSetup,
          yaml(),
          syntaxHighlighting(colours),
          autocompletion({ override: [complete] }),
          hover,
          EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
          EditorState.readOnly.of(!!readOnly),
          EditorState.tabSize.of(2),
          EditorView.updateListener.of((u) => {
            if (u.docChanged) changed.current(u.state.doc.toString())
          }),
        ],
      }),
    })
    view.current = made
    return () => made.destroy()
  }, [value])
  useEffect(() => {
    const v = view.current
    if (!v) return
    const text = v.state.doc.toString()
    const diagnostics = troubles.map((t): Diagnostic => ({ ...placeOf(text, t), severity: 'error', message: `${t.field}: ${t.message}` }))
    v.dispatch(setDiagnostics(v.state, diagnostics))
  }, [troubles])
  return <div class="editor" ref={box} />
}
