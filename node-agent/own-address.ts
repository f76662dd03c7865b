// Where and who this machine is to others: the address that they reach it by, and what tells its containers from those of another daemon.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import { type Family, familyOf } from '../shared/meta/address.ts'

/** Interfaces that are no way to other machines. */
const NOT_OURS = /^(docker|br-|veth|cni|kedge)/

/** An address that another machine may be told. */
const isReachable = (address: string): boolean => !/^(127\.|169\.254\.|::|fe[89ab])/i.test(address)

/** The address that the control plane is dialled from; empty where it cannot be reached. */
async function dialledFrom(server: string): Promise<string> {
  const url = new URL(server)
  return new Promise<string>((resolve) => {
    const s = connect({ host: url.hostname.replace(/[[\]]/g, ''), port: Number(url.port || 443) }, () => {
      resolve(s.localAddress?.replace(/^::ffff:/, '') ?? '')
      s.destroy()
    })
    s.on('error', () => resolve(''))
    s.setTimeout(3000, () => s.destroy())
  })
}

/**
 * The addresses that other machines reach this one by, one for each of these families that it has, in their order: the one that it dials the control plane
 * from, or the first of that family, of the same interface where that has one. Without any, loopback.
 */
export async function ownAddresses(server: string, families: readonly Family[]): Promise<string[]> {
  const all = Object.entries(networkInterfaces())
    .filter(([name]) => !NOT_OURS.test(name))
    .flatMap(([name, list]) => (list ?? []).map((i) => ({ name, address: i.address })))
    .filter((i) => isReachable(i.address))
  const dialled = await dialledFrom(server)
  const over = all.find((i) => i.address === dialled)?.name
  const found = families.flatMap((family) => {
    const own = all.filter((i) => familyOf(i.address) === family)
    return (own.find((i) => i.address === dialled) ?? own.find((i) => i.name === over) ?? own[0])?.address ?? []
  })
  return found.length ? found : [families[0] === 'IPv6' ? '::1' : '127.0.0.1']
}

/** What containers of this daemon are told from others by; the same for as long as its folder is. */
export function instanceOf(data: string): string {
  const file = path.join(data, 'instance')
  if (!existsSync(file)) writeFileSync(file, randomUUID())
  return readFileSync(file, 'utf8').trim()
}
