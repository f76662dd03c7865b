// Images: pulled by the container's policy, one pull per image at a time, with back-off after failures.
import { type Runtime, withTag } from '../runtime/docker.ts'
import { type Credential, credentialsFor, ownConfigs } from './keyring.ts'
import { elsewhere, readMirrors } from './mirrors.ts'

const FIRST = 10_000
const MAX = 300_000
const PARALLEL = 4
const MOST_FAILURES = 1000

export class ImageError extends Error {
  readonly reason: string
  readonly image: string
  constructor(image: string, reason: string, message: string) {
    super(message)
    this.image = image
    this.reason = reason
  }
}

export interface Puller {
  /** Tells of the pod. */
  event(type: 'Normal' | 'Warning', reason: string, message: string): void
  /** Who waits after a failure: one pod's credentials say nothing of another's. */
  pod: string
  /** The contents of its pull secrets. */
  configs: readonly string[]
}

/** What a machine says of registries. */
interface MachineFiles {
  /** Docker configurations with credentials. */
  credentials: readonly string[]
  /** Where else images may be had. */
  mirrors: string
}

export class Images {
  readonly #runtime: Runtime
  readonly #pulling = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, { until: number; delay: number; message: string }>()
  #active = 0
  readonly #queue: (() => void)[] = []

  readonly #pulled: (ref: string) => void
  readonly #files: MachineFiles

  /** `pulled` is told each reference that has come. */
  constructor(runtime: Runtime, files: MachineFiles, pulled: (ref: string) => void) {
    this.#runtime = runtime
    this.#files = files
    this.#pulled = pulled
  }

  /** When a pod's image that could not be pulled may be tried again, ms. */
  retryAt(pod: string, image: string): number | undefined {
    return this.#failures.get(`${pod} ${image}`)?.until
  }

  /** Makes sure the image is there, and says by which name. Throws ImageError with kubelet's reasons. */
  async ensure(image: string, policy: string | undefined, events: Puller): Promise<string> {
    const key = `${events.pod} ${image}`
    if (policy !== 'Always') {
      const there = await this.#nameHere(image).catch((e) => {
        throw new ImageError(image, 'InvalidImageName', `Failed to apply default image tag ${JSON.stringify(image)}: ${e.message}`)
      })
      if (there) {
        events.event('Normal', 'Pulled', `Container image ${JSON.stringify(image)} already present on machine`)
        return there
      }
      if (policy === 'Never') {
        events.event('Warning', 'ErrImageNeverPull', `Container image ${JSON.stringify(image)} is not present with pull policy of Never`)
        throw new ImageError(
          image,
          'ErrImageNeverPull',
          `Container image ${JSON.stringify(image)} is not present with pull policy of Never`,
        )
      }
    }
    const failed = this.#failures.get(key)
    if (failed && failed.until > performance.now()) {
      events.event('Normal', 'BackOff', `Back-off pulling image ${JSON.stringify(image)}`)
      throw new ImageError(image, 'ImagePullBackOff', `Back-off pulling image ${JSON.stringify(image)}: ErrImagePull: ${failed.message}`)
    }
    events.event('Normal', 'Pulling', `Pulling image ${JSON.stringify(image)}`)
    const begun = performance.now()
    try {
      const name = await this.#pullFromAny(image, [...events.configs, ...ownConfigs(this.#files.credentials)])
      this.#failures.delete(key)
      const s = ((performance.now() - begun) / 1000).toFixed(3)
      events.event('Normal', 'Pulled', `Successfully pulled image ${JSON.stringify(image)} in ${s}s (${s}s including waiting)`)
      return name
    } catch (cause) {
      const message = (cause as Error).message
      const delay = failed ? Math.min(failed.delay * 2, MAX) : FIRST
      this.#noteFailure(key, { until: performance.now() + delay, delay, message })
      events.event('Warning', 'Failed', `Failed to pull image ${JSON.stringify(image)}: ${message}`)
      events.event('Warning', 'Failed', 'Error: ErrImagePull')
      throw new ImageError(image, 'ErrImagePull', message)
    }
  }

  #noteFailure(key: string, failure: { until: number; delay: number; message: string }): void {
    // Pods that have gone leave theirs behind.
    if (this.#failures.size >= MOST_FAILURES)
      for (const [k, f] of this.#failures)
        if (f.until + MAX < performance.now() || this.#failures.size >= MOST_FAILURES) this.#failures.delete(k)
    this.#failures.set(key, failure)
  }

  #mirrors = () => readMirrors(this.#files.mirrors)

  /** The name by which an image is here, which may be a mirror's: what is named by its digest keeps the name that it came by. */
  async #nameHere(image: string): Promise<string | undefined> {
    if (await this.#runtime.hasImage(image)) return image
    if (!image.includes('@')) return undefined
    for (const ref of elsewhere(image, await this.#mirrors())) if (await this.#runtime.hasImage(ref)) return ref
    return undefined
  }

  /** From its registry's mirrors, or from the registry itself; the name by which it is here then. */
  async #pullFromAny(image: string, configs: readonly string[]): Promise<string> {
    const faults: string[] = []
    for (const ref of [...elsewhere(image, await this.#mirrors()), image]) {
      try {
        await this.#pullWith(ref, credentialsFor(ref, configs))
        if (ref === image || image.includes('@')) return ref
        await this.#runtime.rename(ref, image)
        this.#pulled(withTag(image))
        return image
      } catch (cause) {
        faults.push((cause as Error).message)
      }
    }
    throw new Error([...new Set(faults)].join('; '))
  }

  /** With one credential after the other, or without any where there is none. */
  async #pullWith(image: string, credentials: readonly Credential[]): Promise<void> {
    const faults: string[] = []
    for (const credential of credentials.length ? credentials : [undefined]) {
      try {
        return await this.#pull(image, credential)
      } catch (cause) {
        faults.push((cause as Error).message)
      }
    }
    throw new Error([...new Set(faults)].join('; '))
  }

  #pull(image: string, auth: Credential | undefined): Promise<void> {
    // Who asks with other credentials may be let in where the first is not.
    const key = `${image} ${auth?.serveraddress ?? ''} ${auth?.username ?? ''} ${auth?.password ?? ''}`
    const running = this.#pulling.get(key)
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
        this.#pulling.delete(key)
      }
    })()
    this.#pulling.set(key, pull)
    return pull
  }
}
