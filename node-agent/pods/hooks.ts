// Lifecycle hooks: a command in the container, a request to it, or a pause.
import type { Runtime } from '../runtime/docker.ts'
import { run } from '../runtime/exec.ts'
import { httpGet } from './http-get.ts'

export interface HookTarget {
  container: any
  /** Of the running container. */
  id: string
  podIP: string
  /** What is left for it, ms. */
  timeout: number
}

/** Runs a hook to its end; a message when it failed. */
export async function runHook(runtime: Runtime, hook: any, { container, id, podIP, timeout }: HookTarget): Promise<string | undefined> {
  const name = JSON.stringify(container.name)
  try {
    if (hook.sleep) await new Promise((r) => setTimeout(r, Math.min(hook.sleep.seconds * 1000, timeout)))
    else if (hook.exec) {
      const { code, output } = await run(runtime, id, hook.exec.command, timeout)
      if (code !== 0)
        return `Exec lifecycle hook (${JSON.stringify(hook.exec.command)}) for Container ${name} failed - error: command exited with ${code}, message: ${JSON.stringify(output)}`
    } else if (hook.httpGet) {
      const asking = { container, podIP, timeoutMs: timeout, userAgent: 'kube-lifecycle/1.36' }
      // Whatever the answer says. Who speaks no TLS is asked without.
      await httpGet(hook.httpGet, asking).catch((cause) => {
        if (cause.code !== 'EPROTO' && cause.code !== 'ERR_SSL_WRONG_VERSION_NUMBER') throw cause
        return httpGet({ ...hook.httpGet, scheme: 'HTTP' }, asking)
      })
    }
    return undefined
  } catch (cause) {
    return `lifecycle hook for Container ${name} failed - error: ${(cause as Error).message}`
  }
}
