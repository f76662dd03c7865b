// An ACME server as others run one: Let's Encrypt's Pebble, built by Go. It asks a nameserver of the test's, which sends all names to one address.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import path from 'node:path'
import { streamDecode, streamEncode } from 'dns-packet'
import { apiRequest } from '../../cli/request.ts'
import { eventually, quietly } from './hosts.ts'
import { freePort, temporaryFolder } from './sqld.ts'

const PEBBLE = 'github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3'

/** Why there can be no such server here; undefined when there can. Throws under CI, where nothing is skipped. */
export function acmeMissing(): string | undefined {
  const missing = quietly('command -v go').trim() ? undefined : 'an ACME server (Pebble) needs Go'
  if (missing && process.env.CI === 'true') throw new Error(missing)
  if (missing) console.warn(`certificates by ACME are not tested: ${missing}`)
  return missing
}

/** Over TCP, which is how it is asked. */
const nameserver = (to: string): Server =>
  createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (message) => {
      const { id, questions } = streamDecode(message)
      const answers = questions!.filter((q) => q.type === 'A').map(({ name }) => ({ type: 'A' as const, name, ttl: 5, data: to }))
      socket.write(streamEncode({ type: 'response', id: id!, flags: 0x180, questions: questions!, answers }))
    })
  })

export class AcmeServer {
  readonly #folder = temporaryFolder('acme')
  readonly #dns: Server
  readonly #ip: string
  #port = 0
  #child?: ChildProcess

  private constructor(ip: string, to: string) {
    this.#ip = ip
    this.#dns = nameserver(to)
  }

  /** Serves at `ip`; every name is at the address `to`, where challenges are looked for on `httpPort`. */
  static async start(ip: string, to: string, httpPort: number): Promise<AcmeServer> {
    const s = new AcmeServer(ip, to)
    const bin = path.join(import.meta.dirname, '../../node_modules/.cache/go')
    mkdirSync(bin, { recursive: true })
    // Built once; Go's own cache knows it the next time.
    execFileSync('go', ['install', PEBBLE], { env: { ...process.env, GOBIN: bin }, stdio: 'pipe', timeout: 300_000 })
    const at = (name: string) => path.join(s.#folder.path, name)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('key.pem')]
    const names = ['-subj', '/CN=acme', '-addext', `subjectAltName=IP:${ip}`]
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, '-out', at('cert.pem'), ...names], { stdio: 'pipe' })
    const [port, management] = [await freePort(), await freePort()]
    s.#port = port
    const pebble = {
      listenAddress: `${ip}:${port}`,
      managementListenAddress: `${ip}:${management}`,
      certificate: at('cert.pem'),
      privateKey: at('key.pem'),
      httpPort,
      tlsPort: 5001,
      ocspResponderURL: '',
      externalAccountBindingRequired: false,
      retryAfter: { authz: 1, order: 1 },
      keyAlgorithm: 'ecdsa',
      profiles: { default: { description: '', validityPeriod: 7_776_000 } },
    }
    writeFileSync(at('config.json'), JSON.stringify({ pebble }))
    await new Promise<void>((r) => s.#dns.listen(0, '127.0.0.1', r))
    const dns = `127.0.0.1:${(s.#dns.address() as AddressInfo).port}`
    s.#child = spawn(path.join(bin, 'pebble'), ['-config', at('config.json'), '-dnsserver', dns], {
      stdio: 'ignore',
      env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' },
    })
    await eventually('the ACME server answers', async () => {
      const { newOrder } = await apiRequest({ server: s.#origin, ca: s.ca }, 'GET', '/dir', undefined, { 'user-agent': 'rig' })
      return newOrder as string
    })
    return s
  }

  get #origin(): string {
    return `https://${this.#ip}:${this.#port}`
  }
  get directory(): string {
    return `${this.#origin}/dir`
  }
  /** What it is trusted by, PEM. */
  get ca(): string {
    return readFileSync(path.join(this.#folder.path, 'cert.pem'), 'utf8')
  }

  async stop(): Promise<void> {
    const ended = new Promise((r) => this.#child?.once('exit', r))
    this.#child?.kill()
    await ended
    this.#dns.close()
    this.#folder.remove()
  }
}
