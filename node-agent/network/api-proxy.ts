// The API as this node's pods reach it: at the `kubernetes` service, under the cluster's own certificate, sent on to wherever the control plane is.
// Bytes pass as they come, tokens included: who asks is the API's affair.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import path from 'node:path'
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import { asRange } from '../../shared/meta/address.ts'
import { under } from '../../shared/meta/url.ts'
import { unavailable } from '../../shared/status/index.ts'
import type { Log } from '../log.ts'
import type { Api } from '../session/api.ts'
import type { Identity } from '../session/identity.ts'
import { exec } from './commands.ts'

/** Kept from start to start, so that the service table may stay as it is; another when something else has it. */
const PORT = 6444
const MAX_CONNECTIONS = 4096
const RETRY = 2000
const MAX_RETRY = 60_000
/** Those that are between two neighbours and not to be passed on. */
const hopByHop = ['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'proxy-authorization', 'proxy-connection']

interface Certificate {
  key: string
  certificate: string
}

export class ApiProxy {
  readonly #identity: Identity
  readonly #api: Api
  readonly #file: string
  readonly #log: Log
  readonly #listening: () => void
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS })
  #server?: Server
  #address?: string
  #timer?: ReturnType<typeof setTimeout>
  #closed = false
  /** Where it listens; undefined while it does not. */
  endpoint?: { ip: string; port: number }

  /** `listening` is told when `endpoint` has changed. */
  constructor(identity: Identity, api: Api, data: string, log: Log, listening: () => void) {
    this.#identity = identity
    this.#api = api
    this.#file = path.join(data, 'api-certificate.json')
    this.#log = log
    this.#listening = listening
  }

  /** Serves at this address of the service range, which becomes one of this machine's. Tries until it works. */
  serve(address: string): void {
    if (this.#address === address || this.#closed) return
    this.#address = address
    void this.#start(RETRY)
  }

  async #start(delay: number): Promise<void> {
    try {
      const { key, certificate } = await this.#certificate()
      if (this.#closed) return
      await exec('ip', 'address', 'replace', asRange(this.#address!), 'dev', 'lo')
      const server = createServer({ key, cert: certificate, keepAliveTimeout: 120_000, requestTimeout: 0 })
      server.maxConnections = MAX_CONNECTIONS
      server.on('request', (req, res) => this.#forward(req, res))
      server.on('upgrade', (req, socket, head) => this.#upgrade(req, socket as Socket, head))
      server.on('tlsClientError', () => {})
      await listenAt(server, this.#address!)
      this.#server = server
      this.endpoint = { ip: this.#address!, port: (server.address() as AddressInfo).port }
      this.#listening()
    } catch (cause) {
      this.#log.warn('the API cannot be served to pods yet; trying again', { cause: (cause as Error).message, in_ms: delay })
      this.#timer = setTimeout(() => void this.#start(Math.min(delay * 2, MAX_RETRY)), delay)
    }
  }

  /** A new one from the API; while that is away, the one of the last start. */
  async #certificate(): Promise<Certificate> {
    try {
      const pair = await generateKeyPair('ES256', { extractable: true })
      const { certificate } = await this.#api.call('POST', '/kedge/v1/serving-certificate', { publicKey: await exportJWK(pair.publicKey) })
      const made = { key: await exportPKCS8(pair.privateKey), certificate }
      writeFileSync(this.#file, JSON.stringify(made), { mode: 0o600 })
      return made
    } catch (cause) {
      if (!existsSync(this.#file)) throw cause
      return JSON.parse(readFileSync(this.#file, 'utf8'))
    }
  }

  #request(req: IncomingMessage, headers: NodeJS.Dict<string | string[]>) {
    const url = under(this.#identity.server, req.url ?? '/')
    const options = { method: req.method, headers: { ...headers, host: url.host }, setHost: false, agent: this.#agent }
    return request(url, { ...options, ...(this.#identity.ca ? { ca: this.#identity.ca } : {}) })
  }

  #forward(req: IncomingMessage, res: ServerResponse): void {
    const headers: NodeJS.Dict<string | string[]> = { ...req.headers }
    for (const name of hopByHop) delete headers[name]
    if (req.headers['transfer-encoding']) headers['transfer-encoding'] = 'chunked'
    const onward = this.#request(req, headers)
    onward.on('response', (answer) => {
      const given = { ...answer.headers }
      for (const name of hopByHop) delete given[name]
      res.writeHead(answer.statusCode ?? 502, given)
      // A watch shows that it has begun before its first event.
      res.flushHeaders()
      answer.pipe(res)
      answer.on('error', () => res.destroy())
    })
    onward.on('error', (cause) => {
      if (res.headersSent) return void res.destroy()
      res.writeHead(503, { 'content-type': 'application/json' })
      res.end(JSON.stringify(unavailable(`the control plane cannot be reached from this node: ${cause.message}`).toStatus()))
    })
    res.on('close', () => onward.destroy())
    req.pipe(onward)
  }

  /** exec, attach and port-forward: after the switch both sides are bytes. */
  #upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void {
    const onward = this.#request(req, { ...req.headers })
    socket.on('error', () => onward.destroy())
    onward.on('upgrade', (answer, other, first) => {
      socket.write(headOf(answer))
      if (first.length) socket.write(first)
      if (head.length) other.write(head)
      other.pipe(socket).pipe(other)
      other.on('error', () => socket.destroy())
      socket.on('error', () => other.destroy())
      socket.on('close', () => other.destroy())
      other.on('close', () => socket.destroy())
    })
    onward.on('response', (answer) => {
      socket.write(headOf(answer))
      answer.pipe(socket)
    })
    onward.on('error', () => socket.destroy())
    onward.end()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#agent.destroy()
    this.#server?.closeAllConnections()
    await new Promise<void>((r) => (this.#server ? this.#server.close(() => r()) : r()))
  }

  /** Takes the address away again, after `close`. */
  async remove(address: string): Promise<void> {
    await exec('ip', 'address', 'del', asRange(address), 'dev', 'lo').catch(() => {})
  }
}

async function listenAt(server: Server, host: string): Promise<void> {
  for (const port of [PORT, 0]) {
    try {
      return await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve()
        })
      })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE' || port === 0) throw cause
    }
  }
}

function headOf(answer: IncomingMessage): string {
  const lines: string[] = []
  for (let i = 0; i < answer.rawHeaders.length; i += 2)
    if (answer.rawHeaders[i]!.toLowerCase() !== 'transfer-encoding') lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`)
  return `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines.join('\r\n')}\r\n\r\n`
}
