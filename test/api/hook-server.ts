// A webhook as users write them: an HTTPS server under a CA of its own that answers AdmissionReviews, and remembers what it was asked.
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { openAuthority } from '../../api/platform/node/certificates.ts'
import { temporaryFolder } from '../rig/sqld.ts'

type Verdict = { allowed: boolean; status?: object; patch?: object[]; warnings?: string[] }
/** What a path answers; a string is sent as it is, `never` leaves the caller waiting. */
export type Handler = (request: any) => Verdict | string | 'never'

export class HookServer {
  readonly asked: { path: string; request: any }[] = []
  readonly handlers = new Map<string, Handler>()
  /** Base64, as configurations have it. */
  readonly caBundle: string
  readonly #server: Server
  readonly #folder: { remove(): void }

  private constructor(server: Server, ca: string, folder: { remove(): void }) {
    this.#server = server
    this.caBundle = Buffer.from(ca).toString('base64')
    this.#folder = folder
  }

  static async start(names: string[]): Promise<HookServer> {
    const folder = temporaryFolder('hook')
    const at = { dns: names, ips: ['127.0.0.1'] }
    const authority = await openAuthority(folder.path, at)
    const made: { hook?: HookServer } = {}
    const server = createServer(await authority.issue(at), (req, res) => {
      const parts: Buffer[] = []
      req.on('data', (d: Buffer) => parts.push(d))
      req.on('end', () => {
        const { hook } = made
        const path = req.url!.split('?')[0]!
        const { request } = JSON.parse(Buffer.concat(parts).toString())
        hook!.asked.push({ path, request })
        const answer = hook!.handlers.get(path)?.(request) ?? { allowed: true }
        if (answer === 'never') return
        res.writeHead(200, { 'content-type': 'application/json' })
        res.end(typeof answer === 'string' ? answer : JSON.stringify(review(request.uid, answer)))
      })
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    made.hook = new HookServer(server, authority.certificate, folder)
    return made.hook
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
    this.#folder.remove()
  }
}

const review = (uid: string, { patch, ...verdict }: Verdict) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: {
    uid,
    ...verdict,
    ...(patch ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') } : {}),
  },
})
