// Images: pulled by the container's policy, one pull per image at a time, with back-off after failures.
import { type Runtime, withTag } from '../runtime/docker.ts'

const FIRST = 10_000
const MAX = 300_000
const PARALLEL = 4

export class ImageError extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface PullEvents {
  event(type: 'Normal' | 'Warning', reason: string, message: string): void
}

interface Auth {
  username: string
  password: string
  serveraddress: string
}

/** Credentials for an image's registry, from docker config secrets. */
function authFor(image: string, secrets: any[]): Auth | undefined {
  const first = image.split('/')[0]!
  const registry = image.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'docker.io'
  for (const s of secrets) {
    const text = s?.data?.['.dockerconfigjson'] ?? s?.data?.['.dockercfg']
    if (!text) continue
    let config: any
    try {
      config = JSON.parse(Buffer.from(text, 'base64').toString())
    } catch {
      continue
    }
    for (const [server, entry] of Object.entries<any>(config.auths ?? config)) {
      const host = server.replace(/^https?:\/\//, '').split('/')[0]
      if (host !== registry && !(registry === 'docker.io' && /docker\.io$/.test(host ?? ''))) continue
      const [user, ...rest] = entry.auth ? Buffer.from(entry.auth, 'base64').toString().split(':') : [entry.username, entry.password]
      return { username: user ?? '', password: rest.join(':'), serveraddress: server }
    }
  }
  return undefined
}

export class Images {
  readonly #runtime: Runtime
  readonly #pulling = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, { until: number; delay: number; message: string }>()
  #active = 0
  readonly #queue: (() => void)[] = []

  readonly #pulled: (ref: string) => void

  /** `pulled` is told each reference that has come. */
  constructor(runtime: Runtime, pulled: (ref: string) => void) {
    this.#runtime = runtime
    this.#pulled = pulled
  }

  /** When a failed image may be tried again, ms. */
  retryAt(image: string): number | undefined {
    return this.#failures.get(image)?.until
  }

  /** Makes sure the image is there. Throws ImageError with kubelet's reasons. */
  async ensure(container: any, secrets: any[], events: PullEvents): Promise<void> {
    const { image, imagePullPolicy: policy } = container
    if (policy !== 'Always') {
      const there = await this.#runtime.hasImage(image).catch((e) => {
        throw new ImageError('InvalidImageName', `Failed to apply default image tag ${JSON.stringify(image)}: ${e.message}`)
      })
      if (there) {
        events.event('Normal', 'Pulled', `Container image ${JSON.stringify(image)} already present on machine`)
        return
      }
      if (policy === 'Never') {
        events.event('Warning', 'ErrImageNeverPull', `Container image ${JSON.stringify(image)} is not present with pull policy of Never`)
        throw new ImageError('ErrImageNeverPull', `Container image ${JSON.stringify(image)} is not present with pull policy of Never`)
      }
    }
    const failed = this.#failures.get(image)
    if (failed && failed.until > Date.now()) {
      events.event('Normal', 'BackOff', `Back-off pulling image ${JSON.stringify(image)}`)
      throw new ImageError('ImagePullBackOff', `Back-off pulling image ${JSON.stringify(image)}: ErrImagePull: ${failed.message}`)
    }
    events.event('Normal', 'Pulling', `Pulling image ${JSON.stringify(image)}`)
    const begun = Date.now()
    try {
      await this.#pull(image, authFor(image, secrets))
      this.#failures.delete(image)
      const s = ((Date.now() - begun) / 1000).toFixed(3)
      events.event('Normal', 'Pulled', `Successfully pulled image ${JSON.stringify(image)} in ${s}s (${s}s including waiting)`)
    } catch (cause) {
      const message = (cause as Error).message
      const delay = failed ? Math.min(failed.delay * 2, MAX) : FIRST
      this.#failures.set(image, { until: Date.now() + delay, delay, message })
      events.event('Warning', 'Failed', `Failed to pull image ${JSON.stringify(image)}: ${message}`)
      events.event('Warning', 'Failed', 'Error: ErrImagePull')
      throw new ImageError('ErrImagePull', message)
    }
  }

  #pull(image: string, auth: Auth | undefined): Promise<void> {
    const running = this.#pulling.get(image)
    if (running) return running
    const pull = (async () => {
      if (this.#active >= PARALLEL) await new Promise<void>((r) => this.#queue.push(r))
      this.#active++
      try {
        await this.#runtime.pull(image, auth)
        this.#pulled(withTag(image))
      } finally {
        this.#active--
        this.#queue.shift()?.()
        this.#pulling.delete(image)
      }
    })()
    this.#pulling.set(image, pull)
    return pull
  }
}
