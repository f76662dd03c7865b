// Where and who this machine is to others: the address that they reach it by, and what tells its containers from those of another daemon.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import path from 'node:path'

/** The address that other machines reach this one by: the one it dials the control plane from, unless that is loopback. */
export async function ownAddress(server: string): Promise<string> {
  const url = new URL(server)
  const dialled = await new Promise<string>((resolve) => {
    const s = connect({ host: url.hostname, port: Number(url.port || 443) }, () => {
      resolve(s.localAddress ?? '')
      s.destroy()
    })
    s.on('error', () => resolve(''))
    s.setTimeout(3000, () => s.destroy())
  })
  if (dialled && !dialled.startsWith('127.') && !dialled.includes(':')) return dialled
  const first = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(docker|br-|veth|cni|kedge)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .find((i) => i.family === 'IPv4' && !i.internal)
  return first?.address ?? '127.0.0.1'
}

/** What containers of this daemon are told from others by; the same for as long as its folder is. */
export function instanceOf(data: string): string {
  const file = path.join(data, 'instance')
  if (!existsSync(file)) writeFileSync(file, randomUUID())
  return readFileSync(file, 'utf8').trim()
}
