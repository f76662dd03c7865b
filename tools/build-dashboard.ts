// Writes dashboard/dist/files.ts: the dashboard as both platforms give it out, each file packed once. Nothing built is committed.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { constants, gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')
const source = path.join(root, 'dashboard')
const out = path.join(source, 'dist/files.ts')

const result = await build({
  entryPoints: [path.join(source, 'main.tsx'), path.join(source, 'style.css')],
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: true,
  write: false,
  metafile: true,
  outdir: '/ui',
  entryNames: '[name]-[hash]',
  chunkNames: 'part-[hash]',
  logLevel: 'error',
})

const types: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
}
const packed = (bytes: Uint8Array) => gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }).toString('base64')

// What the first view needs is fetched together, not one file after the other.
const outputs = Object.entries(result.metafile.outputs)
const entry = outputs.find(([, o]) => o.entryPoint?.endsWith('main.tsx'))![0]
const sheet = outputs.find(([name]) => name.endsWith('.css'))![0]
const first = new Set<string>()
const add = (name: string): void => {
  if (first.has(name)) return
  first.add(name)
  for (const i of result.metafile.outputs[name]!.imports) if (i.kind === 'import-statement') add(i.path)
}
add(entry)
const base = (name: string) => path.basename(name)
const head = [
  `<link rel="stylesheet" href="${base(sheet)}">`,
  ...[...first].filter((f) => f !== entry).map((f) => `<link rel="modulepreload" href="${base(f)}">`),
  `<script type="module" src="${base(entry)}"></script>`,
].join('\n    ')
const page = readFileSync(path.join(source, 'index.html'), 'utf8').replace('<!--head-->', head)

const files = [['index.html', Buffer.from(page)] as const, ...result.outputFiles.map((f) => [base(f.path), f.contents] as const)].toSorted(
  ([a], [b]) => (a < b ? -1 : 1),
)
const lines = files.map(([name, bytes]) => `  '${name}': { type: '${types[path.extname(name)]}', gzip: '${packed(bytes)}' },`)
const tag = createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16)
const text = `// Made by tools/build-dashboard.ts.
/** Changes with any of the files. */
export const tag = '${tag}'
/** By their names; \`gzip\` in base64. */
export const files: Record<string, { type: string; gzip: string }> = {
${lines.join('\n')}
}
`
mkdirSync(path.dirname(out), { recursive: true })
if (!existsSync(out) || readFileSync(out, 'utf8') !== text) writeFileSync(out, text)
