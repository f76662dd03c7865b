// A request to a container, as probes and hooks ask for it: whatever answers counts, its certificate does not.
import { get as plain } from 'node:http'
import { get as secure } from 'node:https'

/** The number of a port that is a number, or a container's name for one. */
export const portOf = (port: number | string, container: any): number =>
  typeof port === 'number' ? port : (container.ports?.find((p: any) => p.name === port)?.containerPort ?? Number(port))

export interface Asking {
  container: any
  podIP: string
  timeoutMs: number
  userAgent: string
}

/** The status of the answer. Rejects with what kubelet says when there is none. */
export function httpGet(action: any, { container, podIP, timeoutMs, userAgent }: Asking): Promise<number> {
  const { scheme = 'HTTP', path = '/', port, host, httpHeaders } = action
  const name = host || podIP
  const at = `${scheme.toLowerCase()}://${name.includes(':') ? `[${name}]` : name}:${portOf(port, container)}${path.startsWith('/') ? '' : '/'}${path}`
  const headers: Record<string, string | string[]> = { 'user-agent': userAgent, accept: '*/*', connection: 'close' }
  const given = new Map<string, string[]>()
  for (const h of httpHeaders ?? []) given.set(h.name.toLowerCase(), [...(given.get(h.name.toLowerCase()) ?? []), h.value])
  for (const [key, values] of given) headers[key] = values.length > 1 ? values : values[0]!
  const failed = (why: string) => new Error(`Get ${JSON.stringify(at)}: ${why}`)
  return new Promise((resolve, reject) => {
    // Servers that end lines as they like are asked by kubelet with success.
    const options = { headers, rejectUnauthorized: false, insecureHTTPParser: true }
    const request = (scheme === 'HTTPS' ? secure : plain)(at, options, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    const timer = setTimeout(
      () => request.destroy(new Error('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')),
      timeoutMs,
    )
    request.on('error', (cause) => reject(Object.assign(failed(cause.message), { code: (cause as NodeJS.ErrnoException).code })))
    request.on('close', () => clearTimeout(timer))
  })
}
