// Lifecycle hooks: a command in the container, a request to it, or a pause.
import type { Runtime } from '../runtime/docker.ts'
import { run } from '../runtime/exec.ts'

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
      const { port, path = '/', host, scheme = 'HTTP' } = hook.httpGet
      const number = typeof port === 'number' ? port : container.ports?.find((p: any) => p.name === port)?.containerPort
      await fetch(`${scheme.toLowerCase()}://${host || podIP}:${number}${path}`, { signal: AbortSignal.timeout(timeout) })
    }
    return undefined
  } catch (cause) {
    return `lifecycle hook for Container ${name} failed - error: ${(cause as Error).message}`
  }
}
