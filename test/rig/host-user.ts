// Somebody with a shell: signed in at a host, with a kubeconfig of his own, running our command and real kubectl.
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { launcher } from '../../cli/processes.ts'
import type { HostServer } from './control-plane.ts'

const TIMEOUT = 120_000

export class HostUser {
  readonly environment: NodeJS.ProcessEnv

  constructor(host: HostServer) {
    this.environment = {
      ...process.env,
      KEDGE_CONFIG: path.join(host.folder.path, 'user.yaml'),
      KUBECONFIG: path.join(host.folder.path, 'user.kubeconfig'),
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
  /** Words are split at spaces. */
  kedge(args: string, input?: string): string {
    return this.run(launcher, args.split(' '), input)
  }
  kubectl(args: string, input?: string): string {
    return this.run('kubectl', args.split(' '), input)
  }
}
