// Health checks of services whose clients stay on a node: a balancer before the cluster asks each node whether it has endpoints, at the service's own port.
import { createServer, type Server } from 'node:http'
import { isHealthChecked } from '../../shared/kinds/service.ts'
import type { Log } from '../log.ts'

/** A service as it is asked for, and the endpoints that it has on this node. */
export interface HealthPort {
  port: number
  namespace: string
  name: string
  endpoints: number
}

const MOST = 1000

/** Those of the services that want to be asked. `count` tells the endpoints of a service on this node. */
export function healthPorts(services: Iterable<any>, count: (service: any) => number): HealthPort[] {
  const out: HealthPort[] = []
  for (const s of services) {
    const port: number | undefined = s.spec?.healthCheckNodePort
    if (!port || !isHealthChecked(s.spec)) continue
    out.push({ port, namespace: s.metadata.namespace, name: s.metadata.name, endpoints: count(s) })
  }
  return out.slice(0, MOST)
}

export class HealthServers {
  readonly #log: Log
  readonly #open = new Map<number, { server: Server; state: HealthPort }>()

  constructor(log: Log) {
    this.#log = log
  }

  /** Listens where it is wanted, and nowhere else. */
  set(wanted: readonly HealthPort[]): void {
    const ports = new Set(wanted.map((w) => w.port))
    for (const [port, { server }] of this.#open) {
      if (ports.has(port)) continue
      server.close()
      server.closeAllConnections()
      this.#open.delete(port)
    }
    for (const state of wanted) {
      const known = this.#open.get(state.port)
      if (known) known.state = state
      else this.#listen(state)
    }
  }

  #listen(state: HealthPort): void {
    const entry = { server: createServer(), state }
    entry.server.on('request', (_, res) => {
      const { namespace, name, endpoints } = entry.state
      const body = { service: { namespace, name }, localEndpoints: endpoints, serviceProxyHealthy: true }
      res.writeHead(endpoints ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': String(endpoints),
      })
      res.end(JSON.stringify(body, undefined, '\t'))
    })
    entry.server.on('error', (cause) => {
      this.#log.warn('a health check port cannot be served', { port: state.port, cause: cause.message })
      // The next change tries again.
      if (this.#open.get(state.port) === entry) this.#open.delete(state.port)
    })
    this.#open.set(state.port, entry)
    entry.server.listen(state.port)
  }

  close(): void {
    this.set([])
  }
}
