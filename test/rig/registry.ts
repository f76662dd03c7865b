// A registry of images as others run one: Debian's docker-registry, which lets in who has a password.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { eventually, type Host } from './hosts.ts'
import { freePort, temporaryFolder } from './sqld.ts'

export class Registry {
  readonly user = 'ann'
  readonly password = 'a:secret'
  readonly #folder = temporaryFolder('registry')
  readonly #ip: string
  readonly #port: number
  #child?: ChildProcess

  private constructor(ip: string, port: number) {
    this.#ip = ip
    this.#port = port
  }

  static async start(ip: string): Promise<Registry> {
    const r = new Registry(ip, await freePort())
    const at = (name: string) => path.join(r.#folder.path, name)
    mkdirSync(at('images'))
    writeFileSync(at('users'), execFileSync('htpasswd', ['-nbB', r.user, r.password]))
    writeFileSync(
      at('config.yml'),
      `version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: ${at('images')}}}
http: {addr: '${r.host}'}
auth: {htpasswd: {realm: rig, path: ${at('users')}}}
`,
    )
    await r.open()
    return r
  }

  get host(): string {
    return `${this.#ip}:${this.#port}`
  }

  /** Starts serving, or serves again. */
  async open(): Promise<void> {
    this.#child = spawn('docker-registry', ['serve', path.join(this.#folder.path, 'config.yml')], { stdio: 'ignore' })
    await eventually('the registry answers', async () => (await fetch(`http://${this.host}/v2/`)).status === 401)
  }
  async close(): Promise<void> {
    const ended = new Promise((r) => this.#child!.once('exit', r))
    this.#child!.kill()
    await ended
  }

  /** Brings a host's image there, under another name; the host keeps neither. */
  take(host: Host, image: string, name: string): string {
    const ref = `${this.host}/${name}`
    const login = `docker --config /run/pushing login -u ${this.user} --password-stdin ${this.host}`
    host.run(
      `printf '%s' '${this.password}' | ${login} && docker tag ${image} ${ref} && docker --config /run/pushing push -q ${ref} && docker rmi ${ref}`,
    )
    return ref
  }

  async stop(): Promise<void> {
    await this.close()
    this.#folder.remove()
  }
}
