// Calls to servers that users name, from Node. Where many share a host, nothing behind it may be reached: the address is looked at when it is dialled,
// after every redirect, so that no name can change its mind in between.
import { lookup as resolve } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import type { Outbound } from '../../ports/outbound.ts'

const MAX_REDIRECTS = 5

const inside = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inside.addSubnet(net, bits)
for (const [net, bits] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  inside.addSubnet(net, bits, 'ipv6')

/** Whether an address is of this machine or its networks rather than of the internet. */
export function isInside(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  const plain = mapped ?? address
  return inside.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
}

const refuse = (host: string) => new Error(`${host} is an address inside this host's networks, which may not be reached`)

const guardedLookup: LookupFunction = (host, options, done) => {
  resolve(host, { ...options, all: true }, (cause, found) => {
    if (cause) return done(cause, '', 4)
    if (found.some((a) => isInside(a.address))) return done(refuse(host), '', 4)
    if (options.all) return (done as unknown as (c: null, all: typeof found) => void)(null, found)
    done(null, found[0]!.address, found[0]!.family)
  })
}

function once(url: URL, init: RequestInit & { ca?: string }, everywhere: boolean): Promise<Response> {
  return new Promise((done, failed) => {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (!everywhere && isIP(host) && isInside(host)) return failed(refuse(host))
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const req = send(
      url,
      {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init.headers)),
        ...(init.signal ? { signal: init.signal } : {}),
        ...(everywhere ? {} : { lookup: guardedLookup }),
        ...(init.ca ? { ca: init.ca } : {}),
      },
      (res) => {
        const headers = new Headers()
        for (const [name, value] of Object.entries(res.headers)) headers.set(name, Array.isArray(value) ? value.join(', ') : (value ?? ''))
        const status = res.statusCode ?? 502
        const empty = status === 204 || status === 304
        if (empty) res.resume()
        done(new Response(empty ? null : (Readable.toWeb(res) as unknown as BodyInit), { status, headers }))
      },
    )
    req.on('error', failed)
    req.end(init.body as string | undefined)
  })
}

/** `everywhere`: machines of this network may be reached too, as is right where there is one cluster, its owner's. */
export const outboundFor =
  (everywhere: boolean): Outbound =>
  async (address, init = {}) => {
    let url = new URL(address)
    let headers = new Headers(init.headers)
    for (let redirects = 0; ; redirects++) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error(`${url.protocol} is not supported`)
      const response = await once(url, { ...init, headers }, everywhere)
      const to = response.headers.get('location')
      if (![301, 302, 303, 307, 308].includes(response.status) || !to || (init.method ?? 'GET') !== 'GET') return response
      await response.body?.cancel()
      if (redirects >= MAX_REDIRECTS) throw new Error(`${new URL(address).host} redirects too often`)
      const next = new URL(to, url)
      // A token is for the one it was given for.
      if (next.origin !== url.origin) headers = new Headers([...headers].filter(([n]) => n !== 'authorization' && n !== 'private-token'))
      url = next
    }
  }
