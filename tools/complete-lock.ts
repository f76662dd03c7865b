// Completes package-lock.json with the platform packages that npm leaves out when a registry does not carry them: without their entries `npm ci`
// refuses the whole file. They are optional and for other platforms, so nothing is ever fetched for them. Run after every `npm install`.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const file = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8'))

const oses = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32', 'sunos', 'aix', 'netbsd', 'openbsd']
const cpus = ['x64', 'arm64', 'ia32', 'arm', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'wasm32']

for (const entry of Object.values<any>({ ...lock.packages })) {
  for (const [name, version] of Object.entries<string>(entry.optionalDependencies ?? {})) {
    const at = `node_modules/${name}`
    if (lock.packages[at]) continue
    const os = oses.find((o) => name.includes(o))
    const cpu = cpus.find((c) => name.includes(c))
    if (!os && !cpu) continue
    // A version range is no version: these packages are pinned by those that name them.
    lock.packages[at] = {
      version: version.replace(/^[\^~]/, ''),
      dev: true,
      optional: true,
      ...(os ? { os: [os] } : {}),
      ...(cpu ? { cpu: [cpu] } : {}),
      ...(name.includes('musl') ? { libc: ['musl'] } : {}),
    }
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
