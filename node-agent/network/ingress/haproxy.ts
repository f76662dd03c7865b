// The proxy's process: a master that outlives the daemon and replaces its worker when there are new files. Talked to by its sockets.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exec } from '../commands.ts'

const BINARIES = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/usr/bin/haproxy', '/usr/local/bin/haproxy']
/** How long it may take to start, or to replace its worker, ms. */
const PATIENCE = 15_000
const ANSWER_WITHIN = 5000
const UNIT = 'kedge-ingress'
/** A systemd that runs services here would end the proxy with the daemon: it gets a unit of its own. */
const SYSTEMD = '/run/systemd/system'

export const haproxyBinary = (): string | undefined => BINARIES.find((b) => existsSync(b))

/** One line of commands for one of its sockets. Rejects when nobody answers there. */
function ask(socket: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const s = connect(socket, () => s.end(`${line}\n`))
    s.setTimeout(ANSWER_WITHIN, () => s.destroy(new Error('no answer from the proxy')))
    s.on('data', (d) => (text += d))
    s.on('error', reject)
    s.on('close', () => resolve(text))
  })
}

/** What it complained of since it was started last. */
export function lastAlert(folder: string): string | undefined {
  const file = path.join(folder, 'proxy.log')
  if (!existsSync(file)) return undefined
  const alerts = readFileSync(file, 'utf8')
    .split('\n')
    .filter((l) => l.includes('[ALERT]'))
  return alerts.slice(-2).join('; ').slice(-500) || undefined
}

export class HaProxy {
  readonly #folder: string
  readonly #lost: () => void
  #guard?: Socket

  /** `lost`: the process has ended, and nobody here has asked for that. */
  constructor(folder: string, lost: () => void) {
    this.#folder = folder
    this.#lost = lost
  }

  get accessLog(): string {
    return this.#at('access.log')
  }
  /** What it says of itself. */
  get ownLog(): string {
    return this.#at('proxy.log')
  }
  async isRunning(): Promise<boolean> {
    return (await this.#master(true)) !== undefined
  }
  #at = (name: string) => path.join(this.#folder, name)

  /** Brings it to these files, which say that they are `version`: by a new worker where it runs, by a start where not. Throws when it cannot be. */
  async apply(files: ReadonlyMap<string, string>, version: string): Promise<void> {
    await this.#write(files)
    if (await this.#master()) await ask(this.#at('master.sock'), 'reload')
    else await this.#start()
    for (const end = performance.now() + PATIENCE; (await this.#version()) !== version; await sleep(20)) {
      if (performance.now() < end && (await this.#master(true))) continue
      throw new Error(`the proxy does not come up: ${this.#lastWords()}`)
    }
    this.#watch()
  }

  /** Throws when the proxy did not do as it was told: it then wants new files. */
  async command(line: string): Promise<void> {
    const answer = await ask(this.#at('admin.sock'), line)
    const odd = answer
      .split('\n')
      .find((l) => l.trim() && !/^(IP changed|port changed|no need to change|'?[^']*changed from|nothing changed)/i.test(l.trim()))
    if (odd) throw new Error(`the proxy said ${JSON.stringify(odd.slice(0, 200))}`)
  }

  /** Ends it: when its connections have ended, or now. */
  async stop(now = false): Promise<void> {
    this.release()
    const pid = await this.#master()
    try {
      if (pid) process.kill(pid, now ? 'SIGTERM' : 'SIGUSR1')
    } catch {
      // It has gone meanwhile.
    }
  }

  /** Lets it run on without this daemon. */
  release(): void {
    const guard = this.#guard
    this.#guard = undefined
    guard?.destroy()
  }

  /** Written beside what there is, and looked at by the proxy itself, before they take its place. */
  async #write(files: ReadonlyMap<string, string>): Promise<void> {
    const folder = this.#folder
    mkdirSync(path.join(folder, 'certificates'), { recursive: true, mode: 0o700 })
    for (const [name, text] of files) writeFileSync(`${this.#at(name)}.new`, text, { mode: 0o600 })
    const draft = this.#at('haproxy.cfg.draft')
    // The draft speaks of the new files; sockets are none of a look's business.
    const names = [...files.keys()].filter((n) => n !== 'haproxy.cfg')
    const inDraft = (text: string) => names.reduce((t, n) => t.replaceAll(this.#at(n), `${this.#at(n)}.new`), text)
    writeFileSync(draft, inDraft(files.get('haproxy.cfg')!), { mode: 0o600 })
    const list = this.#at('certificates.list.new')
    const asWritten = readFileSync(list, 'utf8')
    writeFileSync(list, inDraft(asWritten))
    try {
      await exec(haproxyBinary()!, '-c', '-f', draft)
    } finally {
      writeFileSync(list, asWritten)
      rmSync(draft)
    }
    for (const name of files.keys()) renameSync(`${this.#at(name)}.new`, this.#at(name))
    for (const name of readdirSync(path.join(folder, 'certificates')))
      if (!files.has(path.join('certificates', name))) rmSync(path.join(folder, 'certificates', name))
  }

  async #start(): Promise<void> {
    const command = [haproxyBinary()!, '-W', '-S', `${this.#at('master.sock')},mode,600`, '-f', this.#at('haproxy.cfg')]
    rmSync(this.#at('proxy.log'), { force: true })
    if (existsSync(SYSTEMD)) {
      // What a crash left of the unit would be in the way of its name.
      await exec('systemctl', 'stop', UNIT).catch(() => {})
      const output = [`StandardOutput=append:${this.accessLog}`, `StandardError=append:${this.#at('proxy.log')}`]
      await exec(
        'systemd-run',
        '--quiet',
        '--collect',
        `--unit=${UNIT}`,
        ...[...output, 'LimitNOFILE=65536'].flatMap((p) => ['-p', p]),
        ...command,
      )
    } else {
      const [out, err] = [openSync(this.accessLog, 'a', 0o640), openSync(this.#at('proxy.log'), 'a', 0o640)]
      const child = spawn(command[0]!, command.slice(1), { detached: true, stdio: ['ignore', out, err] })
      child.on('error', () => {})
      child.unref()
      closeSync(out)
      closeSync(err)
    }
    for (const end = performance.now() + PATIENCE; !(await this.#master()); await sleep(20))
      if (performance.now() > end || lastAlert(this.#folder)) throw new Error(`the proxy does not start: ${this.#lastWords()}`)
  }

  /** The process that runs here, by its id; a moment's silence while it replaces itself is borne if `patient`. */
  async #master(patient = false): Promise<number | undefined> {
    for (let i = patient ? 20 : 0; ; i--) {
      const text = await ask(this.#at('master.sock'), 'show proc').catch(() => '')
      const found = /^(\d+)\s+master\b/m.exec(text)
      if (found) return Number(found[1])
      if (i <= 0) return undefined
      await sleep(50)
    }
  }

  async #version(): Promise<string | undefined> {
    const text = await ask(this.#at('admin.sock'), 'show info').catch(() => '')
    return /^description: (.*)$/im.exec(text)?.[1]
  }

  /** Held open while it runs: that it closes is how its end is seen. */
  #watch(): void {
    this.release()
    const guard = connect(this.#at('master.sock'), () => guard.write('prompt\n'))
    this.#guard = guard
    guard.resume()
    guard.on('error', () => {})
    guard.on('close', () => {
      if (this.#guard !== guard) return
      this.#guard = undefined
      this.#lost()
    })
  }

  #lastWords = () => lastAlert(this.#folder) ?? 'it said nothing'
}
