// Requests of the CLI: JSON in and out, lines of a stream, WebSockets; the server's refusals as errors with their Status.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import WebSocket from 'ws'
import { under } from '../../shared/meta/url.ts'
import type { Connection } from './config.ts'

export class ApiStatusError extends Error {
  readonly code: number
  readonly status: any
  constructor(code: number, status: any) {
    super(status?.message ?? `the server answered ${code}`)
    this.code = code
    this.status = status
  }
  get reason(): string {
    return this.status?.reason ?? ''
  }
}

export interface RequestOptions {
  method?: string
  body?: unknown
  contentType?: string
  accept?: string
  headers?: Record<string, string>
}

/** Seen in `Warning` headers: told once each. */
const warned = new Set<string>()

export class Client {
  readonly connection: Connection
  readonly #agent: Agent | HttpAgent

  constructor(connection: Connection) {
    this.connection = connection
    const { ca, cert, key, insecure, serverName } = connection
    const tls = {
      ...(ca && !insecure ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(insecure ? { rejectUnauthorized: false } : {}),
      ...(serverName ? { servername: serverName } : {}),
    }
    this.#agent = connection.server.startsWith('https:') ? new Agent({ keepAlive: true, ...tls }) : new HttpAgent({ keepAlive: true })
  }

  #headers(o: RequestOptions): Record<string, string | string[]> {
    const { authorization, impersonate } = this.connection
    return {
      accept: o.accept ?? 'application/json',
      'user-agent': 'kedge',
      ...(authorization ? { authorization } : {}),
      ...impersonate,
      ...o.headers,
    }
  }

  /** The response, whatever its code. Throws when there is none. */
  open(path: string, o: RequestOptions = {}): Promise<IncomingMessage> {
    const url = under(this.connection.server, path)
    const data = o.body === undefined ? undefined : typeof o.body === 'string' || Buffer.isBuffer(o.body) ? o.body : JSON.stringify(o.body)
    const send = url.protocol === 'https:' ? request : httpRequest
    return new Promise((resolve, reject) => {
      const req = send(
        url,
        {
          method: o.method ?? 'GET',
          agent: this.#agent as Agent,
          headers: {
            ...this.#headers(o),
            ...(data === undefined
              ? {}
              : { 'content-type': o.contentType ?? 'application/json', 'content-length': Buffer.byteLength(data) }),
          },
        },
        (res) => {
          for (const w of [res.headers.warning ?? []].flat()) this.#warn(w)
          resolve(res)
        },
      )
      req.on('error', (cause: NodeJS.ErrnoException) => reject(unreachable(cause, url)))
      req.end(data)
    })
  }

  #warn(header: string): void {
    for (const [, text] of header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
      const plain = text!.replace(/\\(.)/g, '$1')
      if (warned.has(plain)) continue
      warned.add(plain)
      process.stderr.write(`Warning: ${plain}\n`)
    }
  }

  /** The body as text. Throws ApiStatusError. */
  async text(path: string, o: RequestOptions = {}): Promise<string> {
    const res = await this.open(path, o)
    const parts: Buffer[] = []
    for await (const part of res) parts.push(part as Buffer)
    const text = Buffer.concat(parts).toString()
    if ((res.statusCode ?? 500) >= 400) throw new ApiStatusError(res.statusCode ?? 500, statusOf(text, res.statusCode ?? 500))
    return text
  }

  async json(path: string, o: RequestOptions = {}): Promise<any> {
    const text = await this.text(path, o)
    return text ? JSON.parse(text) : undefined
  }

  get = (path: string, accept?: string): Promise<any> => this.json(path, accept ? { accept } : {})
  post = (path: string, body: unknown): Promise<any> => this.json(path, { method: 'POST', body })
  put = (path: string, body: unknown): Promise<any> => this.json(path, { method: 'PUT', body })
  delete = (path: string, body?: unknown): Promise<any> => this.json(path, { method: 'DELETE', ...(body === undefined ? {} : { body }) })
  patch = (path: string, body: unknown, contentType = 'application/merge-patch+json'): Promise<any> =>
    this.json(path, { method: 'PATCH', body, contentType })

  /** Bytes as they come. Throws ApiStatusError. */
  async stream(path: string, o: RequestOptions = {}): Promise<IncomingMessage> {
    const res = await this.open(path, o)
    if ((res.statusCode ?? 500) < 400) return res
    const parts: Buffer[] = []
    for await (const part of res) parts.push(part as Buffer)
    throw new ApiStatusError(res.statusCode ?? 500, statusOf(Buffer.concat(parts).toString(), res.statusCode ?? 500))
  }

  /** The events of a watch, until it ends. */
  async *watch(path: string, accept?: string): AsyncGenerator<{ type: string; object: any }> {
    const res = await this.stream(path, accept ? { accept } : {})
    let rest = ''
    for await (const part of res) {
      rest += (part as Buffer).toString()
      const lines = rest.split('\n')
      rest = lines.pop()!
      for (const line of lines) if (line) yield JSON.parse(line)
    }
  }

  /** A WebSocket speaking one of these; its messages are binary. */
  socket(path: string, protocols: string[]): Promise<WebSocket> {
    const url = under(this.connection.server, path)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const { ca, cert, key, insecure, serverName } = this.connection
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, protocols, {
        headers: this.#headers({}) as Record<string, string>,
        perMessageDeflate: false,
        ...(ca && !insecure ? { ca } : {}),
        ...(cert ? { cert } : {}),
        ...(key ? { key } : {}),
        ...(insecure ? { rejectUnauthorized: false } : {}),
        ...(serverName ? { servername: serverName } : {}),
      })
      socket.on('open', () => resolve(socket))
      socket.on('error', reject)
      socket.on('unexpected-response', (_req, res) => {
        let text = ''
        res.on('data', (d: Buffer) => (text += d))
        res.on('end', () => reject(new ApiStatusError(res.statusCode ?? 500, statusOf(text, res.statusCode ?? 500))))
      })
    })
  }
}

const reasons: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  500: 'InternalError',
  503: 'ServiceUnavailable',
}

function statusOf(text: string, code: number): any {
  try {
    const parsed = JSON.parse(text)
    if (parsed?.kind === 'Status') return parsed
  } catch {
    // Answered by something in between.
  }
  const known: Record<number, string> = {
    404: 'the server could not find the requested resource',
    401: 'the server has asked for the client to provide credentials',
  }
  return {
    kind: 'Status',
    code,
    reason: reasons[code] ?? '',
    message: known[code] ?? (text.trim().slice(0, 300) || `the server answered ${code}`),
  }
}

function unreachable(cause: NodeJS.ErrnoException, url: URL): Error {
  if (cause.code === 'ECONNREFUSED')
    return new Error(`The connection to the server ${url.host} was refused - did you specify the right host or port?`)
  if (/^(SELF_SIGNED|UNABLE_TO_|DEPTH_ZERO|CERT_|ERR_TLS)/.test(cause.code ?? ''))
    return new Error(
      `Unable to connect to the server: tls: failed to verify certificate: ${cause.message}\nIs ${url.host} under a private CA? Then the kubeconfig needs its certificate-authority-data`,
    )
  return new Error(`Unable to connect to the server: ${cause.message}`)
}
