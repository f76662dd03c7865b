// The CSI drivers of this machine: they register by a socket in kubelet's folder for plugins, are there while it is, and the Node and its CSINode say so.
import { existsSync, type FSWatcher, mkdirSync, readdirSync, watch } from 'node:fs'
import path from 'node:path'
import type { Log } from '../../log.ts'
import type { Api } from '../../session/api.ts'
import type { CsiDriver, DriverInfo } from './driver.ts'

/** Where drivers for Kubernetes look for kubelet, and put what they make. */
export const KUBELET = '/var/lib/kubelet'
const PLUGINS = path.join(KUBELET, 'plugins_registry')
const TYPE = 'CSIPlugin'
const SETTLE = 100
const [RETRY, MAX_RETRY] = [1000, 60_000]
const NODE_ID = 'csi.volume.kubernetes.io/nodeid'

interface Registered {
  driver: CsiDriver
  info: DriverInfo
}

export class CsiDrivers {
  readonly #api: Api
  readonly #node: string
  readonly #log: Log
  readonly #changed: () => void
  /** By their sockets. */
  readonly #found = new Map<string, Registered>()
  #watcher?: FSWatcher
  #timer?: ReturnType<typeof setTimeout>
  #retry = RETRY
  #work: Promise<void> = Promise.resolve()
  /** What the API was told last. */
  #told = ''
  #closed = false

  /** `changed` when a driver has come or gone. */
  constructor(api: Api, node: string, log: Log, changed: () => void) {
    this.#api = api
    this.#node = node
    this.#log = log
    this.#changed = changed
  }

  start(): void {
    try {
      // Pods of drivers mount these, and may insist that they are there.
      for (const folder of [PLUGINS, path.join(KUBELET, 'plugins'), path.join(KUBELET, 'pods')]) mkdirSync(folder, { recursive: true })
      this.#watcher = watch(PLUGINS, () => this.#look(SETTLE))
      this.#watcher.on('error', () => {})
    } catch (cause) {
      this.#log.warn('CSI drivers cannot register on this machine', { cause: (cause as Error).message })
      return
    }
    this.#look(0)
  }

  /** Undefined while no driver of this name is here. */
  get(name: string): CsiDriver | undefined {
    return [...this.#found.values()].find((f) => f.driver.name === name)?.driver
  }

  close(): void {
    this.#closed = true
    this.#watcher?.close()
    clearTimeout(this.#timer)
  }

  #look(delay: number): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#work = this.#work.then(() => this.#sync())
    }, delay)
    this.#timer.unref()
  }

  async #sync(): Promise<void> {
    if (this.#closed || !existsSync(PLUGINS)) return
    const sockets = readdirSync(PLUGINS, { withFileTypes: true, recursive: true })
      .filter((e) => e.isSocket())
      .map((e) => path.join(e.parentPath, e.name))
    const before = this.#names()
    let failed = false
    for (const socket of this.#found.keys()) if (!sockets.includes(socket)) this.#found.delete(socket)
    for (const socket of sockets) {
      if (this.#found.has(socket)) continue
      try {
        await this.#register(socket)
      } catch (cause) {
        failed = true
        this.#log.warn('a plugin does not register; trying again', { socket, cause: (cause as Error).message, in_ms: this.#retry })
      }
    }
    if (this.#names() !== before) this.#changed()
    await this.#tell().catch((cause) => {
      failed = true
      this.#log.warn('the API could not be told of the CSI drivers; trying again', { cause: (cause as Error).message, in_ms: this.#retry })
    })
    if (failed) this.#look(this.#retry)
    this.#retry = failed ? Math.min(this.#retry * 2, MAX_RETRY) : RETRY
  }

  #names = () =>
    [...this.#found.values()]
      .map((f) => f.driver.name)
      .sort()
      .join()

  async #register(socket: string): Promise<void> {
    const { CsiDriver, pluginInfo, tellRegistered } = await import('./driver.ts')
    const { type, name, endpoint } = await pluginInfo(socket)
    if (type !== TYPE) return
    const driver = new CsiDriver(name, endpoint)
    try {
      this.#found.set(socket, { driver, info: await driver.info() })
    } catch (cause) {
      await tellRegistered(socket, (cause as Error).message).catch(() => {})
      throw cause
    }
    await tellRegistered(socket, '')
    this.#log.info('a CSI driver has registered', { driver: name })
  }

  /** CSINode and the labels of the Node, when they are others than before. A node that never had a driver says nothing. */
  async #tell(): Promise<void> {
    const all = [...this.#found.values()].toSorted((a, b) => (a.driver.name < b.driver.name ? -1 : 1))
    const drivers = all.map(({ driver: { name }, info }) => ({
      name,
      nodeID: info.nodeId,
      topologyKeys: Object.keys(info.segments).sort(),
      ...(info.maxVolumes ? { allocatable: { count: info.maxVolumes } } : {}),
    }))
    const labels = Object.assign({}, ...all.map((a) => a.info.segments))
    const said = JSON.stringify([drivers, labels])
    if (said === this.#told || (!drivers.length && !this.#told)) return
    const nodeIds = JSON.stringify(Object.fromEntries(drivers.map((d) => [d.name, d.nodeID])))
    const at = `/api/v1/nodes/${this.#node}`
    const node = await this.#api.call(
      'PATCH',
      at,
      { metadata: { labels, annotations: { [NODE_ID]: nodeIds } } },
      'application/merge-patch+json',
    )
    const { name, uid } = node.metadata
    const csiNode = {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSINode',
      metadata: { name, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
      spec: { drivers },
    }
    const path = '/apis/storage.k8s.io/v1/csinodes'
    await this.#api.call('POST', path, csiNode).catch((cause) => {
      if (cause.code !== 409) throw cause
      return this.#api.call('PATCH', `${path}/${name}`, { spec: { drivers } }, 'application/merge-patch+json')
    })
    this.#told = said
  }
}
