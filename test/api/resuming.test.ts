// What a daemon that comes back is told, and what a server that comes back still knows and shows.
import { truncateSync, utimesSync } from 'node:fs'
import path from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { quietLog } from '../../node-agent/log.ts'
import { openIdentity } from '../../node-agent/session/identity.ts'
import type { HubFrame } from '../../shared/session/frames.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Server, startServer } from './server.ts'

let server: Server
const folder = temporaryFolder('resuming')
beforeAll(async () => {
  server = await startServer('node')
})
afterAll(async () => {
  await server?.stop()
  folder.remove()
})

/** The words of the frames until the subscription is up to date, and the version that it then has. */
async function told(token: string, subscription: object): Promise<{ frames: string[]; rv: number }> {
  const socket = new WebSocket(`${server.cp.url.replace('https', 'wss')}/kedge/v1/session`, ['v1.session.kedge.dev'], {
    ca: server.cp.ca,
    headers: { authorization: `Bearer ${token}` },
  })
  const frames: string[] = []
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('open', () => socket.send(JSON.stringify({ t: 'subscribe', id: 1, ...subscription })))
      socket.on('message', (data) => {
        const f = JSON.parse(data.toString()) as HubFrame
        if (f.t === 'refused') reject(new Error(f.message))
        frames.push(f.t === 'event' ? `${f.type} ${f.object.metadata.name}` : f.t)
        if (f.t === 'synced') resolve({ frames, rv: f.rv })
      })
    })
  } finally {
    socket.terminate()
  }
}

test('of one object a daemon is told when it is not as it knew it', async () => {
  const identity = await openIdentity({ data: folder.path, server: server.cp.url, token: server.cp.joinToken(), name: 'n1', log: quietLog })
  const own = { resource: 'nodes', name: 'n1' }
  const ask = async (rv?: number) => told(await identity.assertion(), { ...own, ...(rv ? { rv } : {}) })
  for (const name of ['n1', 'n2']) await server.send('POST', '/api/v1/nodes', { metadata: { name } })
  const first = await ask()
  expect(first.frames).toEqual(['replace', 'ADDED n1', 'synced'])
  expect((await ask(first.rv)).frames).toEqual(['synced'])

  await server.send('PATCH', '/api/v1/nodes/n2', { metadata: { labels: { a: 'b' } } }, undefined, 'application/merge-patch+json')
  const others = await ask(first.rv)
  expect(others.frames).toEqual(['synced'])
  expect(others.rv).toBeGreaterThan(first.rv)

  await server.send('PATCH', '/api/v1/nodes/n1', { metadata: { labels: { a: 'b' } } }, undefined, 'application/merge-patch+json')
  const changed = await ask(others.rv)
  expect(changed.frames).toEqual(['replace', 'ADDED n1', 'synced'])
  await server.send('DELETE', '/api/v1/nodes/n1')
  expect((await ask(changed.rv)).frames).toEqual(['replace', 'synced'])
})

/** A connection, by a session of before or with one of its own for later. */
const tls = (before?: Buffer): Promise<{ reused: boolean; ticket: Buffer }> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: server.cp.port, ca: server.cp.ca, ...(before ? { session: before } : {}) })
    const done = (reused: boolean, ticket: Buffer) => {
      resolve({ reused, ticket })
      socket.destroy()
    }
    socket.on('error', reject)
    socket.on('secureConnect', () => before && socket.isSessionReused() && done(true, before))
    socket.on('session', (ticket) => done(false, ticket))
    // Nothing is heard of tickets by who does not read.
    socket.resume()
  })

test('TLS sessions are resumed after a restart, by keys that live a day', async () => {
  const { ticket, reused } = await tls()
  expect(reused).toBe(false)
  await server.cp.kill()
  await server.cp.start()
  const again = await tls(ticket)
  expect(again.reused).toBe(true)

  await server.cp.kill()
  const yesterday = Date.now() / 1000 - 25 * 3600
  utimesSync(path.join(server.cp.folder.path, 'tls-tickets.key'), yesterday, yesterday)
  await server.cp.start()
  const late = await tls(again.ticket)
  expect(late.reused).toBe(false)
  expect((await tls(late.ticket)).reused).toBe(true)
})

test('the certificate stays through restarts, and is made anew when it was lost', async () => {
  const shown = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: server.cp.port, ca: server.cp.ca }, () => {
        resolve(socket.getPeerCertificate().fingerprint256)
        socket.destroy()
      })
      socket.on('error', reject)
    })
  const restarted = async (meanwhile: () => void) => {
    await server.cp.kill()
    meanwhile()
    await server.cp.start()
    return shown()
  }
  const first = await shown()
  expect(await restarted(() => {})).toBe(first)
  const second = await restarted(() => truncateSync(path.join(server.cp.folder.path, 'server.json'), 100))
  expect(second).not.toBe(first)
  expect(await restarted(() => {})).toBe(second)
})
