// Asking daemons what they know themselves, many at once; those that do not answer are left out.
import type { StatusError } from '../../shared/status/index.ts'
import type { Cluster } from '../cluster.ts'

/** How many are asked at once. */
const TOGETHER = 32

/** What each of these nodes answers at a path of its own, as JSON. `patience` is how long one has, ms. */
export async function askNodes<T>({ env, log }: Cluster, nodes: Iterable<string>, path: string, patience: number): Promise<Map<string, T>> {
  const out = new Map<string, T>()
  const left = [...new Set(nodes)]
  const ask = async () => {
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      try {
        const call = { targets: [{ node, address: '', port: 0 }], method: 'GET', path, headers: { host: node }, timeoutMs: patience }
        const answer = await env.reach(call)
        if (answer.ok) out.set(node, (await answer.json()) as T)
        else await answer.body?.cancel()
      } catch (cause) {
        const { code, message } = cause as StatusError
        // Its daemon is away: that is told elsewhere.
        if (code !== 503) log.warn('a node does not say what it was asked', { node, path: path.split('?')[0], cause: message })
      }
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, ask))
  return out
}
