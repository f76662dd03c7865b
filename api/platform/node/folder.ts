// The data folder of a control plane: what is made once and kept, and the names its certificate carries.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import path from 'node:path'
import type { Names } from './certificates.ts'

const IPV4 = /^\d+\.\d+\.\d+\.\d+$/

/** Names and addresses that a server on this machine goes by. */
export function localNames(o: { host: string; names?: string[] }): Names {
  // Links that containers bring are none of this machine's names.
  const own = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(veth|docker|br-|cni)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter((i) => i.family === 'IPv4')
    .map((i) => i.address)
  const given = [o.host, ...(o.names ?? [])].filter((n) => n && n !== '0.0.0.0')
  return {
    dns: [
      ...new Set([
        'localhost',
        hostname(),
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        'kubernetes.default.svc.cluster.local',
        ...given.filter((n) => !IPV4.test(n)),
      ]),
    ],
    ips: [...new Set(['127.0.0.1', '10.96.0.1', ...own, ...given.filter((n) => IPV4.test(n))])],
  }
}

/** A value that must outlive restarts: read from the folder, or made there, for the owner's eyes. */
export function keep(folder: string, name: string, make: () => string): string {
  const file = path.join(folder, name)
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}
