// Servers as users start them: `kedge serve` as a process of its own, killed and started again on the same data.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { launcher } from '../../cli/processes.ts'
import { apiRequest } from '../../cli/request.ts'
import { eventually } from './hosts.ts'
import { freePort, temporaryFolder } from './sqld.ts'

export interface KubectlResult {
  code: number
  out: string
  err: string
}

abstract class ServerProcess {
  readonly host: string
  readonly port: number
  readonly folder = temporaryFolder('serve')
  readonly #flags: string[]
  readonly #env: Record<string, string>
  #child?: ChildProcess

  constructor(host: string, port: number, flags: string[], env: Record<string, string> = {}) {
    this.host = host
    this.port = port
    this.#flags = flags
    this.#env = env
  }

  protected abstract ready(): Promise<boolean>

  get pid(): number {
    return this.#child!.pid!
  }
  get url(): string {
    return `https://${this.host}:${this.port}`
  }
  get ca(): string {
    return readFileSync(path.join(this.folder.path, 'ca.crt'), 'utf8')
  }

  async start(): Promise<void> {
    const log = openSync(path.join(this.folder.path, 'serve.log'), 'a')
    this.#child = spawn(launcher, ['serve', '--data', this.folder.path, '--listen', `${this.host}:${this.port}`, ...this.#flags], {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...this.#env },
    })
    await eventually('the server answers', () => this.ready(), 60_000).catch(async (cause) => {
      await this.kill()
      throw new Error(`${cause.message}\n${this.log()}`)
    })
  }

  kill(): Promise<void> {
    const exited = new Promise<void>((r) => this.#child!.once('exit', () => r()))
    // This process alone: on Workers the database and workerd have to end by themselves.
    this.#child!.kill('SIGKILL')
    return exited
  }

  wholeLog(): string {
    return readFileSync(path.join(this.folder.path, 'serve.log'), 'utf8')
  }

  log(): string {
    return this.wholeLog().slice(-6000)
  }

  async stop(): Promise<void> {
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) {
      this.folder.remove()
      return
    }
    const exited = new Promise<void>((r) => this.#child!.once('exit', () => r()))
    this.#child!.kill('SIGTERM')
    const timer = setTimeout(() => this.#child!.kill('SIGKILL'), 10_000)
    await exited
    clearTimeout(timer)
    try {
      process.kill(-this.#child!.pid!, 'SIGKILL')
    } catch {
      // Nobody was left.
    }
    this.folder.remove()
  }
}

/** A host of many clusters. */
export class HostServer extends ServerProcess {
  static async start(host: string, flags: string[] = []): Promise<HostServer> {
    const s = new HostServer(host, await freePort(), ['--hosted', ...flags])
    await s.start()
    return s
  }

  protected async ready(): Promise<boolean> {
    return existsSync(path.join(this.folder.path, 'ca.crt')) && (await this.call('GET', '/healthz', undefined)) === 'ok'
  }

  get operatorToken(): string {
    return readFileSync(path.join(this.folder.path, 'admin.token'), 'utf8').trim()
  }

  /** The parsed answer. Throws errors with the answer's code. */
  call(method: string, path: string, token: string | undefined, body?: unknown, headers: Record<string, string> = {}): Promise<any> {
    return apiRequest({ server: this.url, ca: this.ca, ...(token ? { token } : {}) }, method, path, body, headers)
  }

  /** The code of an answer that is not wanted for more. */
  code(method: string, path: string, token: string | undefined, body?: unknown, headers: Record<string, string> = {}): Promise<number> {
    return this.call(method, path, token, body, headers).then(
      () => 200,
      (e) => e.code ?? 0,
    )
  }
}

/** One cluster. */
export class ControlPlane extends ServerProcess {
  static async start(host: string, flags: string[] = [], env: Record<string, string> = {}): Promise<ControlPlane> {
    const c = new ControlPlane(host, await freePort(), flags, env)
    await c.start()
    return c
  }

  protected async ready(): Promise<boolean> {
    return existsSync(this.kubeconfig) && (await apiRequest({ server: this.url, ca: this.ca }, 'GET', '/readyz')) === 'ok'
  }

  get kubeconfig(): string {
    return path.join(this.folder.path, 'admin.kubeconfig')
  }

  /** Runs kubectl (another version by its path); words are split at spaces, `|`-quoted parts stay whole. */
  kubectl(args: string, options: { kubectl?: string; input?: string; timeout?: number } = {}): KubectlResult {
    const words = [...args.matchAll(/\|([^|]*)\||(\S+)/g)].map((m) => m[1] ?? m[2]!)
    try {
      const out = execFileSync(options.kubectl ?? 'kubectl', words, {
        env: { ...process.env, KUBECONFIG: this.kubeconfig },
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
        input: options.input ?? '',
        timeout: options.timeout ?? 60_000,
        maxBuffer: 64 << 20,
      })
      return { code: 0, out, err: '' }
    } catch (cause) {
      const e = cause as { status?: number; stdout?: string; stderr?: string }
      return { code: e.status ?? 1, out: e.stdout ?? '', err: e.stderr ?? '' }
    }
  }

  /** kubectl that must succeed; its output. */
  k(args: string, options: { kubectl?: string; input?: string; timeout?: number } = {}): string {
    const r = this.kubectl(args, options)
    if (r.code !== 0) throw new Error(`kubectl ${args}: ${r.err || r.out}`)
    return r.out
  }

  joinToken(): string {
    const out = execFileSync(launcher, ['token', 'create', '--join'], {
      env: { ...process.env, KUBECONFIG: this.kubeconfig },
      encoding: 'utf8',
    })
    return out.trim().split('\n').at(-1)!
  }
}
