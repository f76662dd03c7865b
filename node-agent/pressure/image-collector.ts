// Images that pods no longer use: taken away when the disk fills, those first that were used longest ago. Only what was pulled for a pod: the machine's
// owner may have images of other things beside it.
import path from 'node:path'
import type { Log } from '../log.ts'
import { type Runtime, withTag } from '../runtime/docker.ts'
import { DiskCopy } from '../session/objects.ts'

/** How long an image is kept in any case, ms. */
const MIN_AGE = 120_000

export interface Shares {
  /** Percent of the disk at which collecting begins, and to which it goes on. */
  high: number
  low: number
}

export class ImageCollector {
  readonly #runtime: Runtime
  readonly #log: Log
  readonly #shares: Shares
  /** When a reference that was pulled was last seen in use, ms. */
  readonly #used = new Map<string, number>()
  readonly #disk: DiskCopy
  readonly #mounted: () => readonly string[]

  /** `mounted` are the references of images that are volumes: Docker does not know that somebody uses them. */
  constructor(runtime: Runtime, data: string, shares: Shares, mounted: () => readonly string[], log: Log) {
    this.#runtime = runtime
    this.#mounted = mounted
    this.#log = log
    this.#shares = shares
    this.#disk = new DiskCopy(path.join(data, 'state'), 'images', log)
    for (const [ref, at] of this.#disk.load() as [string, number][]) this.#used.set(ref, at)
  }

  pulled(ref: string): void {
    this.#used.set(ref, Date.now())
    this.#disk.save(() => this.#used)
  }

  /** Frees what is above the bounds: how many bytes too many there were, and how many of them were freed. */
  async keepBelow(used: number, capacity: number): Promise<{ missing: number; found: number }> {
    if (!capacity || (used / capacity) * 100 < this.#shares.high) return { missing: 0, found: 0 }
    const missing = Math.round(used - (capacity * this.#shares.low) / 100)
    return { missing, found: await this.collect(missing) }
  }

  /** Removes unused images until so many bytes are free; how many were. */
  async collect(bytes: number): Promise<number> {
    if (!this.#used.size) return 0
    const { images, inUse } = await this.#runtime.imagesAndUse()
    const now = Date.now()
    const imageOf = (ref: string) => images.find((i) => i.refs.includes(ref))
    for (const ref of this.#mounted()) inUse.add(imageOf(withTag(ref))?.id ?? '')
    const all = [...this.#used].map(([ref, at]) => ({ ref, at, image: imageOf(ref) })).toSorted((a, b) => a.at - b.at)
    let freed = 0
    for (const { ref, at, image } of all) {
      if (!image) this.#used.delete(ref)
      else if (inUse.has(image.id)) this.#used.set(ref, now)
      else if (freed < bytes && now - at > MIN_AGE) {
        try {
          await this.#runtime.removeImage(ref)
          this.#used.delete(ref)
          freed += image.size
          this.#log.info('an unused image was removed', { image: ref, bytes: image.size })
        } catch (cause) {
          this.#log.warn('an unused image could not be removed', { image: ref, cause: (cause as Error).message })
        }
      }
    }
    this.#disk.save(() => this.#used)
    return freed
  }
}
