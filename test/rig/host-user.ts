// Somebody with a shell: signed in at a host, with a kubeconfig of his own, running our command and real kubectl.
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { launcher } from '../../cli/processes.ts'
import type { HostServer } from './control-plane.ts'

const TIMEOUT = 120_000

export class HostUser {
  readonly environment: NodeJS.ProcessEnv
  readonly #host: HostServer

  constructor(host: HostServer, name = 'user') {
    this.#host = host
    this.environment = {
      ...process.env,
      KEDGE_CONFIG: path.join(host.folder.path, `${name}.yaml`),
      KUBECONFIG: path.join(host.folder.path, `${name}.kubeconfig`),
    }
  }

  /** Standard output; throws with `stderr` on another code than 0. */
  run(command: string, args: string[], input = ''): string {
    return execFileSync(command, args, {
      env: this.environment,
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: TIMEOUT,
    })
  }
  /** kedge login at the host's provider, and what a browser does with the address that it prints. Waits without blocking: the provider may be of this process. */
  signIn(...more: string[]): Promise<{ code: number; out: string; err: string }> {
    const ca = path.join(this.#host.folder.path, 'ca.crt')
    return new Promise((resolve) => {
      const child = spawn(launcher, ['login', '--server', this.#host.url, '--ca-file', ca, '--no-browser', ...more], {
        env: this.environment,
      })
      let [out, err, opened] = ['', '', false]
      child.stdout.on('data', (d) => {
        out += d
      })
      child.stderr.on('data', (d) => {
        err += d
        const address = /^ {2}(http\S+)$/m.exec(err)?.[1]
        if (!address || opened) return
        opened = true
        void fetch(address)
      })
      child.on('exit', (code) => resolve({ code: code ?? 1, out, err }))
    })
  }
  /** Words are split at spaces. */
  kedge(args: string, input?: string): string {
    return this.run(launcher, args.split(' '), input)
  }
  kubectl(args: string, input?: string): string {
    return this.run('kubectl', args.split(' '), input)
  }
}
