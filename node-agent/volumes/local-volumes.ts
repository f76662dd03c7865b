// Volumes that this node keeps: folders that are made when a pod first needs them, and taken away when the cluster has let them go.
import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { KEPT } from '../../shared/meta/node-annotations.ts'
import type { Log } from '../log.ts'
import type { Api } from '../session/api.ts'

const RETRY_MS = 1000
const MAX_RETRY_MS = 60_000

export const volumesFolder = (data: string): string => path.join(data, 'volumes')

/** The folder of a volume that the cluster made here. Whoever the containers run as may write to it. */
export function localFolder(at: string): string {
  if (!existsSync(at)) {
    mkdirSync(at, { recursive: true })
    chmodSync(at, 0o777)
  }
  return at
}

export class LocalVolumes {
  readonly #api: Api
  readonly #folder: string
  readonly #log: Log
  /** Names of volumes that are being taken away. */
  readonly #leaving = new Set<string>()
  #closed = false

  constructor(data: string, api: Api, log: Log) {
    this.#folder = volumesFolder(data)
    this.#api = api
    this.#log = log
  }

  /** A volume of this node is there, or has changed. */
  changed(volume: any): void {
    const { name, deletionTimestamp, finalizers } = volume.metadata
    if (!deletionTimestamp || !finalizers?.includes(KEPT) || this.#leaving.has(name)) return
    this.#leaving.add(name)
    void this.#takeAway(volume)
  }

  close(): void {
    this.#closed = true
  }

  async #takeAway({ metadata: { name, uid }, spec }: any): Promise<void> {
    for (let delay = RETRY_MS; !this.#closed; delay = Math.min(delay * 2, MAX_RETRY_MS)) {
      try {
        await this.#remove(spec.local?.path ?? '')
        const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [KEPT] } }
        await this.#api.call('PATCH', `/api/v1/persistentvolumes/${name}`, body, 'application/strategic-merge-patch+json')
        break
      } catch (cause) {
        if ((cause as { code?: number }).code === 404) break
        this.#log.warn('a volume could not be taken away; trying again', { volume: name, cause: (cause as Error).message })
        await new Promise((r) => setTimeout(r, delay).unref())
      }
    }
    this.#leaving.delete(name)
  }

  /** Nothing outside of the folder of volumes is ever removed, whatever the object says. */
  async #remove(at: string): Promise<void> {
    if (path.dirname(path.resolve(at)) !== this.#folder) return
    // From one moment to the next: a daemon that ends in the middle goes on with what is left under the other name.
    const leaving = `${at}.leaving`
    if (existsSync(at)) renameSync(at, leaving)
    await rm(leaving, { recursive: true, force: true })
  }
}
