// The daemon replaces itself: the control plane names a version, it is fetched from there and checked, and systemd starts it in this one's place.
// Containers do not notice. The new one is on probation until it is Ready; what does not come up is put back by install/guard.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  createWriteStream,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { get } from 'node:https'
import { arch } from 'node:os'
import path from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { KEDGE_VERSION } from '../shared/version.ts'
import type { Log } from './log.ts'
import type { Identity } from './session/identity.ts'

const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$/
const MAX_BYTES = 400 << 20
const PROBATION = 60_000

/** `key=value` lines, which the guard reads too. */
function readLines(file: string): Record<string, string> {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  return Object.fromEntries(lines.filter((l) => l.includes('=')).map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]))
}

interface File {
  path: string
  /** Of the packed file. */
  sha256: string
}

export interface UpgraderOptions {
  identity: Identity
  log: Log
  /** Where the versions lie: what systemd starts is the link `current` there. Undefined where nothing starts the daemon again. */
  folder: string | undefined
  /** Says on the Node that an upgrade failed, or with undefined that none did. */
  report(failure: string | undefined): Promise<void>
  /** Ends the process in good order: systemd starts what `current` points to. */
  restart(): void
}

export class Upgrader {
  readonly #o: UpgraderOptions
  #busy = false
  #probation?: ReturnType<typeof setTimeout>

  constructor(o: UpgraderOptions) {
    this.#o = o
    if (o.folder && readLines(this.#at('upgrade')).to === KEDGE_VERSION) {
      o.log.info('this version is on probation until the node is Ready', { version: KEDGE_VERSION })
      this.#probation = setTimeout(() => {
        o.log.error('the node did not become Ready in time', new Error(`within ${PROBATION / 1000} s`), { version: KEDGE_VERSION })
        process.exit(1)
      }, PROBATION)
    }
  }

  get managed(): boolean {
    return this.#o.folder !== undefined
  }

  #at(name: string): string {
    return path.join(this.#o.folder!, name)
  }

  /** The node is Ready: this version stays. What went wrong before is told, once. */
  ready(): void {
    if (!this.#o.folder) return
    if (this.#probation) {
      clearTimeout(this.#probation)
      this.#probation = undefined
      const { from } = readLines(this.#at('upgrade'))
      rmSync(this.#at('upgrade'), { force: true })
      this.#o.log.info('the upgrade is done', { from, to: KEDGE_VERSION })
      for (const name of readdirSync(this.#o.folder))
        if (name.startsWith('kedge-') && ![`kedge-${KEDGE_VERSION}`, `kedge-${from}`].includes(name))
          rmSync(this.#at(name), { force: true })
      void this.#tell(undefined)
    }
    const failed = readLines(this.#at('upgrade-failed'))
    if (failed.to)
      void this.#tell(`${failed.to}: ${failed.reason}`).then((told) => told && rmSync(this.#at('upgrade-failed'), { force: true }))
  }

  async #tell(failure: string | undefined): Promise<boolean> {
    try {
      await this.#o.report(failure)
      return true
    } catch (cause) {
      this.#o.log.warn('the outcome of an upgrade could not be reported', { cause: (cause as Error).message })
      return false
    }
  }

  /** What the Node says now. `failed` is what this daemon reported before: that version is not tried again until somebody takes the word away. */
  async desired(version: string | undefined, failed: string | undefined): Promise<void> {
    if (!version || version === KEDGE_VERSION || failed?.startsWith(`${version}: `) || this.#busy || this.#probation) return
    this.#busy = true
    try {
      if (!this.#o.folder) throw new Error('this daemon was not installed by install.sh: nothing would start it again')
      if (readLines(this.#at('upgrade-failed')).to === version) return
      this.#o.log.info('upgrading', { from: KEDGE_VERSION, to: version })
      await this.#fetch(version)
      writeFileSync(this.#at('upgrade'), `from=${KEDGE_VERSION}\nto=${version}\nstarts=0\n`)
      this.#point(version)
      this.#o.restart()
    } catch (cause) {
      this.#o.log.error('the upgrade failed', cause, { to: version })
      await this.#tell(`${version}: ${(cause as Error).message}`)
      this.#busy = false
    }
  }

  #point(version: string): void {
    rmSync(this.#at('current.new'), { force: true })
    symlinkSync(`kedge-${version}`, this.#at('current.new'))
    renameSync(this.#at('current.new'), this.#at('current'))
  }

  /** Brings a version beside this one. Throws unless it is whole, and starts. */
  async #fetch(version: string): Promise<void> {
    if (!VERSION.test(version)) throw new Error(`${JSON.stringify(version)} is no version`)
    const file = this.#at(`kedge-${version}`)
    const index = JSON.parse((await this.#get('index.json', 1 << 20)).toString())
    const build: File | undefined = index.versions?.[version]?.[`linux-${arch()}`]
    if (!build) throw new Error(`the control plane has no build of ${version} for linux-${arch()}`)
    const hash = createHash('sha256')
    const part = `${file}.part`
    try {
      await this.#download(build.path, (packed) =>
        pipeline(packed, counting(hash), createGunzip(), limited(), createWriteStream(part, { mode: 0o755 })),
      )
      if (hash.digest('hex') !== build.sha256) throw new Error(`the checksum of ${build.path} is not the one that the index names`)
      chmodSync(part, 0o755)
      const said = await new Promise<string>((resolve, reject) =>
        execFile(part, ['version', '--client'], { timeout: 30_000 }, (cause, out) =>
          cause ? reject(new Error(`it does not start: ${cause.message}`)) : resolve(out),
        ),
      )
      if (!said.includes(`+kedge.${version}\n`)) throw new Error(`it says that it is ${said.trim()}`)
      renameSync(part, file)
    } finally {
      rmSync(part, { force: true })
    }
  }

  #download(name: string, use: (body: NodeJS.ReadableStream) => Promise<void>): Promise<void> {
    const { server, ca } = this.#o.identity
    return new Promise((resolve, reject) => {
      const req = get(new URL(`/downloads/${name}`, server), { ...(ca ? { ca } : {}), timeout: 30_000 }, (res) => {
        if (res.statusCode !== 200) {
          res.resume()
          reject(new Error(`/downloads/${name} got ${res.statusCode}`))
        } else use(res).then(resolve, reject)
      })
      req.on('timeout', () => req.destroy(new Error('no answer in 30 s')))
      req.on('error', reject)
    })
  }

  async #get(name: string, most: number): Promise<Buffer> {
    const parts: Buffer[] = []
    await this.#download(name, async (body) => {
      let size = 0
      for await (const part of body) {
        size += part.length
        if (size > most) throw new Error(`${name} is too large`)
        parts.push(part as Buffer)
      }
    })
    return Buffer.concat(parts)
  }
}

const counting = (hash: ReturnType<typeof createHash>) =>
  new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })

/** A packed file of any size could unpack to more than the disk has. */
const limited = () => {
  let size = 0
  return new Transform({
    transform(chunk, _encoding, done) {
      size += chunk.length
      done(size > MAX_BYTES ? new Error('the file is too large') : null, chunk)
    },
  })
}
