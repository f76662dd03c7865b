// npm run build: the `kedge` command as one file per architecture, Node and all, in a folder that `kedge serve --downloads` gives out; and as npm package.
// A folder may hold several versions: index.json names each file with its checksum, and the newest build.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
// @ts-expect-error: it comes without types
import { inject } from 'postject'
import { LEFT_OUT } from '../node-agent/runtime/left-out.ts'
import { KEDGE_VERSION } from '../shared/version.ts'

const root = path.resolve(import.meta.dirname, '..')
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
/** What needs the control plane, and so packages that no single file can hold. */
const elsewhere = /\/commands\/(serve|up|down|import|rotate-key)\.ts$/

async function bundle(version: string, file: string): Promise<void> {
  await build({
    entryPoints: [path.join(root, 'cli/main.ts')],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    minify: true,
    outfile: file,
    logLevel: 'error',
    define: { KEDGE_BUILD_VERSION: JSON.stringify(version), 'import.meta.url': 'importMetaUrl' },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
    plugins: [
      {
        name: 'left-out',
        setup: (b) => {
          b.onResolve({ filter: /./ }, ({ path: name }) => (LEFT_OUT.includes(name) ? { path: name, namespace: 'left-out' } : undefined))
          b.onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: '' }))
        },
      },
      {
        name: 'elsewhere',
        setup: (b) => {
          b.onResolve({ filter: elsewhere }, () => ({ path: path.join(root, 'cli/commands/elsewhere.ts') }))
        },
      },
    ],
  })
}

/** The Node to put it into: what npm installed for this machine, or the other one's package. */
function nodeFor(arch: string, folder: string): string {
  const installed = path.join(root, `node_modules/node-linux-${arch}/bin/node`)
  if (existsSync(installed)) return installed
  const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).optionalDependencies[`node-linux-${arch}`]
  execFileSync('npm', ['pack', '--silent', `node-linux-${arch}@${version}`], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  execFileSync('tar', ['-xzf', `node-linux-${arch}-${version}.tgz`, 'package/bin/node'], { cwd: folder })
  return path.join(folder, 'package/bin/node')
}

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: path.join(root, 'dist/downloads') },
    version: { type: 'string', default: KEDGE_VERSION },
    arch: { type: 'string', default: 'x64,arm64' },
  },
})
const { out, version } = values
const folder = mkdtempSync(path.join(tmpdir(), 'kedge-build-'))
try {
  await bundle(version, path.join(folder, 'kedge.cjs'))
  const config = {
    main: path.join(folder, 'kedge.cjs'),
    output: path.join(folder, 'kedge.blob'),
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    // Compiled code is of one architecture; the files hold for each.
    useCodeCache: false,
    execArgv: ['--no-warnings', '--max-semi-space-size=1', '--heap-growing-percent=25'],
    execArgvExtension: 'none',
  }
  writeFileSync(path.join(folder, 'sea.json'), JSON.stringify(config))
  execFileSync(process.execPath, ['--experimental-sea-config', path.join(folder, 'sea.json')], { stdio: ['ignore', 'ignore', 'inherit'] })
  const blob = readFileSync(config.output)

  // For terminals that have Node: `npm i -g` of this folder, or of what `npm pack` makes of it.
  const npm = path.join(out, 'npm')
  mkdirSync(npm, { recursive: true })
  writeFileSync(path.join(npm, 'kedge.cjs'), readFileSync(config.main), { mode: 0o755 })
  for (const name of ['README.md', 'LICENSE']) copyFileSync(path.join(root, name), path.join(npm, name))
  const { description, license } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  writeFileSync(
    path.join(npm, 'package.json'),
    `${JSON.stringify({ name: 'kedge', version, description, license, bin: { kedge: 'kedge.cjs' }, engines: { node: '>=22' } }, null, 2)}\n`,
  )

  mkdirSync(path.join(out, version), { recursive: true })
  const files: Record<string, { path: string; sha256: string; size: number }> = {}
  for (const arch of values.arch.split(',')) {
    const program = path.join(folder, `kedge-${arch}`)
    copyFileSync(nodeFor(arch, folder), program)
    await inject(program, 'NODE_SEA_BLOB', blob, { sentinelFuse: FUSE })
    const packed = gzipSync(readFileSync(program), { level: 6 })
    const at = `${version}/kedge-linux-${arch}.gz`
    writeFileSync(path.join(out, at), packed)
    files[`linux-${arch}`] = { path: at, sha256: createHash('sha256').update(packed).digest('hex'), size: packed.length }
    process.stdout.write(`${at}: ${(packed.length / 1e6).toFixed(1)} MB\n`)
  }
  const indexFile = path.join(out, 'index.json')
  const before = existsSync(indexFile) ? JSON.parse(readFileSync(indexFile, 'utf8')).versions : {}
  writeFileSync(`${indexFile}.new`, `${JSON.stringify({ latest: version, versions: { ...before, [version]: files } }, null, 1)}\n`)
  renameSync(`${indexFile}.new`, indexFile)
  copyFileSync(path.join(root, 'node-agent/install/install.sh'), path.join(out, 'install.sh'))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
