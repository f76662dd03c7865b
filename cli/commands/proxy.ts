// kedge proxy: the API on a local port, with this user's credentials.
import { createServer } from 'node:http'
import { Failure, kubeCommand, out } from '../kube/command.ts'

const hopByHop = ['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'host', 'authorization', 'content-length']

export const run = kubeCommand(
  {
    name: 'proxy',
    usage: '[--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix] [options]',
    about: 'Creates a proxy server or application-level gateway between localhost and the Kubernetes API server.',
    flags: {
      'accept-hosts': {
        type: 'string',
        default: '^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$',
        about: 'Regular expression for hosts that the proxy should accept.',
      },
      'accept-paths': { type: 'string', default: '^.*', about: 'Regular expression for paths that the proxy should accept.' },
      address: { type: 'string', default: '127.0.0.1', about: 'The IP address on which to serve on.' },
      'api-prefix': { type: 'string', default: '/', about: 'Prefix to serve the proxied API under.' },
      port: { type: 'int', short: 'p', default: 8001, about: 'The port on which to run the proxy. Set to 0 to pick a random port.' },
      'reject-methods': { type: 'string', default: '^$', about: 'Regular expression for HTTP methods that the proxy should reject.' },
      'reject-paths': {
        type: 'string',
        default: '^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach',
        about: 'Regular expression for paths that the proxy should reject.',
      },
    },
  },
  async (k) => {
    const { f } = k
    const any = (list: string) => list.split(',').map((r) => new RegExp(r))
    const [hosts, paths, noPaths, noMethods] = [
      any(f['accept-hosts']),
      any(f['accept-paths']),
      any(f['reject-paths']),
      any(f['reject-methods']),
    ]
    const prefix = f['api-prefix'].replace(/\/$/, '')
    const server = createServer((req, res) => {
      const host = (req.headers.host ?? '').replace(/:\d+$/, '')
      const path = (req.url ?? '/').startsWith(prefix) ? (req.url ?? '/').slice(prefix.length) || '/' : undefined
      const [plain] = (path ?? '').split('?')
      if (path === undefined) return void res.writeHead(404).end('404 page not found\n')
      if (
        !hosts.some((r) => r.test(host)) ||
        !paths.some((r) => r.test(plain!)) ||
        noPaths.some((r) => r.test(plain!)) ||
        noMethods.some((r) => r.test(req.method!))
      )
        return void res.writeHead(403).end('Forbidden')
      const headers = Object.fromEntries(
        Object.entries(req.headers).filter(([n, v]) => typeof v === 'string' && !hopByHop.includes(n)) as [string, string][],
      )
      void (async () => {
        const parts: Buffer[] = []
        for await (const part of req) parts.push(part as Buffer)
        const answer = await k.client.open(path, {
          method: req.method!,
          headers,
          ...(headers.accept ? { accept: headers.accept } : {}),
          ...(parts.length ? { body: Buffer.concat(parts), contentType: headers['content-type'] ?? 'application/json' } : {}),
        })
        res.writeHead(
          answer.statusCode ?? 502,
          Object.fromEntries(
            Object.entries(answer.headers).filter(([n]) => !['connection', 'transfer-encoding', 'keep-alive'].includes(n)),
          ),
        )
        res.flushHeaders()
        answer.pipe(res)
        res.on('close', () => answer.destroy())
      })().catch((cause) => {
        if (!res.headersSent) res.writeHead(502)
        res.end(`${cause.message}\n`)
      })
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new Failure(`listen tcp ${f.address}:${f.port}: bind: ${cause.code === 'EADDRINUSE' ? 'address already in use' : cause.message}`),
        ),
      )
      server.listen(f.port, f.address, () => resolve())
    })
    out(`Starting to serve on ${f.address}:${(server.address() as { port: number }).port}\n`)
    await new Promise<void>((r) => process.once('SIGINT', r).once('SIGTERM', r))
    server.closeAllConnections()
    return 0
  },
)
